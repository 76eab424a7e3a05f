"""The source of the area flights, wherever it runs: its tables, roles and connector.

``schema.sql`` stands for the airline's own; ``rights.sql`` is what its administrator
grants, and ``connector.json`` the connector's settings.
"""
