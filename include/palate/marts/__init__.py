"""From the Data Vault into the marts (CDM)."""

from palate.marts import compare, kept_totals, kinds, meaning, stage, tables, trial
from palate.marts.definitions import load_marts
from palate.marts.models import Mart
from palate.marts.stage import run

__all__ = [
    "Mart",
    "compare",
    "kept_totals",
    "kinds",
    "load_marts",
    "meaning",
    "run",
    "stage",
    "tables",
    "trial",
]
