"""From STG into the Data Vault (DDS)."""
