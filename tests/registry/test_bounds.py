"""What a registry makes podgate remember is bounded: whoever may create pods may run one."""

from tests.registry.conftest import access, reference
from tests.support import images as build
from tests.support.registry import Auth, Registry
from webhook.core.challenge import TokenRequest
from webhook.registry.options import Hooks
from webhook.registry.resolver import RegistryImages
from webhook.registry.tokens import Grant, TokenKey, Tokens

MEGABYTE = 1_000_000


async def given(tokens: Tokens, number: int, length: int, *, lifetime: float = 300.0) -> bool:
    """Asks for a token that a server gives at that length; whether the server was asked."""
    asked = []

    async def fetch() -> Grant:
        asked.append(number)
        return Grant("t" * length, lifetime)

    request = TokenRequest("https://auth.example/token", scopes=(f"repository:team/app-{number}:pull",))
    await tokens.get(TokenKey("https://reg.example", request, "anonymous"), fetch)
    return bool(asked)


async def test_long_tokens_take_the_room_of_each_other():
    tokens = Tokens(Hooks())
    for number in range(20):
        assert await given(tokens, number, MEGABYTE)
    asked = [await given(tokens, number, MEGABYTE) for number in reversed(range(20))]
    assert 4 <= asked.index(True) <= 8
    await tokens.aclose()


async def test_a_token_that_is_replaced_gives_its_room_back():
    tokens = Tokens(Hooks(clock=iter(range(0, 10**6, 1000)).__next__))
    for _ in range(20):
        assert await given(tokens, 1, MEGABYTE, lifetime=10.0)  # its time is up when it is wanted again
    await tokens.aclose()
    assert tokens._size < 2 * MEGABYTE


async def test_a_long_challenge_is_answered_and_not_remembered(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    line = f'Bearer realm="{registry.url}/token",service="registry",more="{"x" * 50_000}"'
    registry.auth = Auth(users={"ann": "ann-word"}, challenge=[line])
    tagged, ann = reference("reg.example/team/app:1"), access("ann:ann-word")
    root = (await images.resolve(tagged, ann)).root
    await images.fetch(tagged, root.manifest.config.digest, "config", ann)
    assert [bool(asked.authorization) for asked in registry.asked("/v2/*")] == [False, True, False, True]
    assert len(registry.asked("/token")) == 1
