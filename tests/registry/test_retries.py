"""What is tried again, how often, and how long it is waited for."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.registry.patience import retry_after
from webhook.registry.resolver import RegistryImages

TAGGED = reference("reg.example/team/app:1")
ANYBODY = access()
NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 5.6.7


async def failure(images: RegistryImages, deadline: float | None = None) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, access(deadline=deadline))
    return caught.value


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429),
        Fault(status=500),
        Fault(status=502),
        Fault(status=503),
        Fault(status=504),
        Fault(close=True),
        Fault(truncate=10),
        Fault(raw=b"what?\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_fault_is_tried_again_twice_at_most(
    registry: Registry, images: RegistryImages, setting: Setting, fault: Fault, times: int
):
    """Issue: `429, 500, 502, 503, 504, resets and time-outs retried at most twice`."""
    registry.push("team/app", build.multi("linux/amd64"), "1")
    fault.times = times
    registry.faults = [fault]
    if times == 3:
        assert (await failure(images)).code in ("unavailable", "rate-limited")
    else:
        assert (await images.resolve(TAGGED, ANYBODY)).root.body
    assert len(registry.log) == min(times + 1, 3)
    assert setting.pauses == [0.2, 0.4][: min(times, 2)]


@pytest.mark.parametrize("status", [401, 403, 404, 410, 418, 501, 505])
async def test_what_will_not_be_otherwise_soon_is_not_tried_again(
    registry: Registry, images: RegistryImages, setting: Setting, status: int
):
    registry.faults = [Fault(status=status)]
    await failure(images)
    assert (len(registry.log), setting.pauses) == (1, [])


async def test_a_time_out_is_tried_again_as_long_as_there_is_time(setting: Setting, registry: Registry):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.faults = [Fault(delay=30, times=1)]
    assert (await setting.images(request_timeout=0.2).resolve(TAGGED, ANYBODY)).root.body
    assert len(registry.log) == 2
    registry.faults = [Fault(delay=30)]
    assert (await failure(setting.images(request_timeout=0.2))).code == "timeout"
    assert len(registry.log) == 4  # two have cost twice the time of one


async def test_retry_after_is_waited_for_and_not_less(registry: Registry, images: RegistryImages, setting: Setting):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.faults = [Fault(status=429, headers=[("Retry-After", "3")], times=1)]
    await images.resolve(TAGGED, ANYBODY)
    assert setting.pauses == [3.2]
    assert len(registry.log) == 2


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("seconds", ["6", "37", "999999999"])
async def test_what_does_not_fit_is_not_waited_for(setting: Setting, registry: Registry, status: int, seconds: str):
    """Issue: `Retry-After in both forms, capped by the deadline`; without an API server's it is requestTimeout."""
    registry.faults = [Fault(status=status, headers=[("Retry-After", seconds)])]
    error = await failure(setting.images(request_timeout=5.0))
    assert error.code == ("rate-limited" if status == 429 else "unavailable")
    assert (len(registry.log), setting.pauses) == (1, [])


async def test_waits_add_up(setting: Setting, registry: Registry):
    registry.faults = [Fault(status=429, headers=[("Retry-After", "3")])]
    assert (await failure(setting.images(request_timeout=5.0))).code == "rate-limited"
    assert (len(registry.log), setting.pauses) == (2, [3.2])


async def test_an_asker_whose_deadline_comes_first_is_told_at_once(registry: Registry, setting: Setting):
    """And the others, who have time, get their answer from the same requests."""
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.faults = [Fault(status=429, headers=[("Retry-After", "3")], times=1)]
    images = setting.images()
    over = asyncio.Event()
    setting.until(over)
    patient = asyncio.create_task(images.resolve(TAGGED, ANYBODY))
    error = await failure(images, deadline=asyncio.get_running_loop().time() + 2.5)
    assert error.code == "rate-limited"
    over.set()
    assert (await patient).root.body
    assert len(registry.log) == 2


