"""A stand-in for the airline: it writes to its database as its application does.

What the mart must be is asked of the standby, in SQL of its own (``presentation.sql``).
"""
