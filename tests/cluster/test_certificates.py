"""Self-managed certificates in step: from nothing, through renewals, and with others at work."""

import asyncio

from aiohttp import web
from cryptography import x509

from tests.support.apiserver import api_server
from tests.support.resources import CONFIGURATIONS
from tests.support.selfmanaged import (
    DAY,
    SECRET,
    START,
    World,
    authorities,
    bundles,
    data,
    fill,
    install,
    leaf,
    replica,
    trust,
    verifies,
)
from webhook.cluster.authority import AUTHORITY_KEYS, BUNDLE


async def test_from_nothing_to_a_certificate_that_is_trusted(world: World) -> None:
    one = await world.add()
    await one.settle()
    world.check()
    assert len(one.served) == 1
    certificate = leaf(one)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [
        "podgate.podgate.svc",
        "podgate.podgate.svc.cluster.local",
        "podgate.podgate",
        "podgate",
    ]
    assert certificate.not_valid_before_utc.timestamp() == START - 3600
    assert certificate.not_valid_after_utc.timestamp() == START + 90 * DAY
    (authority,) = x509.load_pem_x509_certificates(data(world.server)[BUNDLE])
    assert authority.not_valid_after_utc.timestamp() == START + 730 * DAY
    assert data(world.server)[AUTHORITY_KEYS].count(b"BEGIN PRIVATE KEY") == 1
    # three writes, and then nothing but looks
    writes = [request for request in world.server.requests if request.startswith(("update secrets", "patch"))]
    assert [request.split()[0] for request in writes] == ["update", "patch", "update"]
    world.server.requests.clear()
    await world.pass_by(60)
    assert {request.split()[0] for request in world.server.requests} == {"get"}
    assert len(one.served) == 1


async def test_five_replicas_that_race_end_with_one_authority(world: World) -> None:
    five = [await world.add(skew) for skew in (-600, -1, 0, 1, 600)]
    for _ in range(20):
        await asyncio.gather(*(each.keeper.step() for each in five))
        world.time.now += 1
    world.check()
    assert authorities(world) == 1
    assert len({each.served[-1][0] for each in five}) == 1
    assert [len(each.served) for each in five] == [1] * 5


async def test_without_a_lease_the_race_ends_the_same_way(world: World) -> None:
    world.server.absent.add("leases")
    five = [await world.add() for _ in range(5)]
    for _ in range(10):
        await asyncio.gather(*(each.keeper.step() for each in five))
    world.check()
    assert authorities(world) == 1
    assert len({each.served[-1][0] for each in five}) == 1


async def test_a_lease_that_is_anothers_keeps_from_work_for_a_while_and_no_longer(world: World) -> None:
    lease = {**world.server.get("leases", SECRET)}
    world.server.put("leases", {**lease, "spec": {"holderIdentity": "gone"}})
    one = await world.add()
    for _ in range(3):
        await one.keeper.step()
        world.time.now += 5
    assert "data" not in world.server.get("secrets", SECRET)
    await one.settle()
    assert len(one.served) == 1
    assert world.server.get("leases", SECRET)["spec"]["holderIdentity"] == ""


async def test_a_serving_certificate_is_renewed_at_two_thirds_and_nobody_waits(world: World) -> None:
    one, two = await world.add(), await world.add()
    await world.settle()
    await world.settle()
    first = leaf(one)
    world.time.now = START + 60 * DAY - 1
    await world.settle()
    assert leaf(one) == first
    world.time.now += 1
    await world.settle()
    await world.settle()
    world.check()
    assert leaf(one) == leaf(two) != first
    assert leaf(one).not_valid_after_utc.timestamp() == world.time.now + 90 * DAY
    assert leaf(one).public_key() != first.public_key()
    assert authorities(world) == 1


async def test_an_authority_is_renewed_with_an_overlap_and_signs_after_30_seconds(world: World) -> None:
    one, two = await world.add(-600), await world.add(600)
    await world.settle()
    await world.settle()
    for day in range(0, 480, 30):
        world.time.now = START + day * DAY
        await world.settle()
        await world.settle()
        world.check()
    before = leaf(one)
    world.time.now = START + 730 * DAY * 2 / 3 - 100
    await world.settle()  # the clock of one replica is ahead: for it, the time has come
    await world.settle()
    world.check()
    assert authorities(world) == 2
    assert data(world.server)[AUTHORITY_KEYS].count(b"BEGIN") == 2
    before = leaf(one)
    await world.pass_by(29)
    assert leaf(one) == leaf(two) == before
    await world.pass_by(10)
    assert leaf(one) == leaf(two) != before
    newest, oldest = x509.load_pem_x509_certificates(data(world.server)[BUNDLE])
    leaf(one).verify_directly_issued_by(newest)
    before.verify_directly_issued_by(oldest)
    # the old key has gone, and the old authority stays until its end
    assert data(world.server)[AUTHORITY_KEYS].count(b"BEGIN") == 1
    # An hour after, by the clock that is ahead; the one that is behind had made it.
    world.time.now = START + 730 * DAY - 600 + 3600 - 600 - 1
    await world.settle()
    assert authorities(world) == 2
    world.time.now += 1
    await world.settle()
    await world.settle()
    assert authorities(world) == 1
    world.check()


