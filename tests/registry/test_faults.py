"""No exception of a library leaves the client untranslated."""

import inspect
import ssl

import httpcore
import httpx
import pytest

from webhook.core.errors import RegistryError
from webhook.core.wording import NO_ADDRESS
from webhook.registry.faults import FOREIGN, again, of_status, printable_body, printable_url, translated


def raisable(module: object) -> list[type[Exception]]:
    classes = [value for _, value in inspect.getmembers(module, inspect.isclass) if issubclass(value, Exception)]
    assert len(classes) > 10
    return classes


@pytest.mark.parametrize("kind", [*raisable(httpx), *raisable(httpcore)])
def test_every_exception_of_httpx_and_httpcore_is_translated(kind: type[Exception]):
    """Like httpx's own test that its exception map misses none of httpcore's."""
    assert issubclass(kind, FOREIGN)
    error = kind.__new__(kind)
    with pytest.raises(RegistryError), translated("https://reg.example/v2/"):
        raise error


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (TimeoutError(), "timeout", True),
        (httpx.ReadTimeout(""), "timeout", True),
        (httpcore.ConnectTimeout(), "timeout", True),
        (ConnectionResetError(104, "reset"), "unavailable", True),
        (httpcore.ReadError(), "unavailable", True),
        (httpcore.RemoteProtocolError(), "unavailable", True),
        (ssl.SSLCertVerificationError(1, "no"), "tls", False),
        (ssl.SSLError(1, "handshake failure"), "tls", False),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "unavailable", True),
        (ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed"), "unavailable", True),
        (httpx.InvalidURL("x"), "malformed", False),
        (UnicodeError(), "malformed", False),
    ],
)
def test_codes(error: Exception, code: str, retryable: bool):
    with pytest.raises(RegistryError) as caught, translated("https://reg.example/v2/"):
        raise error
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert caught.value.told == (NO_ADDRESS if code == "malformed" else "")  # else it would be what a registry sent
    assert caught.value.exchange.url == "https://reg.example/v2/"


def test_tls_is_seen_through_what_lies_around_it():
    outer = httpcore.ConnectError()
    outer.__cause__ = ssl.SSLError(1, "handshake")
    with pytest.raises(RegistryError) as caught, translated(""):
        raise outer
    assert caught.value.code == "tls"


def test_a_reset_in_the_midst_of_a_handshake_is_none_of_tls():
    """asyncio's TLS carries the word that it has to read on around, and the reset may come upon it."""
    outer, reset = httpcore.ConnectError(), ConnectionResetError(104, "Connection reset by peer")
    outer.__cause__, reset.__context__ = reset, ssl.SSLWantReadError()
    with pytest.raises(RegistryError) as caught, translated(""):
        raise outer
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)


def test_what_is_no_fault_of_the_network_is_not_hidden():
    with pytest.raises(KeyError), translated(""):
        raise KeyError


def test_every_status_has_a_code():
    for status in (*range(201, 400), *range(400, 600)):
        code, _ = of_status(status)
        assert RegistryError(code, "").code == code


def test_what_is_printed_of_an_exchange():
    url = httpx.URL("https://ann:word@reg.example/v2/x?X-Amz-Signature=abc#part")
    assert printable_url(url) == "https://reg.example/v2/x"
    assert printable_body(b"a\x1b[31m\r\nb\xff" + b"c" * 9999) == "a [31m  b\ufffd" + "c" * 502


def test_a_fault_can_be_raised_again():
    error = RegistryError("denied", "no", retryable=True)
    assert again(error) is not error
    assert vars(again(error)) == vars(error)
