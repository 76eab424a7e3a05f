"""From the Data Vault into the counter marts (CDM)."""
