"""What nodes have and pods demand of them: labels, taints, selectors, tolerations, read from Kubernetes objects.

Which nodes a pod may land on is worked out in candidates.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook.core.errors import MalformedObject
from webhook.core.node import emulated_platforms, node_platform
from webhook.core.objects import Fields
from webhook.core.platform import Platform
from webhook.core.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Taint:
    """A node's taint (core/v1 Taint)."""

    key: str
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Toleration:
    """A pod's toleration (core/v1 Toleration). Empty `operator`: Equal; empty `key` with Exists: every taint."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class NodeSelectorRequirement:
    """One matchExpressions or matchFields entry."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSelectorTerm:
    """Requirements that are ANDed; an empty term matches no node."""

    expressions: tuple[NodeSelectorRequirement, ...] = ()
    fields: tuple[NodeSelectorRequirement, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSelector:
    """Terms that are ORed."""

    terms: tuple[NodeSelectorTerm, ...] = ()


@dataclass(frozen=True, slots=True)
class RuntimeClass:
    """A node.k8s.io/v1 RuntimeClass: what the API server adds to pods that name it."""

    name: str
    handler: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A node as far as decisions go. `platform` None: the node does not say what it is (uncertain, never a guess).

    `name` None: a platform that the pod's own constraints demand stands in for a node (design: no candidate at all).
    `emulates`: platforms that it takes beside its own. `may_be`: of a node that is still to come and whose platform
    nobody has fixed (`platform` None), those that it is likeliest to have.
    """

    name: str | None
    platform: Platform | None
    runtime: Runtime = field(default_factory=Runtime)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    emulates: tuple[Platform, ...] = ()
    may_be: tuple[Platform, ...] = ()


def parse_node(obj: Mapping[str, object]) -> Node:
    """A core/v1 Node, as an object of its own or as an item of a list, where kind and apiVersion are left out.

    A node without nodeInfo is a node all the same: its labels may say what it is, else its platform is None. Raises
    MalformedObject with the path to a field of a wrong type, or to the name where there is none.
    """
    top = Fields.of(obj)
    metadata = top.demand("metadata")
    name = metadata.text("name")
    if not name:
        raise MalformedObject("is missing", metadata.at("name"))
    labels = metadata.string_map("labels")
    info = _node_info(top.inner("status").inner("nodeInfo"))
    return Node(
        name=name,
        platform=node_platform(info, labels),
        runtime=Runtime.parse(info["containerRuntimeVersion"]),
        labels=labels,
        taints=parse_taints(top.inner("spec"), "taints"),
        emulates=emulated_platforms(labels, metadata.string_map("annotations")),
    )


def parse_runtime_class(obj: Mapping[str, object]) -> RuntimeClass:
    """A RuntimeClass as the API server serves it. Raises MalformedObject."""
    top = Fields.of(obj)
    scheduling = top.inner("scheduling")
    return RuntimeClass(
        name=top.inner("metadata").text("name"),
        handler=top.text("handler"),
        node_selector=scheduling.string_map("nodeSelector"),
        tolerations=tuple(parse_toleration(item) for item in scheduling.objects("tolerations")),
    )


def parse_toleration(item: Fields) -> Toleration:
    """A core/v1 Toleration; for how long it holds plays no part. Raises MalformedObject."""
    return Toleration(item.text("key"), item.text("operator"), item.text("value"), item.text("effect"))


def parse_node_selector(selector: Fields) -> NodeSelector:
    """A core/v1 NodeSelector. Raises MalformedObject for wrong types; invalid requirements are the matcher's matter."""
    return NodeSelector(
        tuple(
            NodeSelectorTerm(parse_requirements(term, "matchExpressions"), parse_requirements(term, "matchFields"))
            for term in selector.objects("nodeSelectorTerms")
        )
    )


def parse_requirements(term: Fields, key: str) -> tuple[NodeSelectorRequirement, ...]:
    """A list of requirements on labels or fields. Raises MalformedObject for wrong types."""
    return tuple(
        NodeSelectorRequirement(item.text("key"), item.text("operator"), item.strings("values"))
        for item in term.objects(key)
    )


def parse_taints(spec: Fields, key: str) -> tuple[Taint, ...]:
    """A list of core/v1 Taints; since when they are there plays no part. Raises MalformedObject."""
    items = spec.objects(key)
    return tuple(Taint(item.text("key"), item.text("value"), item.text("effect")) for item in items)


def _node_info(info: Fields) -> dict[str, str]:
    """The fields of status.nodeInfo that say what the node is; empty strings where they are not there."""
    keys = ("operatingSystem", "architecture", "kernelVersion", "containerRuntimeVersion")
    return {key: info.text(key) for key in keys}
