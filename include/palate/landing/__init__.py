"""From the services into STG, and out of it for good."""
