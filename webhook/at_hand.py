"""Images of which all is known already: answered at once, without a task, a timer or a turn of the event loop, which
together would take several times as long. So it is with nearly every review."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from webhook.core.errors import MalformedDocument, RegistryError
from webhook.core.lookup import Answer, Finding, Walk, Want, WantLists, examine_on
from webhook.core.manifest import Document, Role
from webhook.core.reference import Reference
from webhook.looked import Looked, Shape
from webhook.ports import Access, Image, Images


class Known(NamedTuple):
    """A document that outcomes rest on, and how it was come by: the root of a reference, or by its digest."""

    reference: Reference
    role: Role | Literal["root"]
    digest: str
    media_type: str


class _NotAtHand(Exception):
    """What a walk wants would have to be asked for."""


def walk_of(looked: Looked, image: Image, shape: Shape) -> Walk[Finding]:
    """The question what becomes of an image on nodes of a shape."""
    volume = looked.finding.role == "volume"
    return examine_on(image.root, (shape.platform, *shape.emulates), shape.runtime, volume=volume)


class Memory:
    """What one asker may see of what registries have said before."""

    def __init__(self, images: Images, access: Access) -> None:
        self._images = images
        self._access = access

    def complete(self, looked: Looked, reference: Reference, shapes: Sequence[Shape]) -> tuple[Known, ...] | None:
        """Fills in what becomes of an image, and says which documents that rests on. None where any of them is missing,
        or odd: then nothing has been done, and the image has to be asked about in the long way."""
        image = self._images.at_hand(reference, self._access)
        if image is None:
            return None
        used = [Known(reference, "root", image.root.digest, image.root.media_type)]

        def document(want: Want | WantLists) -> Document:
            if not isinstance(want, Want):
                raise _NotAtHand  # lists hang on the object's other images, and on what else is known
            found = self._images.document_at_hand(image.reference, want.digest, want.role, self._access)
            if found is None:
                raise _NotAtHand
            used.append(Known(image.reference, want.role, found.digest, found.media_type))
            return found

        try:
            findings = [_driven(walk_of(looked, image, shape), document) for shape in shapes]
            looked.describe(image)
        except (_NotAtHand, MalformedDocument, RegistryError):
            return None
        looked.outcomes.update(zip(shapes, (finding.outcome for finding in findings), strict=True))
        looked.offers(findings[-1].platforms)
        return tuple(used)

    def still(self, known: Sequence[Known]) -> bool:
        """Whether all these documents are at hand now, and no other ones in their place."""
        return all(self._named(one) == (one.digest, one.media_type) for one in known)

    def _named(self, known: Known) -> tuple[str, str] | None:
        if known.role == "root":
            image = self._images.at_hand(known.reference, self._access)
            found = None if image is None else image.root
        else:
            found = self._images.document_at_hand(known.reference, known.digest, known.role, self._access)
        return None if found is None else (found.digest, found.media_type)


def _driven(walk: Walk[Answer], document: Callable[[Want | WantLists], Document]) -> Answer:
    """The answer of a walk, with documents that are there at once."""
    try:
        want = next(walk)
        while True:
            want = walk.send(document(want))
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer
