"""Files of records: what one is, where it is kept, and how its records get into STG."""

from palate.files import datasets, events, imports, objects, records, replay, stage
from palate.files.refusals import Reason, RefusedError
from palate.files.settings import IntakeSettings

__all__ = [
    "IntakeSettings",
    "Reason",
    "RefusedError",
    "datasets",
    "events",
    "imports",
    "objects",
    "records",
    "replay",
    "stage",
]
