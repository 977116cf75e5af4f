"""nodeSelector and required node affinity, matched as the scheduler matches them.

What the rules are: k8s.io/component-helpers v0.37.2, scheduling/corev1/nodeaffinity (terms, fields, the order in which
errors count) and k8s.io/apimachinery v0.37.2, pkg/labels (requirements, and which of them are invalid).
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final

from webhook.core.gotext import atoi
from webhook.core.scheduling import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm

NAME_FIELD: Final = "metadata.name"
"""The one field of a node that matchFields can see; the scheduler reads every other as an empty string."""

_NAME_PART = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DNS_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_MAX_NAME = 63  # of a label's name and of its value (apimachinery pkg/api/validate/content)
_MAX_SUBDOMAIN = 253


def valid_label_key(key: str) -> bool:
    """Whether a label can have this key: a name of at most 63 characters, with or without a DNS subdomain before it."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > _MAX_SUBDOMAIN or _SUBDOMAIN.fullmatch(prefix) is None):
        return False
    return len(name) <= _MAX_NAME and _NAME_PART.fullmatch(name) is not None


def valid_label_value(value: str) -> bool:
    """Whether a label can have this value."""
    return not value or (len(value) <= _MAX_NAME and _NAME_PART.fullmatch(value) is not None)


def _expression_problem(requirement: NodeSelectorRequirement) -> str:
    """Why the scheduler refuses a matchExpressions entry; empty where it is valid (labels.NewRequirement)."""
    count = len(requirement.values)
    match requirement.operator:
        case "In" | "NotIn":
            if not count:
                return f"{requirement.operator} needs values"
        case "Exists" | "DoesNotExist":
            if count:
                return f"{requirement.operator} takes no values"
        case "Gt" | "Lt":
            if count != 1 or atoi(requirement.values[0]) is None:
                return f"{requirement.operator} needs one integer"
        case other:
            return f"{other!r} is not an operator"
    if not valid_label_key(requirement.key):
        return f"{requirement.key!r} is not a label key"
    bad = next((value for value in requirement.values if not valid_label_value(value)), None)
    return "" if bad is None else f"{bad!r} is not a label value"


def _field_problem(requirement: NodeSelectorRequirement) -> str:
    """Why the scheduler refuses a matchFields entry; empty where it is valid."""
    if requirement.operator not in ("In", "NotIn"):
        return f"{requirement.operator!r} is not an operator of fields"
    return "" if len(requirement.values) == 1 else f"{requirement.operator} of a field needs one value"


def term_problem(term: NodeSelectorTerm) -> str:
    """Why a term cannot be used, and so matches nothing; empty where it can. The first problem counts."""
    problems = [_expression_problem(requirement) for requirement in term.expressions]
    problems += [_field_problem(requirement) for requirement in term.fields]
    return next(filter(None, problems), "")


class LabelTest:
    """A valid matchExpressions entry made ready to be asked about many nodes, however many values it names."""

    __slots__ = ("_bound", "_operator", "_values", "key")

    def __init__(self, requirement: NodeSelectorRequirement) -> None:
        self.key = requirement.key
        self._operator = requirement.operator
        self._values = frozenset(requirement.values)
        self._bound = atoi(requirement.values[0]) if requirement.operator in ("Gt", "Lt") else None

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the requirement. A label that is missing meets NotIn and DoesNotExist only."""
        label = labels.get(self.key)
        match self._operator:
            case "In":
                return label in self._values
            case "NotIn":
                return label not in self._values
            case "Exists":
                return label is not None
            case "DoesNotExist":
                return label is None
        number = None if label is None else atoi(label)
        if number is None or self._bound is None:
            return False
        return number > self._bound if self._operator == "Gt" else number < self._bound


def fields_hold(term: NodeSelectorTerm, name: str | None) -> bool:
    """Whether a node's name meets the matchFields of a term.

    The scheduler looks at no field where the name is empty. None stands for a node that is not there yet: nobody can
    have named it, so it is none of the nodes that In or NotIn name.
    """
    if name == "":
        return True
    seen = {NAME_FIELD: name}
    return all((seen.get(item.key, "") == item.values[0]) == (item.operator == "In") for item in term.fields)


_TermTest = tuple[tuple[LabelTest, ...], NodeSelectorTerm]
"""A term made ready to be asked about many nodes."""


class RequiredNodes:
    """What nodeSelector and required node affinity demand, made ready to be asked about many nodes.

    `problem` says why the affinity is invalid, empty where it is valid. The scheduler counts it only where no valid
    term matches, and the node is refused all the same.
    """

    __slots__ = ("_affinity", "_by_label", "_by_name", "_labels", "_others", "_terms", "problem")

    def __init__(self, node_selector: Mapping[str, str], affinity: NodeSelector | None) -> None:
        self._labels = tuple(node_selector.items())
        self._affinity = affinity is not None
        self.problem = ""
        self._terms: list[NodeSelectorTerm] = []
        for term in affinity.terms if affinity is not None else ():
            problem = term_problem(term)
            self.problem = self.problem or problem
            if not problem and (term.expressions or term.fields):
                self._terms.append(term)
        # By what a node must have to meet them: thousands of terms may each name one of thousands of nodes.
        self._by_name: dict[str, list[_TermTest]] = {}
        self._by_label: dict[str, dict[str, list[_TermTest]]] = {}
        self._others: list[_TermTest] = []
        for term in self._terms:
            self._file(term)

    def _file(self, term: NodeSelectorTerm) -> None:
        test = tuple(map(LabelTest, term.expressions)), term
        for field in term.fields:
            if field.key == NAME_FIELD and field.operator == "In":
                self._by_name.setdefault(field.values[0], []).append(test)
                return
        for one in term.expressions:
            if one.operator == "In":
                by_value = self._by_label.setdefault(one.key, {})
                for value in one.values:
                    by_value.setdefault(value, []).append(test)
                return
        self._others.append(test)

    def admit(self, name: str | None, labels: Mapping[str, str]) -> bool:
        """Whether a node with this name and these labels meets the demand. `name` None: a node still to come."""
        return self.labels_fit(labels) and self._affinity_fits(name, labels)

    def labels_fit(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the nodeSelector, which compares literally and is never invalid."""
        return all(labels.get(key) == value for key, value in self._labels)

    def _affinity_fits(self, name: str | None, labels: Mapping[str, str]) -> bool:
        if not self._affinity:
            return True
        near = self._near(name, labels)
        return any(all(test.holds(labels) for test in tests) and fields_hold(term, name) for tests, term in near)

    def _near(self, name: str | None, labels: Mapping[str, str]) -> "Iterator[_TermTest]":
        """The terms that a node may meet, by its name or one of its labels; all others it does not."""
        yield from self._others
        if name == "":  # no field is looked at
            yield from chain.from_iterable(self._by_name.values())
        elif name is not None:
            yield from self._by_name.get(name, ())
        for key in self._by_label.keys() & labels.keys():
            yield from self._by_label[key].get(labels[key], ())

    def usable_terms(self) -> Iterator[NodeSelectorTerm]:
        """Each term that can match, nodeSelector put into its expressions: a node must meet one of these.

        A demand without affinity is one term; an affinity without a usable term is none, and no node can meet it.
        """
        common = tuple(NodeSelectorRequirement(key, "In", (value,)) for key, value in self._labels)
        if not self._affinity:
            yield NodeSelectorTerm(common)
        for term in self._terms:
            yield NodeSelectorTerm((*common, *term.expressions), term.fields)
