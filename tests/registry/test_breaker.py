"""A host that does not answer is left alone for a while."""

import asyncio

import pytest

from tests.registry.conftest import Clock, Setting, access, reference
from tests.support import images as build
from tests.support.registry import Fault, Registry
from webhook.core.errors import RegistryError
from webhook.registry.breaker import Attempt, Breakers
from webhook.registry.options import Hooks
from webhook.registry.resolver import RegistryImages

ANYBODY = access()
HOST = "https://reg.example"


async def failure(images: RegistryImages, tag: str) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(reference(f"reg.example/team/app:{tag}"), ANYBODY)
    return caught.value


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(close=True), Fault(raw=b"what?\r\n\r\n")])
async def test_after_faults_in_a_row_nothing_is_asked(
    registry: Registry, images: RegistryImages, setting: Setting, fault: Fault
):
    registry.faults = [fault]
    for number in range(10):
        assert (await failure(images, str(number))).code == "unavailable"
    assert len(registry.log) == 5
    assert setting.states[0] == (registry.address, "open")


async def test_one_probe_finds_out_and_closes_it(registry: Registry, images: RegistryImages, setting: Setting):
    registry.push("team/app", build.multi("linux/amd64"), "1", "2", "3")
    registry.faults = [Fault(status=503, times=5)]
    await failure(images, "1")
    await failure(images, "2")
    registry.faults = [Fault(delay=0.2)]
    asked = len(registry.log)
    setting.clock.now += 5
    results = await asyncio.gather(
        *(images.resolve(reference(f"reg.example/team/app:{tag}"), ANYBODY) for tag in "123"), return_exceptions=True
    )
    assert len(registry.log) == asked + 1
    assert sum(isinstance(result, RegistryError) for result in results) == 2
    assert [state for _, state in setting.states] == ["open", "half-open", "closed"]
    for tag in "123":
        await images.resolve(reference(f"reg.example/team/app:{tag}"), ANYBODY)


@pytest.mark.parametrize("fault", [Fault(status=404), Fault(status=401), Fault(status=429), Fault(body=b"x")])
async def test_a_refusal_is_an_answer(registry: Registry, images: RegistryImages, setting: Setting, fault: Fault):
    registry.faults = [fault]
    for number in range(8):
        with pytest.raises(RegistryError):
            await images.resolve(reference(f"reg.example/team/app@sha256:{number:064x}"), ANYBODY)
    assert setting.states == []


async def test_another_host_is_not_affected(registry: Registry, images: RegistryImages, setting: Setting):
    registry.faults = [Fault(close=True)]
    for number in range(5):
        await failure(images, str(number))
    with Registry() as other:
        other.push("team/app", build.multi("linux/amd64"), "1")
        setting.serve("other.example", other)
        setting.clock.now += 10
        assert (await images.resolve(reference("other.example/team/app:1"), ANYBODY)).root.body


async def test_where_a_redirect_leads_is_another_host(registry: Registry, images: RegistryImages, setting: Setting):
    """A blob store that is down is no fault of the registry."""
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.faults = [Fault("*sha256*", redirect="http://127.0.0.1:1/x")]
    for number in range(6):
        with pytest.raises(RegistryError):
            await images.fetch(reference("reg.example/team/app:1"), f"sha256:{number:064x}", "config", ANYBODY)
    assert {host for host, _ in setting.states} == {"127.0.0.1:1"}
    assert (await images.resolve(reference("reg.example/team/app:1"), ANYBODY)).root.body


class Told:
    """Breakers under test, and what they tell."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.states: list[str] = []
        hooks = Hooks(clock=self.clock, on_breaker=lambda _, state: self.states.append(state))
        self.breakers = Breakers(hooks)

    def ask(self, *, answers: bool, host: str = HOST) -> bool:
        """Whether a request got through."""
        sent = False
        try:
            with self.breakers.attempt(host) as attempt:
                sent = True
                attempt.status = 200 if answers else 503
        except RegistryError:
            return sent
        return sent


def test_each_probe_that_fails_makes_it_longer_up_to_a_minute():
    told = Told()
    for _ in range(5):
        assert told.ask(answers=False)
    waited = []
    for _ in range(6):
        seconds = 0
        while not told.ask(answers=False):
            told.clock.now += 1
            seconds += 1
        waited.append(seconds)
    assert waited == [5, 10, 20, 40, 60, 60]
    told.clock.now += 60
    assert told.ask(answers=True)
    assert told.ask(answers=True)
    assert told.states[-2:] == ["half-open", "closed"]


def test_only_faults_in_a_row_count():
    told = Told()
    for _ in range(20):
        assert all(told.ask(answers=False) for _ in range(4))
        assert told.ask(answers=True)
    assert told.states == []


def test_a_probe_that_is_cancelled_says_nothing_and_lets_another_try():
    told = Told()
    for _ in range(5):
        told.ask(answers=False)
    told.clock.now += 5

    def probe() -> None:
        with told.breakers.attempt(HOST):
            assert not told.ask(answers=True)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        probe()
    assert told.ask(answers=True)


def test_what_comes_late_to_an_open_circuit_does_not_make_it_longer():
    told = Told()
    with told.breakers.attempt(HOST) as late:
        for _ in range(5):
            told.ask(answers=False)
        told.clock.now += 4
        late.status = 503
    told.clock.now += 1
    assert told.ask(answers=True)


def test_there_is_no_end_of_hosts_but_of_memory():
    told = Told()
    for number in range(5000):
        told.ask(answers=False, host=f"https://reg-{number}.example")
        told.ask(answers=True, host=f"https://good-{number}.example")
    assert len(told.breakers._circuits) == 1024
    assert Attempt().status is None
