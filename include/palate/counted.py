"""A number and its noun, in sentences for people."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return, for example, ``1 row``, ``1,200 rows``, or ``0 rows differ``.

    :param one: what follows the number 1, such as ``row differs``
    :param many: what follows any other number; by default ``one`` with an s
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
