"""Candidate nodes: those that the default scheduler's own filters would admit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
class Node:
    """A node as far as decisions go. `platform` None: the node does not say what it is (uncertain, never a guess).

    `name` None: a platform that the pod's own constraints demand stands in for a node (design: no candidate at all).
    """

    name: str | None
    platform: Platform | None
    runtime: Runtime = field(default_factory=Runtime)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
