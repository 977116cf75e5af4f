"""Nodes in groups that a pod cannot tell apart, so that what a decision costs follows distinct shapes, not nodes.

What the scheduler compares of a node are its taints, its name, and those labels that the pod mentions; what a decision
adds is platform and runtime. An index of one snapshot of nodes answers by asking about one node of each group.

A label that hardly two nodes share (kubernetes.io/hostname) would make a group of each node. Where a pod names values
of such a label, the nodes that have one of these are looked at one by one, and for all others the label comes down to
whether they have it: no other value makes a difference to In, NotIn, Exists and DoesNotExist.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Final, overload

from webhook.core.candidates import Admission
from webhook.core.node import OS_LABEL
from webhook.core.node_selector import NAME_FIELD
from webhook.core.scheduling import Node, NodeSelectorTerm
from webhook.core.taints import SCHEDULING, is_transient

WIDE: Final = 64
"""Values of a label from which on its nodes are looked at singly. Zones, pools and instance types stay below."""

_MOST_GROUPINGS: Final = 64
"""Sets of labels by which a snapshot is kept grouped; the least used go first. The pods of a cluster mention few."""

_MOST_APART: Final = 64
"""Nodes looked at singly up to which what is left of the groups is kept; who names more of them writes for each pod."""

_SETTLED: Final = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})
"""The operators to which all values that are not named are alike; Gt and Lt look into each."""

Places = Sequence[int]
Sight = tuple[tuple[str, bool], ...]
"""The labels that a pod sees, in order: by their values, or (true) only by whether they are there."""


class NodeGroup:
    """Nodes of one snapshot, in its order, of which nothing that decides differs. Never empty.

    `start` is where the snapshot begins among all candidates, where nodes come from several.
    """

    __slots__ = ("_kinds", "_nodes", "_places", "start")

    def __init__(self, nodes: Sequence[Node], places: Places, start: int = 0) -> None:
        self._nodes = nodes
        self._places = places
        self.start = start
        self._kinds: tuple[dict[str, str], ...] | None = None

    @classmethod
    def of(cls, nodes: Sequence[Node], start: int = 0) -> "NodeGroup":
        """A group of all these nodes."""
        return cls(nodes, range(len(nodes)), start)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Node]:
        return map(self._nodes.__getitem__, self._places)

    @property
    def first(self) -> Node:
        """The node that is asked about for all."""
        return self._nodes[self._places[0]]

    def placed(self) -> Iterator[tuple[int, Node]]:
        """The nodes, each with its place among all candidates; in the order of the places."""
        return ((self.start + place, self._nodes[place]) for place in self._places)

    def kinds(self, keys: Iterable[str]) -> tuple[dict[str, str], ...]:
        """The different sets of labels that its nodes have, reduced to some keys: always the same ones."""
        if self._kinds is None:
            told = tuple(keys)
            found: dict[tuple[str | None, ...], None] = {}
            for node in self:
                found[tuple(map(node.labels.get, told))] = None
            self._kinds = tuple(
                {key: value for key, value in zip(told, values, strict=True) if value is not None} for values in found
            )
        return self._kinds

    def without(self, places: frozenset[int]) -> "NodeGroup | None":
        """The nodes that are at none of these places; None where none is left."""
        left = array("I", (place for place in self._places if place not in places))
        return NodeGroup(self._nodes, left, self.start) if left else None


_HEAD: Final = 8
"""Names that are kept at hand: more than any text gives."""


class Names(Sequence[str]):
    """The names of the nodes of several groups, in the order of all candidates. Equal where the groups are the same.

    Not a tuple: a message names three of ten thousand, and counts the rest.
    """

    def __init__(self, groups: Iterable[NodeGroup]) -> None:
        self._groups = tuple(groups)
        self._count = sum(map(len, self._groups))
        self._head: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if stop > _HEAD:
                return tuple(islice(self, start, stop, step))
            if self._head is None:  # texts are tried in several lengths, with the same few names
                self._head = tuple(islice(self, _HEAD))
            return self._head[start:stop:step]
        return next(islice(self, range(len(self))[index], None))

    def __iter__(self) -> Iterator[str]:
        placed = merge(*(group.placed() for group in self._groups), key=itemgetter(0))
        return (str(node.name) for _, node in placed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Names) and other._groups == self._groups

    def __hash__(self) -> int:
        return hash(self._groups)


class _Grouping:
    """A snapshot in groups, and of which group each node is."""

    __slots__ = ("groups", "of")

    def __init__(self, nodes: Sequence[Node], keys: Iterable[object]) -> None:
        numbers: dict[object, int] = {}
        self.of = array("I", (numbers.setdefault(key, len(numbers)) for key in keys))
        members = [array("I") for _ in numbers]
        for place, number in enumerate(self.of):
            members[number].append(place)
        self.groups = tuple(NodeGroup(nodes, places) for places in members)


class NodeIndex:
    """One snapshot of nodes, grouped on demand. `transient`: prefixes of further taints that come and go (settings)."""

    def __init__(self, nodes: Sequence[Node], transient: Sequence[str] = ()) -> None:
        self.nodes = nodes
        self._transient = transient
        self._keys = frozenset(key for node in nodes for key in node.labels)
        self._by_name = _by_value(node.name for node in nodes)
        self._by_label: dict[str, dict[str, array[int]]] = {}
        self._makes: _Grouping | None = None
        self._groupings: OrderedDict[Sight, _Grouping] = OrderedDict()
        self._partings: OrderedDict[tuple[Sight, frozenset[int]], tuple[NodeGroup, ...]] = OrderedDict()

    def candidates(self, admission: Admission) -> tuple[NodeGroup, ...]:
        """The nodes that a pod may land on, in groups; `core.candidates` says by which rules."""
        if admission.node_name:
            return self._singly(self._by_name.get(admission.node_name, ()), admission.admits)
        terms = tuple(admission.required.usable_terms())
        pins = [self._pin(term) for term in terms]
        found = [places for places in pins if places is not None]
        if len(found) == len(terms):
            return self._singly(set().union(*found), admission.admits)
        sight, apart = self._sight(terms)
        admitted = [group for group in self._parted(sight, apart) if admission.admits(group.first)]
        return (*admitted, *self._singly(apart, admission.admits))

    def _singly(self, places: Iterable[int], admits: Callable[[Node], bool]) -> tuple[NodeGroup, ...]:
        return tuple(NodeGroup(self.nodes, (place,)) for place in sorted(places) if admits(self.nodes[place]))

    def _pin(self, term: NodeSelectorTerm) -> set[int] | None:
        """The only nodes that can meet a term which names them; None where it names none."""
        for field in term.fields:
            if field.key == NAME_FIELD and field.operator == "In":
                return set(self._by_name.get(field.values[0], ()))
        for one in term.expressions:
            if one.operator == "In" and self._is_wide(one.key):
                posted = self._posted(one.key)
                return set().union(*(posted.get(value, ()) for value in one.values))
        return None

    def _sight(self, terms: Sequence[NodeSelectorTerm]) -> tuple[Sight, frozenset[int]]:
        """The labels that the terms see of a node, and the nodes that they name one by one."""
        operators: dict[str, set[str]] = {}
        for term in terms:
            for one in term.expressions:
                operators.setdefault(one.key, set()).add(one.operator)
        # A label that no node has tells none of them apart; pods may mention any.
        known = sorted(self._keys & operators.keys())
        wide = {key for key in known if operators[key] <= _SETTLED and self._is_wide(key)}
        apart: set[int] = set()
        for term in terms:
            for one in term.expressions:
                if one.key in wide:
                    apart.update(*(self._posted(one.key).get(value, ()) for value in one.values))
            for field in term.fields:
                apart.update(*(self._by_name.get(value, ()) for value in field.values))
        return tuple((key, key in wide) for key in known), frozenset(apart)

    def _parted(self, sight: Sight, apart: frozenset[int]) -> tuple[NodeGroup, ...]:
        """The groups of a sight without the nodes that are looked at singly; kept: pods of one owner ask the same."""
        found = self._partings.get((sight, apart))
        if found is None:
            groups = self._grouping(sight)
            touched = {groups.of[place] for place in apart}
            whole = (group for number, group in enumerate(groups.groups) if number not in touched)
            parts = (rest for number in touched if (rest := groups.groups[number].without(apart)) is not None)
            found = (*whole, *parts)
            if len(apart) <= _MOST_APART:
                self._partings[sight, apart] = found
            if len(self._partings) > _MOST_GROUPINGS:
                self._partings.popitem(last=False)
        else:
            self._partings.move_to_end((sight, apart))
        return found

    def _grouping(self, sight: Sight) -> _Grouping:
        found = self._groupings.get(sight)
        if found is None:
            found = self._groupings[sight] = _Grouping(self.nodes, self._told_apart(sight))
            if len(self._groupings) > _MOST_GROUPINGS:
                self._groupings.popitem(last=False)
        self._groupings.move_to_end(sight)
        return found

    def _told_apart(self, sight: Sight) -> Iterator[object]:
        """For each node what tells it apart under a sight."""
        if self._makes is None:
            self._makes = _Grouping(self.nodes, map(self._make, self.nodes))
        for make, node in zip(self._makes.of, self.nodes, strict=True):
            labels = node.labels
            yield make, tuple((key in labels) if only_there else labels.get(key) for key, only_there in sight)

    def _make(self, node: Node) -> object:
        """What tells nodes apart whatever a pod mentions."""
        held = (taint for taint in node.taints if taint.effect in SCHEDULING)
        lasting = tuple(taint for taint in held if not is_transient(taint.key, self._transient))
        # Of a node that does not say its platform, a kubelet's refusal hangs on this label.
        os = node.labels.get(OS_LABEL) if node.platform is None else None
        return node.platform, node.runtime, node.emulates, node.may_be, lasting, os

    def _posted(self, key: str) -> dict[str, "array[int]"]:
        """The places of the nodes with each value of a label."""
        if key not in self._by_label:
            self._by_label[key] = _by_value(node.labels.get(key) for node in self.nodes)
        return self._by_label[key]

    def _is_wide(self, key: str) -> bool:
        return key in self._keys and len(self._posted(key)) > WIDE


def _by_value(values: Iterable[str | None]) -> dict[str, "array[int]"]:
    found: dict[str, array[int]] = {}
    for place, value in enumerate(values):
        if value is not None:
            found.setdefault(value, array("I")).append(place)
    return found
