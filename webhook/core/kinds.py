"""Which kinds are judged: Kubernetes' own, and further ones that settings name (docs/custom-kinds.md)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from webhook.core.errors import MalformedInput

JUDGED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "Pod"): (),
    ("", "PodTemplate"): ("template",),
    ("", "ReplicationController"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}
"""Kubernetes' own kinds, by API group and kind, and the way to what has the form of a pod: metadata and spec."""

_DAEMON_SET: Final = ("apps", "DaemonSet")

_WAY: Final = re.compile(r"(?:\.[A-Za-z_][A-Za-z0-9_-]*)+", re.ASCII)

_MOST_STEPS: Final = 16
"""Fields that a way may have; the deepest known (a CronJob's) has four."""


@dataclass(frozen=True, slots=True)
class JudgedKind:
    """How objects of a kind are read. `way` leads to the pod template. `further`: settings have added it, so that its
    schema may be laxer than Kubernetes' own. `every_node`: its pods go to each node that takes them, as a DaemonSet's
    do."""

    way: tuple[str, ...]
    further: bool = False
    every_node: bool = False


@dataclass(frozen=True, slots=True)
class FurtherKind:
    """A kind as settings name it: by `resource`, its plural, whatever the version. `kind` is empty where it follows
    from the plural (see `plural_of`)."""

    group: str
    resource: str
    way: tuple[str, ...]
    kind: str = ""
    every_node: bool = False


def parse_way(text: str) -> tuple[str, ...]:
    """The fields that a path names, as in `.spec.template`: names alone, with a dot before each. Raises MalformedInput.

    No index and no wildcard: a kind with a list of templates has no single verdict.
    """
    if not _WAY.fullmatch(text) or text.count(".") > _MOST_STEPS:
        raise MalformedInput("must be a path of field names, such as .spec.template")
    return tuple(text[1:].split("."))


def plural_of(kind: str) -> str:
    """The resource of a kind, as far as its name tells (k8s.io/apimachinery, UnsafeGuessKindToResource)."""
    word = kind.lower()
    if word.endswith("endpoints"):
        return word
    if word.endswith("s"):
        return f"{word}es"
    return f"{word.removesuffix('y')}ies" if word.endswith("y") else f"{word}s"


class Kinds:
    """The kinds that are judged, in any version of their groups."""

    def __init__(self, further: Iterable[FurtherKind] = ()) -> None:
        self.further = tuple(further)
        self._by_kind = {name: JudgedKind(way, every_node=name == _DAEMON_SET) for name, way in JUDGED.items()}
        self._by_resource: dict[tuple[str, str], JudgedKind] = {}
        for one in self.further:
            judged = JudgedKind(one.way, further=True, every_node=one.every_node)
            self._by_resource[one.group, one.resource] = judged
            if one.kind:
                self._by_kind[one.group, one.kind] = judged

    def find(self, api_version: str, kind: str, resource: str = "") -> JudgedKind | None:
        """How an object is read; None where its kind is not judged. `resource`: the plural, where somebody has told
        it (a review does); empty: it is taken from the kind."""
        group = api_group(api_version)
        found = self._by_kind.get((group, kind)) or self._by_resource.get((group, plural_of(kind)))
        return found or self._by_resource.get((group, resource))

    def owner(self, owner: tuple[str, str, str] | None) -> JudgedKind | None:
        """How a controlling owner (apiVersion, kind, name) is read, that has its verdict itself; None where it has
        none, or there is no owner."""
        return None if owner is None else self.find(owner[0], owner[1])


BUILT_IN: Final = Kinds()
"""Kubernetes' own kinds alone."""


def api_group(api_version: str) -> str:
    """The API group of an apiVersion; empty for the core group."""
    return api_version.rpartition("/")[0]
