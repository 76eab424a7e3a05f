"""The command `palate`."""
