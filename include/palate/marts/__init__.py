"""From the Data Vault into the counter marts (CDM)."""

from palate.marts import compare, doubled, meaning, refresh, stage, tables, trial
from palate.marts.definitions import Mart, load_marts
from palate.marts.stage import run

__all__ = [
    "Mart",
    "compare",
    "doubled",
    "load_marts",
    "meaning",
    "refresh",
    "run",
    "stage",
    "tables",
    "trial",
]
