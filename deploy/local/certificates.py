"""The stack's own certificate authority, and the certificates it issues.

Not by trustme: its keys are not PKCS #8, the only kind that Kafka reads, and its
certificates may sign code too.
"""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.local.ports import HOST
from deploy.local.secrets import write_private

_DAY = timedelta(days=1)
_YEARS = 3650 * _DAY


class Authority:
    """A certificate authority in one folder.

    ``ca.pem`` is for its clients, ``server.pem`` has key and certificate of the
    servers.
    """

    def __init__(self, folder: Path, hosts: Sequence[str] = ("localhost",)) -> None:
        """Keep the paths; nothing is created.

        :param hosts: the names that servers have beside the loopback address
        """
        self._hosts = hosts
        self.certificate = folder / "ca.pem"
        self.server = folder / "server.pem"
        self._key = folder / "ca.key"

    def prepare(self) -> None:
        """Create the authority and the servers' certificate unless they exist."""
        self.certificate.parent.mkdir(parents=True, exist_ok=True)
        if not self._key.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = f"Palate's own authority {token_hex(4)}"
            draft = _draft(name, key, _YEARS).issuer_name(_name(name))
            draft = draft.add_extension(
                x509.BasicConstraints(ca=True, path_length=0), critical=True
            )
            signed = draft.sign(key, hashes.SHA256())
            self.certificate.write_bytes(_pem(signed))
            write_private(self._key, _key_pem(key))
        if not self.server.exists():
            self.issue(self.server)

    def issue(self, path: Path, valid: timedelta = _YEARS) -> None:
        """Write a key and a certificate for the loopback address and the hosts.

        :param valid: how long from now on; a negative time has passed already
        """
        signer = cast(
            ec.EllipticCurvePrivateKey,
            serialization.load_pem_private_key(self._key.read_bytes(), None),
        )
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        draft = _draft(HOST, key, valid).issuer_name(authority.subject)
        names: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(HOST)),
            *(x509.DNSName(host) for host in self._hosts),
        ]
        draft = draft.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = draft.sign(signer, hashes.SHA256())
        write_private(path, _key_pem(key) + _pem(signed).decode())


def _draft(
    name: str, key: ec.EllipticCurvePrivateKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + min(valid, timedelta()) - _DAY)
        .not_valid_after(now + valid)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
