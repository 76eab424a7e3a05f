"""The configuration of Superset: SUPERSET_CONFIG_PATH names this file.

What is secret comes from the environment, or from a file that `<name>_FILE` names.
Nothing has a default that would let Superset start with a key that others know.
"""

import os
from pathlib import Path


def _secret(name: str) -> str:
    """Return a variable's value, or the content of the file that `<name>_FILE` names.

    :raises RuntimeError: if neither says anything
    """
    value = os.environ.get(name, "")
    if not value and (file := os.environ.get(f"{name}_FILE")):
        value = Path(file).read_text(encoding="utf-8").strip()
    if not value:
        raise RuntimeError(f"Set {name}, or {name}_FILE to the path of a file with it.")
    return value


# Signs sessions and encrypts the passwords of databases: the same at each start.
SECRET_KEY = _secret("SUPERSET_SECRET_KEY")
# Superset's own database, with a password of its own; never the warehouse.
SQLALCHEMY_DATABASE_URI = _secret("SUPERSET_DATABASE_URI")

# Only over TLS, unless somebody tries it on this machine.
SESSION_COOKIE_SECURE = os.environ.get("SUPERSET_INSECURE_COOKIES") != "yes"
SESSION_COOKIE_SAMESITE = "Lax"

# Pages load nothing from other hosts. Superset's default also lets it ask for a picture
# of a company that counts its users.
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'self'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,  # what ends TLS stands before Superset
    "session_cookie_secure": SESSION_COOKIE_SECURE,
}

# The most rows that one query brings, for charts and in the SQL editor.
ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000
