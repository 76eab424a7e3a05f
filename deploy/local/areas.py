"""Which areas are on, and which parts of a stack are there for one of them alone."""

import re

from deploy.local import flights, intake

# The areas that need more than every stack has.
PARTS = {"flights": flights.PARTS, "files": (intake.NAME,)}


def named(areas: str) -> tuple[str, ...]:
    """Return the areas of a setting that has them by comma."""
    return tuple(re.findall(r"[^\s,]+", areas))


def area_of(part: str) -> str | None:
    """Return the area that a part is there for; None if every stack has it."""
    return next((area for area, parts in PARTS.items() if part in parts), None)
