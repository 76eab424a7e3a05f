"""What the headers of a file say, each read by its own rules."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import HTTP
from uuid import uuid4

from starlette.datastructures import Headers

from palate.files import Reason, RefusedError, records

_FORMS = {
    "application/json": records.Form.JSON,
    "application/x-ndjson": records.Form.NDJSON,
    "application/jsonl": records.Form.NDJSON,
}
_PACKINGS = {"": False, "identity": False, "gzip": True}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)")
_BEARER = re.compile(r"[Bb]earer +([^ ]+) *")
_LABEL = 255


@dataclass(frozen=True)
class FileHeaders:
    """What the sender says of a file.

    :param sha256: what the unpacked file must have, if it is said
    :param length: of the body, if it is said
    """

    form: records.Form
    is_packed: bool
    key: str | None
    filename: str | None
    sha256: bytes | None
    length: int | None


def of_file(headers: Headers) -> FileHeaders:
    """Return what the headers of a file say.

    :raises RefusedError: if one is not of its form, or the type is not taken
    """
    length = headers.get("content-length")
    return FileHeaders(
        form=_form(headers),
        is_packed=_is_packed(headers),
        key=_key(headers),
        filename=_filename(headers),
        sha256=_sha256(headers),
        length=int(length) if length is not None and length.isdigit() else None,
    )


def request_id(headers: Headers) -> str:
    """Return the sender's id of the request, or make one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def token(headers: Headers) -> str | None:
    """Return the token, if one is sent as it should be."""
    found = _BEARER.fullmatch(headers.get("authorization", ""))
    return found and found[1]


def _form(headers: Headers) -> records.Form:
    kind, _, parameters = headers.get("content-type", "").partition(";")
    form = _FORMS.get(kind.strip().lower())
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters, re.IGNORECASE)
    if form is None or (charset and charset[1].lower() != "utf-8"):
        types = ", ".join(_FORMS)
        raise RefusedError(
            Reason.UNSUPPORTED_TYPE,
            f"Send the file as one of these, in UTF-8: {types}.",
            headers={"Accept": types},
        )
    return form


def _is_packed(headers: Headers) -> bool:
    packing = headers.get("content-encoding", "").strip().lower()
    if packing not in _PACKINGS:
        raise RefusedError(
            Reason.UNSUPPORTED_TYPE,
            "Send the file as it is, or packed by gzip.",
            headers={"Accept-Encoding": "gzip, identity"},
        )
    return _PACKINGS[packing]


def _key(headers: Headers) -> str | None:
    keys = headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        detail = "Idempotency-Key must be 1 to 128 visible ASCII characters, once."
        raise RefusedError(Reason.BAD_HEADER, detail)
    return keys[0]


def _sha256(headers: Headers) -> bytes | None:
    given = headers.get("repr-digest")
    if given is None:
        return None
    found = _DIGEST.search(given)
    try:
        if found:
            return b64decode(found[1], validate=True)
    except Base64Error:
        pass
    if "sha-256=" not in given:
        return None  # another algorithm, which nobody has to know
    detail = "Repr-Digest must be sha-256=:<base64>:, of the unpacked file (RFC 9530)."
    raise RefusedError(Reason.BAD_HEADER, detail)


def _filename(headers: Headers) -> str | None:
    """Return the file's name: a label for people, used for nothing."""
    given = headers.get("content-disposition")
    if given is None:
        return None
    message = EmailMessage(policy=HTTP)
    try:
        message["Content-Disposition"] = given
        name = message.get_filename()
    except (ValueError, IndexError, LookupError):
        name = None
    if not name:
        return None
    printable = "".join(char for char in name if char.isprintable())
    return printable[:_LABEL] or None
