"""What is asked about one object, and which part of its fate is the request's own doing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from webhook.core.decision import Decision
from webhook.core.outcome import Verdict
from webhook.core.workload import Workload, what_matters

_MOST_TERMS: Final = 16
"""Terms of an affinity up to which it is compared with those of other objects."""


@dataclass(frozen=True, slots=True)
class Request:
    """One object to judge. `old` is its former state (None: there is none); `mirror` says that the kubelet shows a
    static pod that runs already; `admitted` that a pod has been through the API server's own admission, which adds
    what its RuntimeClass says; `deadline` is a time of the event loop's clock, None where nobody waits. `binding`: the
    object is a pod that is being bound to its nodeName, and this is what a mismatch leads to; None: it is no binding.
    """

    workload: Workload
    old: Workload | None = None
    mirror: bool = False
    admitted: bool = True
    deadline: float | None = None
    binding: Decision | None = None

    @property
    def runs_already(self) -> bool:
        """Whether the object is the picture of a static pod. Only a pod can be, whatever is annotated."""
        return self.mirror and not self.workload.template

    @property
    def on_its_node(self) -> bool:
        """Whether the pod has its node already, or gets it now: whatever the node's labels and taints are by now."""
        was_bound = self.old is not None and bool(self.old.constraints.node_name) and not self.workload.template
        return self.binding is not None or was_bound

    @property
    def stays(self) -> bool:
        """Whether the pod is on its node before and after: nothing but a new image can make a difference there."""
        node = self.old.constraints.node_name if self.old is not None else ""
        return not self.workload.template and bool(node) and node == self.workload.constraints.node_name

    @property
    def changes_nothing(self) -> bool:
        """Whether nothing that decides is different from before."""
        return self.old is not None and what_matters(self.old) == what_matters(self.workload)

    @property
    def question(self) -> tuple[object, ...] | None:
        """What tells an object from others as far as its images on the candidates go; None where more does, or it is
        too much: what a RuntimeClass adds, that a pod has its node already, thousands of terms."""
        needs = self.workload.constraints
        if needs.runtime_class or self.on_its_node or (needs.affinity and len(needs.affinity.terms) > _MOST_TERMS):
            return None
        return what_matters(self.workload), self.workload.template and self.workload.every_node

    def answers_for(self, fares: Sequence[Verdict]) -> tuple[int, ...]:
        """Of a pod that stays on its node: the places of the images that the request has to answer for, none where it
        has no part in what becomes of any. `fares`: the worst that becomes of each image.

        It has the others whatever is decided, however they fare: a container for debugging is mostly added because one
        of them does not run.
        """
        new = self._new_images()
        return tuple(place for place, verdict in enumerate(fares) if place in new or verdict == "runs")

    def _new_images(self) -> frozenset[int]:
        before = frozenset(self.old.images) if self.old is not None else frozenset()
        return frozenset(place for place, image in enumerate(self.workload.images) if image not in before)
