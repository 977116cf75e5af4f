"""Names of images by which podgate would connect to what it should not: nothing is connected to.

Behind every address of these tests a server waits (conftest.py), and every connection is written down. What is no
reference at all is denied, since no kubelet pulls it; everything else is let through, with a warning.
"""

import pytest

from tests.attacks.conftest import API_SERVER, PRIVATE, PUBLIC, Gate, verdict
from tests.support.internet import Internet

LITERAL = {
    "localhost": "localhost",
    "localhost-in-capitals": "LOCALHOST",
    "localhost-with-a-port": "localhost:5000",
    "loopback": "127.0.0.1",
    "loopback-end-of-the-range": "127.255.255.254:5000",
    "loopback-in-two-parts": "127.1",
    "loopback-in-three-parts": "127.0.1",
    "loopback-as-one-number": "2130706433:80",
    "loopback-octal": "0177.0.0.1",
    "loopback-octal-short": "0177.1",
    "loopback-octal-one-number": "017700000001:80",
    "loopback-hexadecimal": "0x7f.0.0.1",
    "loopback-hexadecimal-short": "0x7f.1",
    "loopback-hexadecimal-one-number": "0x7f000001:80",
    "loopback-of-ipv6": "[::1]",
    "loopback-of-ipv6-in-full": "[0:0:0:0:0:0:0:1]:5000",
    "loopback-mapped": "[::ffff:7f00:1]",
    "loopback-compatible": "[::7f00:1]",
    "loopback-nat64": "[64:ff9b::7f00:1]",
    "loopback-nat64-local": "[64:ff9b:1::7f00:1]",
    "loopback-nat64-local-in-the-middle": "[64:ff9b:1:7f00:0:100:808:808]",
    "loopback-translated": "[::ffff:0:7f00:1]",
    "loopback-6to4": "[2002:7f00:1::]",
    "loopback-teredo-server": "[2001:0:7f00:1::]",
    "loopback-teredo-client": "[2001:0:808:808:0:0:80ff:fffe]",
    "loopback-isatap": "[2001:db8::5efe:7f00:1]",
    "this-network": "0.0.0.0",
    "this-network-short": "0:80",
    "this-network-any": "0.1.2.3",
    "unspecified-of-ipv6": "[::]",
    "metadata": "169.254.169.254",
    "metadata-as-one-number": "2852039166:80",
    "metadata-hexadecimal": "0xa9fea9fe:80",
    "metadata-mapped": "[::ffff:a9fe:a9fe]",
    "metadata-nat64": "[64:ff9b::a9fe:a9fe]",
    "metadata-of-tasks": "169.254.170.2",
    "metadata-of-pods": "169.254.170.23",
    "metadata-aws-ipv6": "[fd00:ec2::254]",
    "metadata-aws-pods-ipv6": "[fd00:ec2::23]",
    "metadata-google-ipv6": "[fd20:ce::254]",
    "metadata-oracle-ipv6": "[fd00:c1::a9fe:a9fe]",
    "metadata-scaleway-ipv6": "[fd00:42::42]",
    "metadata-akamai-ipv6": "[fd00:a9fe:a9fe::1]",
    "metadata-alibaba": "100.100.100.200",
    "metadata-alibaba-ipv6": "[fd00:100::100:200]",
    "metadata-azure-wireserver": "168.63.129.16",
    "metadata-oracle-old": "192.0.0.192",
    "link-local-of-ipv6": "[fe80::1]",
    "multicast": "224.0.0.1",
    "multicast-of-ipv6": "[ff02::1]",
    "broadcast": "255.255.255.255",
    "api-server": API_SERVER,
    "api-server-with-its-port": f"{API_SERVER}:443",
    "api-server-mapped": "[::ffff:a60:1]:443",
    "api-server-as-one-number": "174063617:443",
    "no-such-port": f"{PRIVATE}:99999",
    "port-nought": f"{PRIVATE}:0",
}
"""Hosts of references that kubelets take."""

