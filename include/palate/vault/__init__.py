"""From STG into the Data Vault (DDS)."""

from palate.vault import clock, load, meaning, parse, stage
from palate.vault.definitions import load_vault
from palate.vault.stage import run

__all__ = [
    "clock",
    "load",
    "load_vault",
    "meaning",
    "parse",
    "run",
    "stage",
]
