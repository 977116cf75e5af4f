"""Drives the walks of core/lookup.py from test images instead of a registry, and notes what they ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic

from tests.support.images import Content, Image
from webhook.core.lookup import Answer, Finding, Lists, Walk, Want, WantLists, declared_platforms, examine
from webhook.core.manifest import Document
from webhook.core.platform import Platform, format_platform, parse_platform
from webhook.core.runtime import Runtime

CONTAINERD = "containerd://2.1.4"


@dataclass
class Driven(Generic[Answer]):
    """The answer of a walk and what it wanted, in order: digests by role, and "lists"."""

    answer: Answer
    wants: list[str] = field(default_factory=list)


def document(content: Content) -> Document:
    """A document as a registry client would hand it over, by the content's own media type."""
    return Document(content.media_type, content.digest, content.body)


def drive(walk: Walk[Answer], contents: Mapping[str, Content], lists: Lists | None = None) -> Driven[Answer]:
    """Runs a walk to its end. What is not among the contents is not there (None)."""
    wants: list[str] = []
    try:
        want = next(walk)
        while True:
            if isinstance(want, WantLists):
                wants.append("lists")
                want = walk.send(lists or Lists())
            else:
                assert isinstance(want, Want)
                wants.append(f"{want.role} {want.digest}")
                content = contents.get(want.digest)
                want = walk.send(None if content is None else document(content))
    except StopIteration as stop:
        return Driven(stop.value, wants)


def on(text: str, **more: str) -> Platform:
    """A node's platform, as the cluster and the command line make it."""
    platform = parse_platform(text)
    return Platform(platform.os, platform.architecture, more.get("variant", platform.variant), platform.os_version)


def examined(
    image: Image, node: str | Platform, runtime: str = CONTAINERD, *, lists: Lists | None = None, volume: bool = False
) -> Driven[Finding]:
    """What becomes of an image on a node."""
    platform = on(node) if isinstance(node, str) else node
    walk = examine(document(image.root), platform, Runtime.parse(runtime), volume=volume)
    return drive(walk, image.documents, lists)


def outcome(image: Image, node: str | Platform, runtime: str = CONTAINERD, *, lists: Lists | None = None) -> str:
    """The same in the words of the cases: "runs fits"."""
    found = examined(image, node, runtime, lists=lists).answer.outcome
    return f"{found.verdict} {found.why}"


def offered(image: Image) -> list[str]:
    """The platforms an image declares, as written."""
    return [
        format_platform(platform)
        for platform in drive(declared_platforms(document(image.root)), image.documents).answer
    ]
