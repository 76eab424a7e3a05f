"""The stack without containers: real services on loopback ports.

``stack`` ties the parts together, one module per part knows its settings, and
``supervision`` talks to the supervisor that runs them.
"""
