"""Which addresses may be connected to: the table, and the same through the client."""

from ipaddress import ip_network

import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.registry.addresses import AddressPolicy, is_public

TAGGED = reference("reg.example/team/app:1")


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::127.0.0.1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b:1::7f00:1", "loopback"),
        ("64:ff9b:1:7f00:0:100::", "loopback"),
        ("64:ff9b:1:7f00:0:100:808:808", "loopback"),
        ("64:ff9b:1:a9:fe:a9fe::", "link-local"),
        ("64:ff9b:1:0:7f:0:100:0", "loopback"),
        ("64:ff9b:1:2:3::7f00:1", "loopback"),
        ("64:ff9b:1::", "unspecified"),
        ("::ffff:0:7f00:1", "loopback"),
        ("2001:db8::5efe:127.0.0.1", "loopback"),
        ("2001:0:7f00:1::", "loopback"),
        ("169.254.169.254", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%1", "link-local"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("::ffff:0.0.0.0", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("fd00:ec2::254", "metadata service"),
        ("fd00:ec2::254%1", "metadata service"),
        ("64:ff9b::6464:64c8", "metadata service"),
        ("fd00:c1::a9fe:a9fe", "metadata service"),
        ("fd00:42::42", "metadata service"),
        ("fd00:a9fe:a9fe::1", "metadata service"),
        ("fd00:100::100:200", "metadata service"),
        ("100.100.100.200", "metadata service"),
        ("168.63.129.16", "metadata service"),
        ("reg.example", "not an address"),
        ("", "not an address"),
    ],
)
def test_what_means_this_machine_or_link_is_refused(address: str, kind: str):
    why = AddressPolicy().refusal(address)
    assert why is not None
    assert why.startswith(kind)


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "192.168.1.1", "172.16.0.1", "fd00::1", "fec0::1", "8.8.8.8", "2606:4700::1", "fd00:ec2::253"),
        *("64:ff9b:1::808:808", "64:ff9b:1::a01:203", "64:ff9b:1:808:8:800::", "64:ff9b:1:0:a:102:300:0"),
    ],
)
def test_other_addresses_are_not_refused_private_ones_neither(address: str):
    assert AddressPolicy().refusal(address) is None


def test_settings_allow_and_deny_and_denying_wins():
    policy = AddressPolicy(
        allowed=(ip_network("127.0.0.0/8"),), denied=(ip_network("127.0.0.9/32"), ip_network("10.0.0.0/8"))
    )
    assert policy.refusal("127.0.0.1") is None
    assert policy.refusal("::ffff:127.0.0.1") is None
    assert policy.refusal("::1") == "loopback"
    assert policy.refusal("127.0.0.9") == "denied by settings"
    assert policy.refusal("10.1.1.1") == "denied by settings"
    assert policy.refusal("::ffff:10.1.1.1") == "denied by settings inside IPv6"


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "64:ff9b::a00:1", "::ffff:10.0.0.1", "64:ff9b:1:a00:0:100::"],
)
def test_from_a_public_address_no_way_leads_to_a_private_one(address: str):
    assert AddressPolicy().refusal(address, public_only=True)
    allowed = AddressPolicy(allowed=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert allowed.refusal(address, public_only=True) is None
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1", "64:ff9b::808:808", "64:ff9b:1::808:808", "::ffff:8.8.8.8"]
)
def test_from_a_public_address_to_a_public_one(address: str):
    assert AddressPolicy().refusal(address, public_only=True) is None
    assert is_public(address)


async def blocked(setting: Setting, host: str, **options: object) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        await setting.images(**options).resolve(reference(f"{host}/team/app:1"), access())
    return caught.value


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "127.1", "2130706433", "0x7f.1"],
)
async def test_a_server_on_this_machine_is_not_asked(setting: Setting, host: str):
    """By whatever name: what counts is the address that would be connected to."""
    with Registry() as served:
        setting.serve("reg.example", text=f'server = "http://{host}:{served.address.rpartition(":")[2]}"\n')
        error = await blocked(setting, "reg.example", addresses=AddressPolicy())
        assert error.code == "blocked-address"
        assert served.log == []


async def test_a_denied_address_is_not_asked(setting: Setting, registry: Registry):
    networks = (ip_network("127.0.0.0/8"),)
    error = await blocked(setting, "reg.example", addresses=AddressPolicy(allowed=networks, denied=networks))
    assert error.code == "blocked-address"
    assert registry.log == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "224.0.0.1", "[fd00::1]"])
