"""A certificate authority of a few hours and a serving certificate of its making, for the demo."""

import datetime as dt
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from webhook.cluster.authority import common_name, key_usage

LIFETIME: Final = dt.timedelta(hours=12)
"""More than anybody leaves a demo up for."""
SKEW: Final = dt.timedelta(minutes=5)
"""How far back a certificate begins: clocks differ."""


@dataclass(frozen=True, slots=True)
class ServingPair:
    """PEM texts: the authority that signs, the certificate that serves, and its key."""

    authority: bytes
    certificate: bytes
    key: bytes = field(repr=False)


def serving_pair(host: str, address: str) -> ServingPair:
    """A new authority, and a certificate of it for one host name and one address."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = common_name("podgate demo CA")
    authority = _builder(authority_name, authority_name, authority_key)
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    authority = authority.add_extension(key_usage(signs_certificates=True), critical=True)
    signed_authority = authority.sign(authority_key, hashes.SHA256())

    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ip_address(address))])
    leaf = _builder(common_name(host), authority_name, key).add_extension(names, critical=False)
    leaf = leaf.add_extension(key_usage(signs_certificates=False), critical=True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    leaf = leaf.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
    )
    signed = leaf.sign(authority_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ServingPair(signed_authority.public_bytes(pem), signed.public_bytes(pem), private)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - SKEW).not_valid_after(now + LIFETIME)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
