"""One image of an object: what is found of it, and what becomes of it on nodes of each shape.

Faults of registries and unreadable pull secrets become outcomes here and in service.py, and nowhere else: the image is
`uncertain` with the fault's code, never a verdict.
"""

import fnmatch
import logging
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from webhook.core.decision import ImageFinding
from webhook.core.errors import BadCredentials, ErrorCode, InvalidReference, MalformedDocument, RegistryError
from webhook.core.manifest import Kind
from webhook.core.outcome import Outcome, fails, runs, uncertain
from webhook.core.platform import Platform, format_platform
from webhook.core.reference import CrioNames, Reference, is_short_name, parse_image
from webhook.core.runtime import Runtime
from webhook.core.wording import INTERNAL, error_text
from webhook.core.workload import ContainerImage
from webhook.ports import Image

logger = logging.getLogger("podgate.lookups")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shape:
    """What an outcome depends on of a node: nodes of one shape are asked about once."""

    platform: Platform
    runtime: Runtime
    emulates: tuple[Platform, ...] = ()


@dataclass(slots=True)
class Looked:
    """One image: what was found, and its outcome for each shape; `otherwise` where a shape has none of its own.

    `reference` is what a registry has to be asked about, None where all is known without. `on_crio` is the image that
    the name stands for on CRI-O nodes, None where it is the same one, or there are no others.
    """

    finding: ImageFinding
    otherwise: Outcome
    reference: Reference | None = None
    outcomes: dict[Shape, Outcome] = field(default_factory=dict)
    on_crio: "Looked | None" = None

    def on(self, shape: Shape) -> Outcome:
        """The outcome on nodes of a shape."""
        if self.on_crio is not None and is_crio(shape):
            return self.on_crio.on(shape)
        return self.outcomes.get(shape, self.otherwise)

    def asked_for(self, shapes: Sequence[Shape]) -> list[tuple["Looked", Reference, list[Shape]]]:
        """What registries have to be asked about: a reference, and the shapes of nodes that it counts for."""
        open_ones = [shape for shape in shapes if shape not in self.outcomes]
        parts = [(self, [shape for shape in open_ones if self.on_crio is None or not is_crio(shape)])]
        if self.on_crio is not None:
            parts.append((self.on_crio, [shape for shape in open_ones if is_crio(shape)]))
        return [(part, part.reference, its) for part, its in parts if part.reference and its]

    def conclude(self) -> None:
        """Makes one finding of two: what only one of two images offers is not said of both."""
        other = self.on_crio.finding if self.on_crio is not None else None
        if other is None:
            return
        same = self.finding.resolved.partition("@")[2] == other.resolved.partition("@")[2]
        platforms = self.finding.platforms if same else ()
        stale = self.finding.stale or other.stale
        self.finding = replace(self.finding, platforms=platforms, stale=stale, error=self.finding.error or other.error)

    def describe(self, image: Image) -> None:
        """Takes over what the root is. Raises MalformedDocument where it is nothing."""
        kind: Kind = "unknown"
        try:
            kind = image.root.kind
        finally:  # the digest is known even of what is nothing
            resolved = f"{image.reference.name}@{image.root.digest}"
            shown = kind if kind == "index" or kind == "manifest" else "unknown"  # noqa: PLR1714  # mypy narrows by this
            self.finding = replace(self.finding, resolved=resolved, stale=image.stale, kind=shown)
        if kind == "schema1":
            self.fail("unsupported")

    def offers(self, platforms: Sequence[Platform]) -> None:
        """Takes over the platforms that the image declares."""
        texts = tuple(map(format_platform, platforms))
        if texts != self.finding.platforms:
            self.finding = replace(self.finding, platforms=texts)

    def fail(self, code: ErrorCode, text: str = "", missing_right: str = "") -> None:
        """Takes over what kept the image from being known; `text` says it where the code's own words do not, and
        `missing_right` is what is to be allowed to whom, if that is why."""
        self.finding = replace(self.finding, error=(code, text or error_text(code)), missing_right=missing_right)

    async def known(self, work: Awaitable[T]) -> T | None:
        """The result of some work on the image; None where a fault kept it, which becomes the image's error."""
        try:
            return await work
        except RegistryError as error:
            logger.info("image %s: %s", self.finding.image, error, extra=_exchange(error))
            self.fail(error.code, error.told)
        except BadCredentials as error:
            self.fail("bad-credentials", error_text("bad-credentials", str(error)))
        except MalformedDocument as error:
            logger.info("image %s: %s", self.finding.image, error, extra={"code": "malformed"})
            self.fail("malformed")
        except TimeoutError:
            self.fail("timeout")
        except Exception:  # a bug of podgate's must not take along what is known of the other images
            logger.exception("image %s: the look-up failed", self.finding.image)
            self.fail("unavailable", INTERNAL)
        return None


def first_look(
    image: ContainerImage, shapes: Sequence[Shape], exempt: Sequence[str], crio: CrioNames | None = None
) -> Looked:
    """What is known of an image before any registry is asked. `crio`: what unqualified names stand for on CRI-O nodes,
    None where nothing is known of that."""
    looked = Looked(ImageFinding(image.container, image.image, role=image.role), uncertain("image-unresolved"))
    try:
        reference = parse_image(image.image)
    except InvalidReference as error:
        looked.fail("invalid-reference", error_text("invalid-reference", error.problem))
        looked.otherwise = fails("invalid-reference")
        return looked
    if matches_any(reference.name, exempt):
        looked.otherwise = runs("exempt")
        return looked
    if image.never_pulled:
        looked.otherwise = uncertain("not-pulled")
        return looked
    looked.reference = reference
    if is_short_name(image.image):
        _look_at_crio(looked, reference, shapes, exempt, crio or CrioNames())
    return looked


def _look_at_crio(
    looked: Looked, reference: Reference, shapes: Sequence[Shape], exempt: Sequence[str], names: CrioNames
) -> None:
    """What an unqualified name is on CRI-O nodes, which look it up in a configuration that the API does not show."""
    short = [shape for shape in shapes if is_crio(shape)]
    meant = names.meant(looked.finding.image)
    if not short or meant == reference:
        return
    if meant is None:
        looked.outcomes = dict.fromkeys(short, uncertain("short-name"))
        return
    others = len(short) < len(shapes)
    looked.finding = replace(looked.finding, on_crio=meant.canonical)
    there = Looked(looked.finding, looked.otherwise, meant) if others else looked
    there.reference = meant
    if matches_any(meant.name, exempt):
        there.reference, there.otherwise = None, runs("exempt")
    looked.on_crio = there if others else None


def is_crio(shape: Shape) -> bool:
    return shape.runtime.selection == "crio"


def _exchange(error: RegistryError) -> dict[str, object]:
    """What a log keeps of a fault."""
    return {"code": error.code, "url": error.exchange.url, "status": error.exchange.status}


def matches_any(text: str, globs: Iterable[str]) -> bool:
    """Whether a text matches one of the settings' globs (`*` stands for anything, a slash too)."""
    return any(fnmatch.fnmatchcase(text, glob) for glob in globs)
