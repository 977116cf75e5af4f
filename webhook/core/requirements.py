"""Sets of label values, as Karpenter intersects them: what a NodePool allows and a pod demands.

Source: sigs.k8s.io/karpenter v1.15.0, pkg/scheduling (requirement.go, requirements.go).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from webhook.core.gotext import atoi
from webhook.core.scheduling import NodeSelectorRequirement

Requirements = Mapping[str, "Values"]
"""What is open for each label that is spoken of."""

_MOST: Final = 2**63 - 1
"""The largest int of Go, above which nothing is greater."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values that are open for one label: those named, or where `others` all but those named.

    `least` and `most` bound them, both included; None: no bound. With a bound only whole numbers are open. Nothing
    named and no others: the label must not be there.
    """

    named: frozenset[str] = frozenset()
    others: bool = True
    least: int | None = None
    most: int | None = None

    @property
    def forbids(self) -> bool:
        """Whether it only says what the label is not, so that a node without the label meets it."""
        return bool(self.named) == self.others

    @property
    def none(self) -> bool:
        """Whether no value is open."""
        return not self.named and not self.others

    @property
    def only(self) -> str | None:
        """The one value that is open; None where there are several, or none."""
        return next(iter(self.named)) if len(self.named) == 1 and not self.others else None

    def allows(self, value: str) -> bool:
        """Whether a value is open."""
        return (value in self.named) != self.others and self._within(value)

    def met(self, other: "Values") -> "Values":
        """What both leave open."""
        least, most = _tighter(self.least, other.least, max), _tighter(self.most, other.most, min)
        if least is not None and most is not None and least > most:
            return NOTHING
        if self.others and other.others:
            bounds = Values(least=least, most=most)
            # What the bounds shut out need not be named any more, and then a node without the label does not meet it.
            named = frozenset(filter(bounds.allows, self.named | other.named))
            return Values(named, others=True, least=least, most=most)
        named = self.named if not self.others else other.named
        return Values(frozenset(value for value in named if self.allows(value) and other.allows(value)), others=False)

    def meets(self, other: "Values") -> bool:
        """Whether a value is open to both."""
        return not self.met(other).none

    def _within(self, value: str) -> bool:
        if self.least is None and self.most is None:
            return True
        number = atoi(value)
        if number is None:
            return False
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)


ANYTHING: Final = Values()
NOTHING: Final = Values(others=False)


def values_of(requirement: NodeSelectorRequirement) -> Values:
    """What one requirement leaves open. Gte and Lte are Karpenter's own. An operator that is none leaves all open: a
    pool that is not understood must not be left out."""
    first = atoi(requirement.values[0]) or 0 if requirement.values else 0  # what is no number is 0 there, too
    match requirement.operator:
        case "In":
            return Values(frozenset(requirement.values), others=False)
        case "NotIn":
            return Values(frozenset(requirement.values))
        case "DoesNotExist":
            return NOTHING
        case "Gt":
            return NOTHING if first >= _MOST else Values(least=first + 1)
        case "Lt":
            return Values(most=first - 1)
        case "Gte":
            return Values(least=first)
        case "Lte":
            return Values(most=first)
    return ANYTHING


def gathered(requirements: Iterable[NodeSelectorRequirement], aliases: Mapping[str, str]) -> dict[str, Values]:
    """Requirements by label, those of one label met. `aliases`: labels that are spoken of by an older name."""
    found: dict[str, Values] = {}
    for one in requirements:
        key = aliases.get(one.key, one.key)
        found[key] = found.get(key, ANYTHING).met(values_of(one))
    return found


def compatible(pool: Requirements, pod: Requirements, is_open: Callable[[str], bool]) -> bool:
    """Whether a node can be made of a pool for a pod. `is_open`: whether a provider may set a label although the pool
    does not speak of it."""
    for key, wanted in pod.items():
        offered = pool.get(key)
        if offered is None:
            if not wanted.forbids and not is_open(key):
                return False
        elif not offered.meets(wanted) and not (offered.forbids and wanted.forbids):
            return False
    return True


def _tighter(one: int | None, other: int | None, choose: Callable[[int, int], int]) -> int | None:
    return other if one is None else one if other is None else choose(one, other)
