"""Which proxy a URL is asked through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY as Go reads them.

A node pulls through the proxy that Go's http.ProxyFromEnvironment gives containerd, so podgate must come to the same.
Python's own rules (urllib, httpx) differ: in CIDRs, leading dots, ports, loopback, and which spelling of a variable
wins. Source: golang.org/x/net/http/httpproxy, without its refusal of HTTP_PROXY in a CGI program, which podgate is not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from webhook.core.gotext import to_lower, trim_space
from webhook.core.gourl import Url, parse_url, split_host_port

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PORTS: Final = {"http": "80", "https": "443", "socks5": "1080"}
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class _NotThere:
    """An entry of NO_PROXY: addresses or a domain, and the port where it names one. `within`: the host itself does not
    count, only what is below it (`.example.com`)."""

    network: Network | None = None
    domain: str = ""
    within: bool = False
    port: str = ""

    def matches(self, host: str, address: Address | None, port: str) -> bool:
        if self.port not in ("", port):
            return False
        if self.network is not None:
            return address is not None and address.version == self.network.version and address in self.network
        return address is None and (host.endswith(self.domain) or (not self.within and host == self.domain[1:]))


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """`http` and `https` are the proxies for URLs of that scheme, None: none. They may hold a password: secrets."""

    http: Url | None = field(default=None, repr=False)
    https: Url | None = field(default=None, repr=False)
    nowhere: bool = False
    exceptions: tuple[_NotThere, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ProxyRules":
        """The rules of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or of their spellings in lower case. A proxy that cannot
        be read counts as none, as in Go."""

        def value(name: str) -> str:
            return environment.get(name) or environment.get(name.lower()) or ""

        entries = [to_lower(trim_space(text)) for text in value("NO_PROXY").split(",")]
        return cls(
            http=_proxy(value("HTTP_PROXY")),
            https=_proxy(value("HTTPS_PROXY")),
            nowhere="*" in entries,
            exceptions=tuple(entry for text in entries if (entry := _exception(text)) is not None),
        )

    def proxy_for(self, url: Url) -> Url | None:
        """The proxy for a URL; None where it is asked directly."""
        proxy = {"http": self.http, "https": self.https}.get(url.scheme)
        return proxy if proxy is not None and self._applies(url) else None

    def _applies(self, url: Url) -> bool:
        name, port = host_and_port(url)
        name = _in_ascii(name)
        joined = f"[{name}]" if ":" in name else name
        split = split_host_port(f"{joined}:{port or _PORTS.get(url.scheme, '')}")
        if split is None or split[0] == "localhost":
            return False
        host, port = split
        address = _address(host)
        if address is not None and address.is_loopback:
            return False
        host = to_lower(trim_space(host))
        return not (self.nowhere or any(each.matches(host, address, port) for each in self.exceptions))


def host_and_port(url: Url) -> tuple[str, str]:
    """Host without brackets, and port, empty where there is none (URL.Hostname and URL.Port)."""
    host, port = url.host, ""
    head, colon, tail = host.rpartition(":")
    if colon and (not tail or _DIGITS.fullmatch(tail)):
        host, port = head, tail
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return host, port


def _proxy(text: str) -> Url | None:
    """A URL, or host[:port] of a proxy that speaks plain HTTP."""
    if not text:
        return None
    found: Url | None
    try:
        found = parse_url(text)
    except ValueError:
        found = None
    if found is None or not found.scheme or not found.host:
        try:
            return parse_url("http://" + text)
        except ValueError:
            return found
    return found


def _exception(text: str) -> _NotThere | None:
    """An entry, trimmed and in lower case; None where it says nothing."""
    if not text or text == "*":
        return None
    network = _network(text)
    if network is not None:
        return _NotThere(network)
    host, port = split_host_port(text) or (text, "")
    if not host:
        return None
    address = None if "%" in host else _address(host)
    if address is not None:
        return _NotThere(IPv4Network(address) if isinstance(address, IPv4Address) else IPv6Network(address), port=port)
    domain = host.removeprefix("*") if host.startswith("*.") else host
    within = domain.startswith(".")
    return _NotThere(domain=_in_ascii(domain if within else "." + domain), within=within, port=port)


def _network(text: str) -> Network | None:
    """An address with the length of its prefix (net.ParseCIDR); one of IPv4 in IPv6 is IPv4 all the same."""
    start, slash, bits = text.partition("/")
    address = None if "%" in start else _address(start, mapped=True)
    if not slash or address is None or not _DIGITS.fullmatch(bits) or len(bits.lstrip("0")) > 3:
        return None
    length = int(bits.lstrip("0") or "0")
    if length > address.max_prefixlen:
        return None
    if isinstance(address, IPv4Address):
        return IPv4Network((address, length), strict=False)
    mapped = address.ipv4_mapped
    if mapped is not None and length >= 96:
        return IPv4Network((mapped, length - 96), strict=False)
    return IPv6Network((address, length), strict=False)


def _address(text: str, *, mapped: bool = False) -> Address | None:
    """An address (netip.ParseAddr), without its zone; None where it is none. IPv4 in IPv6 is IPv4 unless `mapped`."""
    bare, percent, zone = text.partition("%")
    try:
        if ":" not in bare:
            return None if percent else IPv4Address(bare)
        if percent and not zone:
            return None
        address = IPv6Address(bare)
    except AddressValueError:
        return None
    return address if mapped or address.ipv4_mapped is None else address.ipv4_mapped


def _in_ascii(name: str) -> str:
    """A name as the domain name system has it. Names outside ASCII follow IDNA 2003 here and 2008 in Go, which differ
    in a few characters (the German sharp s); what cannot be converted stays as it is."""
    if name.isascii():
        return name
    try:
        return ".".join(label.encode("idna").decode("ascii") for label in name.split("."))
    except UnicodeError:
        return name
