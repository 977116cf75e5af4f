"""What was found out about objects that are like others, for as long as it would be found out once more.

A controller makes hundreds of pods of one template, and what becomes of one becomes of all of them, as long as the
nodes and the documents of the images are the same.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from webhook.at_hand import Known
from webhook.core.decision import ImageFinding, NodeFinding
from webhook.core.outcome import Verdict, worst

MOST_KEPT: Final = 512
"""Objects that are kept, the least used go first. One takes some 100 bytes for each group of nodes, and 4 KiB."""
LONGEST: Final = 2048
"""Characters of what tells an object from others, up to which it is kept."""
_MOST_GROUPS: Final = 128
_MOST_IMAGES: Final = 16
"""Groups of nodes, and images, up to which an object is kept: a pod may have thousands, and is looked at anew then."""


@dataclass(frozen=True, slots=True)
class Examined:
    """The images of an object on its candidate nodes, which come in groups. `rests_on`: the documents that led to it;
    None where it rests on more than nodes and documents, as where a registry did not answer."""

    images: tuple[ImageFinding, ...] = ()
    nodes: tuple[NodeFinding, ...] = ()
    rests_on: tuple[Known, ...] | None = None

    @property
    def runs_nowhere(self) -> bool:
        """Whether the object is known to fail on every candidate, or has none."""
        return all(node.verdict == "fails" for node in self.nodes)

    @property
    def fares(self) -> tuple[Verdict, ...]:
        """The worst that becomes of each image on any candidate."""
        return tuple(worst(node.outcomes[place] for node in self.nodes) for place in range(len(self.images)))

    def of_images(self, places: Sequence[int]) -> "Examined":
        """The same of some of the images alone."""
        if len(places) == len(self.images):
            return self
        images = tuple(self.images[place] for place in places)
        nodes = tuple(replace(node, outcomes=tuple(node.outcomes[place] for place in places)) for node in self.nodes)
        return Examined(images, nodes)


Landscape = tuple[object, Sequence[object]]
"""Where pods may land: the nodes, which have not changed as long as they are the same object, and NodePools."""


class Earlier:
    """Objects that were examined, by what decides about them; all that was found in another landscape is forgotten."""

    def __init__(self) -> None:
        self._landscape: Landscape = ((), ())
        self._kept: OrderedDict[object, Examined] = OrderedDict()

    def find(self, landscape: Landscape, question: object) -> Examined | None:
        """What was found out about a question, if anything. It is still true where what it rests on is at hand."""
        if not self._in(landscape):
            self._kept.clear()
            self._landscape = landscape
        found = self._kept.get(question)
        if found is not None:
            self._kept.move_to_end(question)
        return found

    def keep(self, landscape: Landscape, question: object, examined: Examined) -> None:
        """Notes what was found out in a landscape, if it could be found once more."""
        small = len(examined.images) <= _MOST_IMAGES and len(examined.nodes) <= _MOST_GROUPS
        if examined.rests_on is not None and small and self._in(landscape):
            self._kept[question] = examined
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def _in(self, landscape: Landscape) -> bool:
        nodes, pools = self._landscape
        return landscape[0] is nodes and landscape[1] == pools
