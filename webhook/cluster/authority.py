"""Authorities and serving certificates: made, and read from a Secret's data, a part at a time.

Everything that somebody may have put into the Secret is read without complaint by an exception: a part that is no good
counts as missing, and is told of in `Material.problems`. Keys are in no text and no repr.
"""

import contextlib
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from webhook.core.rotation import BACKDATED, Authority, Held, Leaf, MakeAuthority, SignLeaf, Span

BUNDLE: Final = "ca.crt"
"""The Secret's key of the authorities, newest first."""
AUTHORITY_KEYS: Final = "ca.key"
"""That of their private keys, of those that still sign."""
CHAIN: Final = "tls.crt"
PRIVATE: Final = "tls.key"

_PEM: Final = serialization.Encoding.PEM
_ONE_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_ONE_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm)
"""What cryptography raises for a text that is not what it should be."""

_Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Material:
    """What a Secret holds. `certificates` and `keys` are the authorities' by mark; `chain` and `key` the serving pair
    as PEM, empty where there is none that counts. `problems` say what was passed over."""

    held: Held
    certificates: Mapping[str, x509.Certificate]
    keys: Mapping[str, _Key] = field(repr=False)
    chain: bytes
    key: bytes = field(repr=False)
    problems: Sequence[str]


def read_material(data: Mapping[str, bytes], names: Sequence[str]) -> Material:
    """What a Secret's data is good for. `names` are those that the serving certificate should have."""
    problems: list[str] = []
    certificates = _authorities(data.get(BUNDLE, b""), problems)
    keys = _keys(data.get(AUTHORITY_KEYS, b""), certificates, problems)
    leaf = _leaf(data.get(CHAIN, b""), data.get(PRIVATE, b""), certificates, names, problems)
    authorities = tuple(Authority(mark, span_of(each), mark in keys) for mark, each in certificates.items())
    chain, key = (data[CHAIN], data[PRIVATE]) if leaf is not None else (b"", b"")
    return Material(Held(authorities, leaf), certificates, keys, chain, key, tuple(problems))


def read_bundle(text: bytes) -> Mapping[str, x509.Certificate]:
    """The certificates of a bundle by mark, in order. What cannot be read is passed over, as an API server does
    (AppendCertsFromPEM of Go's crypto/x509): the others count all the same."""
    found: dict[str, x509.Certificate] = {}
    for match in _ONE_CERTIFICATE.finditer(text):
        with contextlib.suppress(*_UNREADABLE):
            certificate = x509.load_pem_x509_certificate(match[0])
            found[mark_of(certificate)] = certificate
    return found


def bundle_text(certificates: Sequence[x509.Certificate]) -> bytes:
    """A bundle of certificates, as PEM."""
    return b"".join(each.public_bytes(_PEM) for each in certificates)


def mark_of(certificate: x509.Certificate) -> str:
    """What tells a certificate from all others."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def span_of(certificate: x509.Certificate) -> Span:
    """From when to when it is good."""
    return Span(certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())


def with_authority(material: Material, step: MakeAuthority, now: float) -> Mapping[str, bytes]:
    """The Secret's data with a new authority before those that stay."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _make_authority(key, now, step.ends)
    staying = [each for mark, each in material.certificates.items() if mark in step.keep]
    keys = [key, *(each for mark, each in material.keys.items() if mark in step.keep)]
    return {
        BUNDLE: bundle_text([made, *staying]),
        AUTHORITY_KEYS: b"".join(map(_private, keys)),
        CHAIN: material.chain,
        PRIVATE: material.key,
    }


