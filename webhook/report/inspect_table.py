"""What `podgate inspect` shows people: the image, its entries, and the way to them.

Digests stand whole on lines of their own, so that they can be copied; with an indent one fits on a line of 80.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TextIO

from webhook.core.manifest import DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from webhook.core.outcome import Verdict
from webhook.core.platform import format_platform
from webhook.core.text import clean, name_some
from webhook.core.trace import ANONYMOUS, NOBODY, Answered, Exchanged
from webhook.inspection import Entry, Inspection, NodesAlike, Offer
from webhook.report.layout import Lines

_TYPES: Final = {
    OCI_INDEX: "OCI index",
    OCI_MANIFEST: "OCI manifest",
    OCI_CONFIG: "OCI image config",
    DOCKER_LIST: "Docker manifest list",
    DOCKER_MANIFEST: "Docker manifest",
    DOCKER_CONFIG: "Docker image config",
}
_LOGINS: Final = {NOBODY: "none was asked for", ANONYMOUS: "an anonymous token"}
_HEX: Final = re.compile("([0-9a-f]{12})[0-9a-f]{20,}")
_STYLES: Final[Mapping[Verdict, str]] = {"fails": "red", "uncertain": "yellow", "runs": "green"}
_ORDER: Final[tuple[Verdict, ...]] = ("fails", "uncertain", "runs")
_LABEL: Final = 11
"""Columns of the words at the left, a blank included."""
_LONG: Final = 1000
"""Characters of what is not cut: a URL, a digest."""

Line = tuple[str, str]
"""A line, and its style."""


def print_inspections(inspections: Sequence[Inspection], stream: TextIO) -> None:
    """Prints results to a stream; colours where it is a terminal and NO_COLOR is not set."""
    lines = Lines(stream)
    for number, one in enumerate(inspections):
        if number:
            lines.print()
        for line in _lines(one):
            lines.print(line)


def _lines(one: Inspection) -> Iterator[Line]:
    yield clean(one.image, _LONG), "bold"
    if one.reference is not None and str(one.reference) != one.image:
        yield _labelled("read as", clean(str(one.reference), _LONG)), ""
    if one.root is not None:
        yield _labelled("digest", one.root.digest), ""
    if one.root is not None and one.offer is not None:
        yield _labelled("type", f"{_type(one.root.media_type)}, {len(one.root.body):,} bytes"), ""
    if one.offer is not None:
        yield from _offer(one.offer)
    if one.stale:
        yield _labelled("stale", "the registry is down: this is what it said before"), "yellow"
    if one.fault is not None:
        yield _labelled("error", f"{one.fault[0]}: {clean(one.fault[1], _LONG)}"), "red"
    if one.nodes is not None:
        yield from _nodes(one.nodes)
    yield from _trace(one)


def _nodes(groups: Sequence[NodesAlike]) -> Iterator[Line]:
    """On which nodes it works, those where it fails first: what somebody asks for."""
    yield _labelled("nodes", str(sum(len(group.names) for group in groups)) if groups else "none"), ""
    in_order = sorted(groups, key=lambda group: _ORDER.index(group.outcome.verdict))
    rows = [
        (group.outcome.verdict, clean(group.platform or "unknown"), clean(group.runtime or "runtime unknown"))
        for group in in_order
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for group, row in zip(in_order, rows, strict=True):
        columns = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        yield f"    {columns}  {name_some(group.names)}", _STYLES[group.outcome.verdict]
        yield f"      {group.text}{f'; {group.mend}' if group.mend else ''}", ""


def _offer(offer: Offer) -> Iterator[Line]:
    if offer.artifact_type:
        yield _labelled("artifact", clean(offer.artifact_type)), ""
    if offer.config is not None:
        yield _labelled("config", f"{_type(offer.config.media_type)}, {offer.config.size:,} bytes"), ""
        yield _labelled("", clean(offer.config.digest, _LONG)), ""
    platforms = [clean(format_platform(platform)) for platform in offer.platforms]
    yield from _paragraph("platforms", ", ".join(platforms) or "none")
    for note in offer.notes:
        yield from _paragraph("note", note)
    if offer.kind == "index":
        yield _labelled("entries", str(len(offer.entries))), ""
    yield from _entries(offer.entries, "    ")


def _entries(entries: Sequence[Entry], indent: str) -> Iterator[Line]:
    for entry in entries:
        descriptor = entry.descriptor
        platform = "no platform" if descriptor.platform is None else clean(format_platform(descriptor.platform))
        marks = ["attestation"] if descriptor.attestation else []
        marks += [clean(descriptor.artifact_type)] if descriptor.artifact_type else []
        marks += ["not looked into: too deep, or too many"] if entry.cut else []
        facts = [_type(descriptor.media_type), f"{descriptor.size:,} bytes", *marks]
        yield f"{indent}{platform.ljust(15)}  {', '.join(facts)}", "bright_black" if descriptor.attestation else ""
        if descriptor.platform is not None and descriptor.platform.os_features:
            yield f"{indent}  os.features: {clean(', '.join(descriptor.platform.os_features))}", ""
        yield f"{indent}  {clean(descriptor.digest, _LONG)}", ""
        if entry.fault is not None:
            yield f"{indent}  {entry.fault[0]}: {clean(entry.fault[1], _LONG)}", "red"
        yield from _entries(entry.entries or (), f"{indent}  ")


def _trace(one: Inspection) -> Iterator[Line]:
    """The way to it: who was asked for what, and which credentials it took."""
    requests = one.trace.requests
    if requests or one.trace.from_cache:
        known = f", {one.trace.from_cache} from the cache" if one.trace.from_cache else ""
        yield _labelled("requests", f"{len(requests)}{known}"), ""
    for request in requests:
        yield _request(request), "bright_black" if request.error is None else "red"
    for host in dict.fromkeys(map(_host, one.trace.answers)):
        yield _labelled("answered", host), ""
    for source in dict.fromkeys(answer.credential for answer in one.trace.answers):
        yield _labelled("login", _LOGINS.get(source) or clean(source, _LONG)), ""


def _request(request: Exchanged) -> str:
    """A request on a line, with digests shortened so that it is one."""
    answer = " ".join(str(part) for part in (request.status, request.error) if part is not None)
    url = _HEX.sub(r"\1...", clean(request.url, _LONG))
    return f"    {request.method.ljust(4)} {answer}  {1000 * request.seconds:.0f} ms  {url}"


def _host(answer: Answered) -> str:
    return f"by {clean(answer.host)}{', which hostsDir names' if answer.mirror else ''}"


def _type(media_type: str) -> str:
    return _TYPES.get(media_type) or clean(media_type) or "no media type"


def _labelled(label: str, text: str) -> str:
    return f"  {label.ljust(_LABEL)}{text}"


def _paragraph(label: str, text: str) -> Iterator[Line]:
    """A text that may be long, broken between words."""
    words, line = text.split(" "), ""
    width = 80 - 2 - _LABEL
    for word in words:
        if line and len(line) + 1 + len(word) > width:
            yield _labelled(label, line), ""
            label, line = "", word
        else:
            line = f"{line} {word}" if line else word
    yield _labelled(label, line), ""