NAMED = {
    "name-of-loopback": ("inward.example", ["127.0.0.1"]),
    "name-of-loopback-ipv6": ("inward.example", ["::1"]),
    "name-of-loopback-mapped": ("inward.example", ["::ffff:127.0.0.1"]),
    "name-with-the-address-in-it": ("127.0.0.1.nip.example", ["127.0.0.1"]),
    "name-below-localhost": ("reg.localhost", ["127.0.0.1"]),
    "name-of-this-machine": ("my-host.example", ["0.0.0.0"]),
    "name-of-metadata": ("metadata.google.internal", ["169.254.169.254"]),
    "name-of-metadata-ipv6": ("instance-data.example", ["fd00:ec2::254"]),
    "name-of-link-local-with-a-zone": ("zoned.example", ["fe80::1%1"]),
    "name-in-punycode": ("xn--vil-9la.example", ["169.254.169.254"]),
    "name-of-the-api-server": ("kubernetes.default.svc", [API_SERVER]),
    "name-of-the-api-server-in-full": ("kubernetes.default.svc.cluster.local", [API_SERVER]),
    "name-that-leads-to-the-api-server": ("inward.example", [API_SERVER]),
    "name-of-several-bad-ones": ("inward.example", ["127.0.0.1", "::1", "169.254.169.254", "0.0.0.0"]),
    "name-without-an-address": ("empty.example", []),
    "name-that-does-not-exist": ("nowhere.example", None),
}
"""Hosts that a resolver knows, and what it says of them; None: that there is none."""

NO_REFERENCES = {
    "trailing-dot": "localhost./team/app:1",
    "trailing-dot-of-an-address": "127.0.0.1./team/app:1",
    "address-mapped-with-dots": "[::ffff:127.0.0.1]/team/app:1",
    "zone": "[fe80::1%25lo]/team/app:1",
    "zone-bare": "[fe80::1%lo]/team/app:1",
    "fullwidth-dots": "127。0。0。1/team/app:1",
    "fullwidth-digits": "１２７.0.0.1/team/app:1",  # noqa: RUF001 -- the same
    "other-alphabet": "lоcalhost/team/app:1",  # noqa: RUF001 -- the same
    "user-information": "reg.example@127.0.0.1/team/app:1",
    "user-information-of-metadata": "reg.example@169.254.169.254/team/app:1",
    "user-and-password": "ann:word@127.0.0.1/team/app:1",
    "percent-encoded-digits": "%31%32%37.0.0.1/team/app:1",
    "percent-encoded-dots": "127%2e0%2e0%2e1/team/app:1",
    "enclosed-digits": "①②⑦.0.0.1/team/app:1",
    "soft-hyphen": "127.0.0.1\u00ad/team/app:1",
    "port-that-is-a-name": "127.0.0.1:http/team/app:1",
    "port-that-is-empty": "127.0.0.1:/team/app:1",
    "nul": "reg.example\0.127.0.0.1/team/app:1",
    "fragment": "127.0.0.1#reg.example/team/app:1",
    "query": "127.0.0.1?reg.example/team/app:1",
    "backslash": "127.0.0.1\\reg.example/team/app:1",
    "scheme": "http://127.0.0.1/team/app:1",
    "scheme-of-files": "file:///etc/passwd",
    "way-up": "reg.example/../../127.0.0.1/team/app:1",
    "way-up-escaped": "reg.example/%2e%2e/team/app:1",
    "line-break": "reg.example/team/app:1\r\nHost: 127.0.0.1",
    "blank": "reg.example /team/app:1",
    "two-ports": "reg.example:80:80/team/app:1",
    "negative-port": "127.0.0.1:-1/team/app:1",
    "empty-domain": "/127.0.0.1/team/app:1",
}


@pytest.mark.parametrize("host", LITERAL.values(), ids=LITERAL)
async def test_an_address_that_is_no_registrys(gate: Gate, internet: Internet, host: str):
    assert verdict(await gate.review(f"{host}/team/app:1")) == "warn undetermined"
    assert internet.connected == []


