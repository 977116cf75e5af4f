"""Which addresses a registry, a redirect or a token server may have.

Whoever may create a pod chooses the name that is looked up, and so what podgate connects to from inside the cluster.
Addresses that mean "this machine" or "this link" (metadata services live there) are refused unless settings allow them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# RFC 1122 3.2.1.3: "this host on this network". Linux takes 0.0.0.0 for itself.
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
# RFC 919 section 7: all hosts of this link.
_BROADCAST = IPv4Address("255.255.255.255")
# Metadata services, which hand out a machine's credentials, where clouds have put them at addresses that are none of
# this link by their form: Amazon EC2's over IPv6 and that of EKS Pod Identity, Google's, Oracle's, Scaleway's and
# Akamai's over IPv6, Alibaba's over both, Azure's wire server, the former one of Oracle's. No registry can be there.
_METADATA = frozenset(
    map(
        ip_address,
        (
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
            "fd00:100::100:200",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
        ),
    )
)
# RFC 4291 2.5.5.1 (IPv4-compatible, deprecated), RFC 2765 2.1 (IPv4-translated), RFC 6052 2.1 (NAT64): the IPv4 address
# comes last.
_LAST_32_BITS = (IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("64:ff9b::/96"))
# RFC 8215: prefixes of NAT64 that a network chooses for itself. Where the IPv4 address stands depends on how long its
# prefix is (RFC 6052 2.2), which cannot be seen: its octets by that length.
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_OCTETS = {48: (6, 7, 9, 10), 56: (7, 9, 10, 11), 64: (9, 10, 11, 12), 96: (12, 13, 14, 15)}
# RFC 5214 6.1 (ISATAP): the interface identifier is 0000:5efe or 0200:5efe, and then the IPv4 address.
_ISATAP = (0x00005EFE, 0x02005EFE)


def embedded(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses inside an IPv6 address: what a translator or a tunnel on the way would connect to."""
    if isinstance(address, IPv4Address) or address.is_loopback or address.is_unspecified:
        return  # ::1 and :: have the form of embedded ones and are none (RFC 4291 2.5.2, 2.5.3)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    bits = int(address)
    if any(address in network for network in _LAST_32_BITS) or (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(bits & 0xFFFFFFFF)
    if address in _LOCAL_NAT64:
        yield from _translated(address.packed)


def _translated(packed: bytes) -> list[IPv4Address]:
    """Every IPv4 address that a translator might read, but for those that begin with 0: there the prefix is another."""
    read = [IPv4Address(bytes(packed[octet] for octet in octets)) for octets in _OCTETS.values()]
    return [one for one in read if one not in _THIS_NETWORK] or [IPv4Address(0)]


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """`allowed` may be connected to although they are loopback, link-local, unspecified, multicast, broadcast or a
    metadata service's; `denied` may not be connected to although they are none of these. An address in both is denied.
    """

    allowed: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()

    def refusal(self, text: str, *, public_only: bool = False) -> str | None:
        """Why an address (as getaddrinfo writes it) may not be connected to, for the log; None where it may.

        `public_only`: the way led here from a public address, so a private one is refused too.
        """
        try:
            address = ip_address(text)
        except ValueError:
            return "not an address"
        if _within(address, self.denied):
            return "denied by settings"
        # A mapped address is the IPv4 address, nothing else; what else is embedded is where a translator would go.
        mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
        for face in embedded(address) if mapped else (address, *embedded(address)):
            why = self._refusal(face, public_only=public_only)
            if why is not None:
                return why if face == address else f"{why} inside IPv6"
        return None

    def _refusal(self, address: Address, *, public_only: bool) -> str | None:
        if _within(address, self.denied):
            return "denied by settings"
        if _within(address, self.allowed):
            return None
        kind = _kind(address)
        if kind is None and public_only and not public(address):
            return "private, and reached from a public address"
        return kind


def _kind(address: Address) -> str | None:
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_unspecified or address in _THIS_NETWORK:
        return "unspecified"
    if address.is_multicast:
        return "multicast"
    if address == _BROADCAST:
        return "broadcast"
    return "metadata service" if _bare(address) in _METADATA else None


def public(address: Address) -> bool:
    """Whether the Internet routes to an address. A translated one is what it is translated to."""
    return all(face.is_global for face in embedded(address)) if any(embedded(address)) else address.is_global


@lru_cache(maxsize=1024)  # asked for each answer
def is_public(text: str) -> bool:
    """`public` of an address as a socket names its peer. What is no address is not public."""
    try:
        return public(ip_address(text))
    except ValueError:
        return False


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    bare = _bare(address)
    return any(bare in network for network in networks)


def _bare(address: Address) -> Address:
    """An address without its scope: fe80::1 of fe80::1%eth0."""
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) else address
