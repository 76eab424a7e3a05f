"""The settings of each part, rendered from the templates in ``settings/``."""

import shlex
from hashlib import sha256
from pathlib import Path

import jinja2

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "settings"),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,
)
_TEMPLATES.filters["sh"] = lambda value: shlex.quote(str(value))
_TEMPLATES.filters["sha256"] = lambda value: sha256(value.encode()).hexdigest()


def render(name: str, **values: object) -> str:
    """Return the text of one settings file.

    :raises jinja2.UndefinedError: if the template needs a value that isn't given
    """
    return _TEMPLATES.get_template(f"{name}.j2").render(**values)