async def test_the_first_askers_deadline_is_not_that_of_the_request(registry: Registry, setting: Setting):
    """Design, 6: `A shared request runs under its own deadline, not its first asker's.`"""
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.faults = [Fault(status=503, times=2), Fault(delay=0.2)]
    images = setting.images()
    hurried = asyncio.create_task(failure(images, deadline=asyncio.get_running_loop().time() + 0.1))
    await asyncio.sleep(0)
    assert (await images.resolve(TAGGED, ANYBODY)).root.body
    assert (await hurried).code in ("timeout", "unavailable")
    assert len(registry.log) == 3


async def test_while_a_registry_wants_to_be_left_alone_it_is(registry: Registry, setting: Setting):
    """`not a negative-cache entry for long`: as long as Retry-After says, and never longer than negativeTTL."""
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.faults = [Fault(status=429, headers=[("Retry-After", "37")], times=1)]
    images = setting.images(negative_ttl=10.0)
    for _ in range(2):
        assert (await failure(images)).code == "rate-limited"
    assert len(registry.log) == 1
    setting.clock.now += 10
    assert (await images.resolve(TAGGED, ANYBODY)).root.body


async def test_too_many_requests_are_no_matter_of_credentials(registry: Registry, images: RegistryImages):
    registry.auth = Auth("basic", {"ann": "word", "bob": "word"})
    registry.faults = [Fault(authorized=True, status=429, headers=[("Retry-After", "37")])]
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, access("ann:word", "bob:word"))
    assert caught.value.code == "rate-limited"
    assert len(registry.asked()) == 2  # the challenge, and ann


async def test_a_token_server_is_asked_again_too(registry: Registry, images: RegistryImages):
    registry.auth = Auth(public={"team/app"})
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.faults = [Fault("/token", status=503, times=1)]
    assert (await images.resolve(TAGGED, ANYBODY)).root.body
    assert len(registry.asked("/token")) == 2


async def test_another_endpoint_comes_before_a_retry(setting: Setting):
    with Registry() as mirror, Registry() as upstream:
        mirror.faults = [Fault(status=503)]
        upstream.push("team/app", build.multi("linux/amd64"), "1")
        setting.serve("reg.example", mirror, upstream)
        await setting.images().resolve(TAGGED, ANYBODY)
        assert (len(mirror.log), len(upstream.log), setting.pauses) == (1, 1, [])


async def test_only_endpoints_that_may_do_better_are_asked_again(setting: Setting):
    with Registry() as mirror, Registry() as upstream:
        mirror.faults = [Fault(status=503)]
        upstream.faults = [Fault(status=429, headers=[("Retry-After", "37")])]
        setting.serve("reg.example", mirror, upstream)
        await failure(setting.images())
        assert (len(mirror.log), len(upstream.log)) == (3, 1)


async def test_a_name_that_does_not_exist_is_not_tried_again(setting: Setting):
    setting.serve("reg.example", text='server = "https://reg.invalid:1"\n')
    assert (await failure(setting.images())).code == "unavailable"
    assert setting.pauses == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 06 Nov 1994 08:49:40 GMT", 3.0),
        ("Sunday, 06-Nov-94 08:49:40 GMT", 3.0),
        ("Sun Nov  6 08:49:40 1994", 3.0),
        ("Sun, 06 Nov 1994 08:49:30 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 40, None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
    ],
)
def test_both_forms_of_retry_after(text: str, seconds: float | None):
    assert retry_after(text, NOW) == seconds


@given(st.text(max_size=60))
def test_any_header_is_a_number_of_seconds_or_nothing(text: str):
    found = retry_after(text, NOW)
    assert found is None or found >= 0


@given(st.integers(0, 4_000_000_000))
def test_every_http_date_is_read(seconds: int):
    """RFC 9110 5.6.7: IMF-fixdate."""
    stamp = datetime.fromtimestamp(seconds, UTC)
    assert retry_after(stamp.strftime("%a, %d %b %Y %H:%M:%S GMT"), 0.0) == stamp.timestamp()
