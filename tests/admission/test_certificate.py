"""The serving certificate: loaded, loaded again under open connections, and kept where the new one is no good."""

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.support.serving import RECORDED, Served, response_of, write_pair
from webhook.admission.certificate import Certificate
from webhook.admission.reviews import Answer, ReviewRequest
from webhook.core.errors import CannotServe
from webhook.demo.certificates import ServingPair, serving_pair

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

KEYS: dict[str, Callable[[], Key]] = {
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


async def allow(request: ReviewRequest, deadline: float) -> Answer:
    return Answer()


def self_signed(name: str, key: Key, password: bytes = b"") -> ServingPair:
    """A certificate that signs itself, with a key of any kind."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=subject, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(hours=1))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    return ServingPair(certificate, certificate, private)


async def serial_of(port: int, server_name: str | None = "localhost") -> int:
    """The serial number of the certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=server_name or "")
    shown = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.close()
    return x509.load_der_x509_certificate(shown).serial_number


def serial(pair: ServingPair) -> int:
    return x509.load_pem_x509_certificates(pair.certificate)[0].serial_number


async def shown(port: int, wanted: int) -> None:
    async with asyncio.timeout(20):
        while await serial_of(port) != wanted:  # noqa: ASYNC110 - it happens behind a socket
            await asyncio.sleep(0.02)


async def test_an_open_connection_survives_a_new_certificate_and_a_new_one_sees_it(served: Served, tmp_path: Path):
    served.port = await served.server.start(allow)
    watching = asyncio.create_task(served.certificate.watch())
    body = json.dumps(RECORDED["CREATE-Pod"]).encode()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:

        async def ask() -> object:
            async with session.post(f"https://localhost:{served.port}/", data=body, ssl=served.trust) as response:
                response_of(response.status, response.content_type, await response.read())
                return next(iter(session.connector._conns.values()))[0][0]  # type: ignore[union-attr]

        first = await ask()
        pair = write_pair(tmp_path)
        await shown(served.port, serial(pair))
        assert await ask() is first  # the trust is that of the old authority, and the connection is the same
    watching.cancel()


@pytest.mark.parametrize(("before", "after"), [("rsa", "ecdsa"), ("ecdsa", "rsa"), ("rsa", "rsa")])
async def test_a_pair_of_another_kind_takes_the_place_of_the_old(
    served: Served, tmp_path: Path, before: str, after: str
):
    """Loaded into the same SSLContext, an ECDSA pair would go on being served beside a new RSA one."""
    first, second = self_signed("old", KEYS[before]()), self_signed("new", KEYS[after]())
    write_pair(tmp_path, first)
    served.certificate.load()
    served.port = await served.server.start(allow)
    assert await serial_of(served.port) == serial(first)
    write_pair(tmp_path, second)
    served.certificate.load()
    assert await serial_of(served.port) == serial(second)
    assert await serial_of(served.port, server_name=None) == serial(second)


def spoil(folder: Path, how: str) -> None:
    """Makes the pair of a folder bad."""
    other = self_signed("bad", KEYS["ecdsa"]())
    match how:
        case "another key":
            (folder / "tls.key").write_bytes(other.key)
        case "half a key":
            (folder / "tls.key").write_bytes(other.key[:60])
        case "no PEM":
            (folder / "tls.crt").write_bytes(b"nonsense")
        case "empty":
            (folder / "tls.crt").write_bytes(b"")
        case "a PEM that is no certificate":
            (folder / "tls.crt").write_bytes(other.key)
        case "gone":
            (folder / "tls.crt").unlink()
        case "a folder":
            (folder / "tls.key").unlink()
            (folder / "tls.key").mkdir()
        case _:
            raise AssertionError(how)


@pytest.mark.parametrize(
    "how",
    ["another key", "half a key", "no PEM", "empty", "a PEM that is no certificate", "gone", "a folder"],
)
async def test_a_bad_pair_leaves_the_old_one_and_a_good_one_after_it_is_taken(
    served: Served, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
):
    served.port = await served.server.start(allow)
    before = await serial_of(served.port)
    watching = asyncio.create_task(served.certificate.watch())
    spoil(tmp_path, how)
    with pytest.raises(CannotServe, match=r"tls\.(crt|key)"):
        served.certificate.load()
    await asyncio.sleep(0.1)  # five looks at it
    assert not watching.done()
    assert await serial_of(served.port) == before
    # Said once, not at each look; a file that is gone may be about to come.
    assert caplog.text.count("stays as it was") == (0 if how in ("gone", "a folder") else 1)
    if (tmp_path / "tls.key").is_dir():
        (tmp_path / "tls.key").rmdir()
    pair = write_pair(tmp_path)
    await shown(served.port, serial(pair))
    watching.cancel()


def test_an_encrypted_key_is_refused_and_no_terminal_is_asked(tmp_path: Path):
    write_pair(tmp_path, self_signed("locked", KEYS["ecdsa"](), b"secret"))
    certificate = Certificate(str(tmp_path), lambda _: None)
    with pytest.raises(CannotServe, match="not encrypted"):
        certificate.load()
    assert not certificate.loaded


def test_a_folder_as_a_secrets_volume_shows_it(tmp_path: Path):
    """tls.crt -> ..data/tls.crt, ..data -> ..2026_01; a new version turns ..data."""
    ends: list[float] = []
    certificate = Certificate(str(tmp_path), ends.append)
    pairs = [serving_pair("localhost", "127.0.0.1") for _ in range(2)]
    for number, pair in enumerate(pairs):
        version = tmp_path / f"..{number}"
        version.mkdir()
        write_pair(version, pair)
        turned = tmp_path / "..turned"
        turned.symlink_to(version.name)
        turned.rename(tmp_path / "..data")
        if number == 0:
            for name in ("tls.crt", "tls.key"):
                (tmp_path / name).symlink_to(f"..data/{name}")
        certificate.load()
    assert certificate.loaded
    assert ends == [
        x509.load_pem_x509_certificates(pair.certificate)[0].not_valid_after_utc.timestamp() for pair in pairs
    ]


def test_what_is_missing_is_named(tmp_path: Path):
    with pytest.raises(CannotServe, match=r"tls\.crt: No such file or directory"):
        Certificate(str(tmp_path), lambda _: None).load()
