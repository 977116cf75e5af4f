"""A certificate authority and one certificate for localhost, made anew for a test."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ADDRESSES = ("127.0.0.1", "::1", "2001:db8::5")
"""What the certificate names besides localhost; the last is one of documentation (RFC 3849), for proxies."""


Signer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]
"""A certificate and its key."""


def make_ca(folder: Path) -> None:
    """Write ca.pem, and cert.pem with key.pem for localhost and ADDRESSES, good for servers and clients."""
    authority = certificate("test CA")
    (folder / "ca.pem").write_bytes(authority[0].public_bytes(serialization.Encoding.PEM))
    write_pair(folder, "cert.pem", "key.pem", certificate("localhost", authority, names=("localhost", *ADDRESSES)))


def write_pair(folder: Path, cert: str, key: str, pair: Signer) -> None:
    """A certificate and its key as files."""
    (folder / cert).write_bytes(pair[0].public_bytes(serialization.Encoding.PEM))
    (folder / key).write_bytes(
        pair[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def server_context(folder: Path, pair: Signer) -> ssl.SSLContext:
    """A server's, by files in a folder, which are not needed any longer."""
    write_pair(folder, "server.pem", "server-key.pem", pair)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    return context


def certificate(
    name: str, issuer: Signer | None = None, *, names: Sequence[str] = (), days: tuple[int, int] = (-1, 1)
) -> Signer:
    """A certificate for names and addresses, good between two days from now; without an issuer an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
