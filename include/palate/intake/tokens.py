"""Who may send: each company's tokens, of which only a digest is kept."""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from palate.database import Connection
from palate.errors import RequestError

COMPANY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_TOKEN = re.compile(r"palate_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Sender:
    """Who sends, by a token that is valid now."""

    company: str
    datasets: frozenset[str]


@dataclass(frozen=True)
class Token:
    """What is known of a token; nobody can make the token from it."""

    token_id: str
    company: str
    datasets: tuple[str, ...]
    made: datetime
    expires: datetime | None
    revoked: datetime | None


def add(
    conn: Connection, company: str, datasets: list[str], expires: datetime | None = None
) -> str:
    """Make a token of a company; return it, which nobody can do again.

    :raises RequestError: if the company's name is no slug, or no dataset is named
    """
    if not COMPANY.fullmatch(company):
        message = (
            f"{company!r} can't be a company's name: small letters, digits and "
            "hyphens, at most 63, the first no hyphen."
        )
        raise RequestError(message)
    if not datasets:
        message = "Name at least one dataset that the company may send: --dataset."
        raise RequestError(message)
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    conn.execute(
        "INSERT INTO ops.intake_tokens"
        " (token_id, company, datasets, digest, expires_dt)"
        " VALUES (%s, %s, %s, %s, %s)",
        (token_id, company, sorted(set(datasets)), _digest(secret), expires),
    )
    return f"palate_{token_id}_{secret}"


def sender_of(conn: Connection, token: str) -> Sender | None:
    """Return who sends by this token, or None if it is not valid now."""
    parts = _TOKEN.fullmatch(token)
    if not parts:
        return None
    row = conn.execute(
        "SELECT digest, company, datasets FROM ops.intake_tokens WHERE token_id = %s"
        " AND revoked_dt IS NULL AND (expires_dt IS NULL OR expires_dt > now())",
        (parts[1],),
    ).fetchone()
    if row is None or not hmac.compare_digest(row[0], _digest(parts[2])):
        return None
    return Sender(row[1], frozenset(row[2]))


def revoke(conn: Connection, token_id: str) -> bool:
    """Revoke a token from the next request on; return whether it was valid."""
    return bool(
        conn.execute(
            "UPDATE ops.intake_tokens SET revoked_dt = clock_timestamp()"
            " WHERE token_id = %s AND revoked_dt IS NULL",
            (token_id,),
        ).rowcount
    )


def tokens(conn: Connection) -> list[Token]:
    """Return all tokens, by company, the newest first."""
    rows = conn.execute(
        "SELECT token_id, company, datasets, made_dt, expires_dt, revoked_dt"
        " FROM ops.intake_tokens ORDER BY company, made_dt DESC, token_id"
    )
    return [Token(row[0], row[1], tuple(row[2]), *row[3:]) for row in rows]


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
