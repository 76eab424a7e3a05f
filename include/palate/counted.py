"""Numbers with what they count, in sentences for people."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return, for example, ``1 row``, ``1,200 rows``, or ``0 rows differ``.

    :param one: what follows the number 1, such as ``row differs``
    :param many: what follows any other number; by default ``one`` with an s
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float | None) -> str:
    """Return seconds as a person says them: ``4.2 s``, ``3 min 20 s``, ``2 d 4 h``."""
    if seconds is None:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    left = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))
