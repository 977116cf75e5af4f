"""Bytes of a secret are nowhere: not in a log at DEBUG, not in an error, not in a repr, not in a metric."""

import base64
import gc
import io
import logging
import traceback

import pytest

from tests.registry.conftest import Setting, access, reference, secret
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.keyring import Keyring, PullSecret
from webhook.ports import Access
from webhook.registry.own import Lent

TAGGED = reference("reg.example/team/app:1")
WORD = "PASSWORD-MARKED"  # and tokens of the test's registry are marked as well
BASIC = base64.b64encode(f"ann:{WORD}".encode()).decode()
QUERY = "SIGNATURE-MARKED"
HEADER = "HEADER-MARKED"


class Everything(logging.Handler):
    """Every record of every logger, formatted whole."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        self.text.write(self.format(record) + "\n")


@pytest.fixture
def logged():
    handler = Everything()
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.text
    root.removeHandler(handler)
    root.setLevel(before)


def faults(other: Registry) -> list[list[Fault]]:
    return [
        [],
        [Fault(authorized=True, status=403, echo=True)],
        [Fault(at="/token", status=401, echo=True)],
        [Fault(at="/token", status=500, echo=True)],
        [Fault(at="/token", body=b'{"token": "%s' % WORD.encode())],
        [Fault(at="/token", body=b'{"token": "%s\\n"}' % WORD.encode())],
        [Fault(authorized=True, close=True)],
        [Fault(authorized=True, truncate=3)],
        [Fault(authorized=True, redirect=f"{other.url}/x?X-Amz-Signature={QUERY}")],
        [Fault(authorized=True, redirect=f"http://x:{WORD}@127.0.0.1/")],
        [Fault(authorized=True, redirect=f"http://127.0.0.1:1/?{QUERY}")],
    ]


@pytest.mark.parametrize("number", range(11))
@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_marked_secrets_come_out_nowhere(setting: Setting, registry: Registry, logged, number: int, scheme: str):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.auth = Auth(scheme, {"ann": WORD})
    setting.serve("reg.example", text=f'server = "{registry.url}"\n[header]\nx-key = "{HEADER}"\n')
    own = (Lent(Keyring.from_docker_config(secret({"reg.example": f"bob:{WORD}"}).data, "config.json")),)
    said: list[str] = []
    with Registry() as other:
        registry.faults = faults(other)[number]
        images = setting.images(own=own)
        try:
            said.append(repr(await images.resolve(TAGGED, access(f"ann:{WORD}"))))
        except RegistryError as error:
            said += [str(error), repr(error), repr(error.exchange), error.detail, *traceback.format_exception(error)]
    said += [repr(setting.requests), repr(setting.lookups), repr(vars(images)), logged.getvalue()]
    said += [repr(thing) for thing in gc.get_objects() if str(type(thing).__module__).startswith("webhook.")]
    for text in said:
        for mark in (WORD, QUERY, HEADER, BASIC, "-MARKED"):
            assert mark not in text
    assert "podgate.registry" in logging.root.manager.loggerDict


async def test_a_malformed_secret_is_named_and_not_shown(setting: Setting, registry: Registry):
    broken = PullSecret("default", "pull", "kubernetes.io/dockerconfigjson", f'{{"auths": "{WORD}"'.encode())
    with pytest.raises(BadCredentials) as caught:
        await setting.images().resolve(TAGGED, Access(secrets=(broken,)))
    for text in (str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)):
        assert WORD not in text
    assert "default/pull" in str(caught.value)
