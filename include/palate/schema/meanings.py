"""What the rows of each table mean, from its definition."""

from palate import marts, vault
from palate.tables import registry


def all_meanings() -> list[registry.Meaning]:
    """Return what each table of the vault and each mart means."""
    return [
        *vault.meaning.of_tables(),
        *(marts.meaning.of_mart(name) for name in marts.load_marts()),
    ]
