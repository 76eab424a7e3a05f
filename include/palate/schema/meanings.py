"""What the rows of each table stand for, as its definition says."""

from palate.marts.definitions import load_marts
from palate.marts.meaning import of_mart
from palate.tables.registry import Meaning
from palate.vault.meaning import of_tables


def all_meanings() -> list[Meaning]:
    """Return what each table of the vault and each mart means."""
    return [*of_tables(), *(of_mart(name) for name in load_marts())]