def with_leaf(material: Material, step: SignLeaf, now: float, names: Sequence[str]) -> Mapping[str, bytes]:
    """The Secret's data with a new serving pair, and the keys of the authorities that may yet sign."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = material.keys[step.authority]
    made = _sign_leaf(key, (material.certificates[step.authority], signer), (now, step.ends), names)
    return {
        BUNDLE: bundle_text(list(material.certificates.values())),
        AUTHORITY_KEYS: b"".join(_private(each) for mark, each in material.keys.items() if mark in step.keys),
        CHAIN: made.public_bytes(_PEM),
        PRIVATE: _private(key),
    }


def _make_authority(key: _Key, now: float, ends: float) -> x509.Certificate:
    serial = x509.random_serial_number()
    # A name of its own: OpenSSL looks issuers up by their names.
    name = common_name(f"podgate CA {serial & 0xFFFFFFFF:08x}")
    builder = _builder(name, name, key, (now, ends)).serial_number(serial)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(key_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA256())


def _sign_leaf(
    key: _Key, signer: tuple[x509.Certificate, _Key], times: tuple[float, float], names: Sequence[str]
) -> x509.Certificate:
    authority, authority_key = signer
    builder = _builder(common_name("podgate"), authority.subject, key, times).serial_number(x509.random_serial_number())
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = builder.add_extension(alternative, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return builder.add_extension(identifier, critical=False).sign(authority_key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: _Key, times: tuple[float, float]) -> x509.CertificateBuilder:
    """From an hour before `times` begin, until they end."""
    begins, ends = (dt.datetime.fromtimestamp(int(time), dt.UTC) for time in (times[0] - BACKDATED, times[1]))
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
    builder = builder.not_valid_before(begins).not_valid_after(ends)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """What a key is for: Python 3.13 and later demand it of an authority (VERIFY_X509_STRICT; RFC 5280, 4.2.1.3 and
    4.2.1.9)."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def common_name(text: str) -> x509.Name:
    """A name that is nothing but a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _private(key: _Key) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _authorities(text: bytes, problems: list[str]) -> Mapping[str, x509.Certificate]:
    good = {mark: each for mark, each in read_bundle(text).items() if _is_authority(each)}
    if len(good) < text.count(b"-----BEGIN") or (text.strip() and not good):
        problems.append(f"{BUNDLE} has something that is no authority's certificate")
    return good


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (*_UNREADABLE, x509.ExtensionNotFound):
        return False


def _keys(text: bytes, certificates: Mapping[str, x509.Certificate], problems: list[str]) -> Mapping[str, _Key]:
    """The keys by their authorities' marks, in the authorities' order; a key of none of them is dropped."""
    found: list[_Key] = []
    for match in _ONE_KEY.finditer(text):
        try:
            key = serialization.load_pem_private_key(match[0], None)
        except _UNREADABLE:
            key = None
        if isinstance(key, ec.EllipticCurvePrivateKey):
            found.append(key)
        else:
            problems.append(f"{AUTHORITY_KEYS} has something that is no ECDSA key")
    if text.strip() and not _ONE_KEY.search(text):
        problems.append(f"{AUTHORITY_KEYS} has no key")
    of = {mark: each.public_key() for mark, each in certificates.items()}
    return {mark: key for mark, public in of.items() for key in found if key.public_key() == public}


def _leaf(
    chain: bytes,
    private: bytes,
    certificates: Mapping[str, x509.Certificate],
    names: Sequence[str],
    problems: list[str],
) -> Leaf | None:
    if not chain.strip() and not private.strip():
        return None
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
        key = serialization.load_pem_private_key(private, None)
        if key.public_key() != leaf.public_key():
            problems.append(f"{PRIVATE} is not the key of {CHAIN}")
            return None
        has = set(_names_of(leaf))
    except _UNREADABLE:
        problems.append(f"{CHAIN} and {PRIVATE} are not a PEM certificate and its key")
        return None
    signer = next((mark for mark, each in certificates.items() if _has_signed(each, leaf)), None)
    if signer is None:
        problems.append(f"{CHAIN} is of none of the authorities in {BUNDLE}")
        return None
    return Leaf(signer, span_of(leaf), has >= set(names))


def _names_of(leaf: x509.Certificate) -> Sequence[str]:
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return alternative.get_values_for_type(x509.DNSName)


def _has_signed(authority: x509.Certificate, leaf: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(authority)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True