async def test_a_thousand_days(world: World) -> None:
    """Two authorities, a dozen certificates, and never one that is not trusted."""
    await world.add()
    await world.add(30)
    await world.settle()
    for _ in range(100):
        world.time.now += 10 * DAY
        await world.pass_by(10)
    chains = {chain for each in world.replicas for chain, _ in each.served}
    assert 12 <= len(chains) <= 20


async def test_a_bundle_that_is_lost_or_changed_is_put_right_at_the_next_look(world: World) -> None:
    one = await world.add()
    await one.settle()
    (good,) = bundles(world.server)
    for spoiled in (b"", b"nonsense", good[:100]):
        trust(world.server, spoiled)
        await one.settle()
        assert bundles(world.server) == [good]
    world.check()
    assert len(one.served) == 1


async def test_a_bundle_that_comes_and_goes_has_not_been_seen_for_30_seconds(world: World) -> None:
    one = await world.add()
    await one.settle()
    world.time.now = START + 59 * DAY
    await one.settle()
    (old,) = bundles(world.server)
    fill(world.server, {})  # a new authority is wanted
    await one.settle()
    served = leaf(one)
    for _ in range(5):
        await world.pass_by(20)
        trust(world.server, old)
        await one.keeper.step()  # sees it gone, and puts it back
    assert leaf(one) == served
    await world.pass_by(41)
    assert leaf(one) != served


async def test_what_was_not_looked_at_in_between_has_not_been_seen(world: World) -> None:
    one = await world.add()
    await one.settle()
    fill(world.server, {})
    await one.settle()  # the new authority is in the bundle
    served = leaf(one)
    for _ in range(4):
        world.time.now += 40
        await one.settle()
    assert leaf(one) == served
    await world.pass_by(30)
    assert leaf(one) != served


async def test_a_change_between_look_and_patch_is_not_overwritten(world: World) -> None:
    one = await world.add()
    await one.settle()
    (good,) = bundles(world.server)
    trust(world.server, b"")

    async def meanwhile(request: web.Request) -> None:
        if request.method == "PATCH":
            world.server.turns = None
            trust(world.server, other)

    async with api_server() as elsewhere:
        install(elsewhere)
        another = await replica(elsewhere, world.time)
        await another.settle()
        await another.connection.close()
        (other,) = bundles(elsewhere)
    world.server.turns = meanwhile
    await one.settle()
    assert bundles(world.server) == [other]  # what came meanwhile is there, whole
    await one.settle()
    assert bundles(world.server) == [good + other]


async def test_a_change_between_look_and_write_of_the_secret_is_not_overwritten(world: World) -> None:
    one, two = await world.add(), await world.add()

    async def meanwhile(request: web.Request) -> None:
        if request.method == "PUT" and "secrets" in request.path:
            world.server.turns = None
            world.server.absent.add("leases")
            await two.settle()

    world.server.turns = meanwhile
    await one.settle()
    await one.settle()
    assert one.served == two.served
    assert authorities(world) == 1
    world.check()


async def test_nothing_else_of_the_configuration_is_touched(world: World) -> None:
    configuration = world.server.get(CONFIGURATIONS, "podgate")
    configuration["webhooks"][0]["rules"] = [{"operations": ["CREATE"]}]
    configuration["metadata"]["annotations"] = {"by": "somebody"}
    one = await world.add()
    await one.settle()
    changed = world.server.get(CONFIGURATIONS, "podgate")
    changed["webhooks"][0]["clientConfig"].pop("caBundle")
    configuration["webhooks"][0]["clientConfig"].pop("caBundle", None)
    changed["metadata"]["resourceVersion"] = configuration["metadata"]["resourceVersion"]
    assert changed == configuration


async def test_every_webhook_of_the_configuration_is_filled() -> None:
    async with api_server() as server:
        install(server, ("a.podgate.dev", "b.podgate.dev"))
        world = World(server)
        one = await world.add()
        await one.settle()
        world.check()
        _, second = bundles(server)
        trust(server, b"", second)
        await one.settle()
        assert bundles(server) == [second, second]
        await one.connection.close()


async def test_another_authority_goes_on_being_trusted_while_podgate_takes_over(world: World) -> None:
    """From certificates by hand or by cert-manager: pods that are still there serve those."""
    async with api_server() as other:
        install(other)
        before = await replica(other, world.time)
        await before.settle()
        theirs, (bundle,) = before.served[-1][0], bundles(other)
        await before.connection.close()
    trust(world.server, bundle)
    one = await world.add()
    await one.settle()
    assert one.served == []  # it is not ready yet
    for _ in range(6):
        world.time.now += 5
        await one.settle()
        assert verifies(theirs, bundles(world.server)[0], world.time.now)
    world.check()
    assert authorities(world) == 2
    # Who takes it away by hand has taken it away.
    trust(world.server, data(world.server)[BUNDLE])
    await world.pass_by(60)
    assert authorities(world) == 1
