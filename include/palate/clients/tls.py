"""What is wrong with a server's TLS, as text."""

import ssl
from contextlib import suppress
from pathlib import Path
from socket import create_connection

_PROBE_SECONDS = 3
# OpenSSL's reasons (X509_V_ERR_...); the others keep its own words.
_EXPIRED = 10
_NOT_ISSUED = (7, 18, 19, 20, 21)


def context(ca: Path | None) -> ssl.SSLContext:
    """Return a context that trusts one authority, or the system's own.

    :raises OSError: if the file can't be read or has no certificate
    """
    return ssl.create_default_context(cafile=ca)


def problem(host: str, port: int, ca: Path | None) -> str | None:
    """Try a handshake; return what is wrong, or None, also if no server answers.

    :param ca: a file; without it, the system's own authorities are trusted
    """
    try:
        plain = create_connection((host, port), timeout=_PROBE_SECONDS)
    except OSError:
        return None
    try:
        with plain, context(ca).wrap_socket(plain, server_hostname=host):
            return None
    except ssl.SSLCertVerificationError as error:
        trusted = f"the authorities in {ca}" if ca else "the system's authorities"
        if error.verify_code == _EXPIRED:
            return "its certificate has expired and has to be renewed on the server"
        if error.verify_code in _NOT_ISSUED:
            return f"its certificate was not issued by {trusted}"
        return f"its certificate is not valid: {error.verify_message}"
    except OSError:  # an SSLError is one too
        return "it does not speak TLS there"


def is_spoken(host: str, port: int) -> bool:
    """Return whether a server speaks TLS, whoever has issued its certificate."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE  # nothing is sent
    with (
        suppress(OSError),
        create_connection((host, port), timeout=_PROBE_SECONDS) as plain,
        anybody.wrap_socket(plain),
    ):
        return True
    return False


def file_problem(ca: Path | None) -> str | None:
    """Return why a file can't be used as an authority, or None."""
    try:
        context(ca)
    except ssl.SSLError:
        return "there is no certificate in it"
    except OSError as error:
        return error.strerror or str(error)
    return None