@pytest.mark.parametrize(("host", "addresses"), NAMED.values(), ids=NAMED)
async def test_a_name_that_leads_there(gate: Gate, internet: Internet, host: str, addresses: list[str] | None):
    if addresses is not None:
        internet.names[host] = [addresses]
    assert verdict(await gate.review(f"{host}/team/app:1")) == "warn undetermined"
    assert host in internet.asked
    assert internet.connected == []


@pytest.mark.parametrize("image", NO_REFERENCES.values(), ids=NO_REFERENCES)
async def test_what_is_no_reference_is_nobodys_name(gate: Gate, internet: Internet, image: str):
    assert verdict(await gate.review(image)) == "deny mismatch"
    assert (internet.connected, internet.asked) == ([], [])


async def test_of_a_good_and_a_bad_address_only_the_good_one(gate: Gate, internet: Internet, public: object):
    internet.names["public.example"] = [["127.0.0.1", "169.254.169.254", PUBLIC, "::1"]]
    assert verdict(await gate.review("public.example/team/app:1")) == "deny mismatch"
    assert {address for address, _ in internet.connected} == {PUBLIC}


@pytest.mark.parametrize("second", ["127.0.0.1", "169.254.169.254", API_SERVER])
async def test_a_name_that_means_something_else_a_moment_later(
    gate: Gate, internet: Internet, public: object, second: str
):
    """DNS rebinding: whatever the second look says is looked at again before it is connected to."""
    internet.names["public.example"] = [[PUBLIC], [second]]
    gate.settings = {"cache": {"tagTTL": "0s"}}
    assert verdict(await gate.review("public.example/team/app:1")) == "deny mismatch"
    for _ in range(3):
        await gate.review("public.example/team/other:1")
    assert internet.reached(second) == []


async def test_podgates_own_ports_on_its_own_address(gate: Gate, internet: Internet):
    """A pod's own address is a private one like any other; here another address of this machine stands for it."""
    registries = {"allowedAddresses": ["127.0.0.0/8"]}
    gate.settings = {"server": {"port": 8443, "metricsPort": 9090}, "registries": registries}
    internet.names["podgate.example"] = [["127.0.0.5"]]
    for host in ("127.0.0.5:8443", "127.0.0.5:9090", "podgate.example:8443", "2130706437:9090"):
        assert verdict(await gate.review(f"{host}/team/app:1")) == "warn undetermined"
    assert internet.connected == []
    await gate.review("127.0.0.5:8444/team/app:1")
    assert internet.connected


BY_DESIGN = {
    "private-address": f"{PRIVATE}:5000",
    "private-address-nat64": "[64:ff9b::a01:203]:5000",
    "unique-local-address": "[fd12::1]:5000",
    "shared-address": "100.64.0.1:5000",
    "site-local-address": "[fec0::1]:5000",
    "another-port-of-the-api-server": f"{API_SERVER}:5000",
}


@pytest.mark.parametrize("host", BY_DESIGN.values(), ids=BY_DESIGN)
async def test_other_addresses_are_registries_places(gate: Gate, internet: Internet, host: str):
    """What is allowed by design; and that these tests would see a connection."""
    await gate.review(f"{host}/team/app:1")
    assert internet.connected


@pytest.mark.parametrize("host", BY_DESIGN.values(), ids=BY_DESIGN)
async def test_settings_take_them_away(gate: Gate, internet: Internet, host: str):
    denied = ["10.0.0.0/8", "fd00::/8", "fec0::/10", "100.64.0.0/10"]
    gate.settings = {"registries": {"deniedAddresses": denied}}
    assert verdict(await gate.review(f"{host}/team/app:1")) == "warn undetermined"
    assert internet.connected == []


async def test_a_warning_is_no_port_scanner(gate: Gate, internet: Internet):
    """Refused by podgate, by the other side, or by TLS: what is told differs in nothing but the code."""
    hosts = ("127.0.0.1:22", "127.0.0.1:5000", "169.254.169.254:80", "[::1]:6443")
    told = set()
    for host in hosts:
        warnings = (await gate.review(f"{host}/team/app:1"))["warnings"]
        told.add(" ".join(warnings).replace(host, "HOST"))
    assert len(told) == 1
    assert internet.connected == []