async def test_the_address_is_told_to_the_log_alone(setting: Setting, host: str):
    denied = (ip_network("fd00::/8"),)
    error = await blocked(setting, host, addresses=AddressPolicy(denied=denied), request_timeout=2.0)
    assert error.code == "blocked-address"
    assert host.strip("[]") in error.detail


async def test_a_redirect_to_a_refused_address_is_not_followed(setting: Setting, registry: Registry):
    with Registry(host="127.0.0.3") as inside:
        registry.faults = [Fault(redirect=f"{inside.url}/latest/meta-data")]
        policy = AddressPolicy(allowed=(ip_network("127.0.0.1/32"),))
        assert (await blocked(setting, "reg.example", addresses=policy)).code == "blocked-address"
        assert inside.log == []


async def test_a_realm_at_a_refused_address_is_not_asked(setting: Setting, registry: Registry):
    with Registry(host="127.0.0.3") as inside:
        registry.auth = Auth(realm=f"{inside.url}/token")
        policy = AddressPolicy(allowed=(ip_network("127.0.0.1/32"),))
        assert (await blocked(setting, "reg.example", addresses=policy)).code == "blocked-address"
        assert inside.log == []


async def test_only_allowed_hosts_are_asked(setting: Setting, registry: Registry):
    error = await blocked(setting, "reg.example", allowed_hosts=("*.other.example",))
    assert error.code == "blocked-host"
    assert registry.log == []
    registry.push("team/app", build.single("linux/amd64"), "1")
    images = setting.images(allowed_hosts=("*.other.example", "REG.example"))
    assert (await images.resolve(TAGGED, access())).root.body


async def test_allowed_hosts_count_for_redirects_and_realms(setting: Setting, registry: Registry):
    with Registry(host="127.0.0.3") as elsewhere:
        registry.faults = [Fault(redirect=f"{elsewhere.url}/x")]
        assert (await blocked(setting, "reg.example", allowed_hosts=("reg.example",))).code == "blocked-host"
        registry.faults = []
        registry.auth = Auth(realm=f"{elsewhere.url}/token")
        assert (await blocked(setting, "reg.example", allowed_hosts=("reg.example",))).code == "blocked-host"
        assert elsewhere.log == []
        error = await blocked(setting, "reg.example", allowed_hosts=("reg.example", "127.0.0.*"))
        assert error.code == "unauthorized"
        assert elsewhere.asked("/token")


@pytest.mark.parametrize("named", ["127.0.0.1", "localhost", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("asked", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "0x7f000001"])
async def test_the_api_server_is_not_asked_whatever_is_allowed(
    setting: Setting, registry: Registry, named: str, asked: str
):
    """Design, 6: `refused ... the API server's own address`: that address with its port, by whatever name."""
    port = int(registry.address.rpartition(":")[2])
    setting.serve("reg.example", text=f'server = "http://{asked}:{port}"\n')
    error = await blocked(setting, "reg.example", reserved=((named, port),))
    assert error.code == "blocked-address"
    assert registry.log == []


async def test_another_port_of_the_api_servers_address_is_another_server(setting: Setting, registry: Registry):
    registry.push("team/app", build.single("linux/amd64"), "1")
    images = setting.images(reserved=(("127.0.0.1", 6443), ("api.invalid", int(registry.address.rpartition(":")[2]))))
    assert (await images.resolve(TAGGED, access())).root.body


async def test_a_redirect_or_realm_to_the_api_server_is_not_followed(setting: Setting, registry: Registry):
    with Registry() as api:
        reserved = (("127.0.0.1", int(api.address.rpartition(":")[2])),)
        registry.faults = [Fault(redirect=f"{api.url}/api/v1/secrets")]
        assert (await blocked(setting, "reg.example", reserved=reserved)).code == "blocked-address"
        registry.faults = []
        registry.auth = Auth(realm=f"{api.url}/token")
        assert (await blocked(setting, "reg.example", reserved=reserved)).code == "blocked-address"
        assert api.log == []


async def test_a_name_that_means_something_else_at_the_second_look_changes_nothing(
    setting: Setting, registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    """DNS rebinding: what is connected to is the address that was checked, so there is no second look."""
    port = int(registry.address.rpartition(":")[2])
    answers = iter([["127.0.0.9"], ["127.0.0.1"]])
    monkeypatch.setattr("webhook.registry.names._resolved", lambda *_: next(answers))
    setting.serve("reg.example", text=f'server = "http://rebound.example:{port}"\n')
    policy = AddressPolicy(allowed=(ip_network("127.0.0.9/32"),))
    error = await blocked(setting, "reg.example", addresses=policy)
    assert error.code in ("unavailable", "blocked-address")
    assert registry.log == []
