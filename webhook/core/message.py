"""The texts that people read: a denial with lines, a warning on one line. All wording of verdicts is in this module.

The API server drops a warning that has a line break without a word, and cuts the sum of all warnings at 4,096
characters (k8s.io/apiserver, pkg/warning); a denial is printed as it is. Text that comes from users and registries is
stripped of everything unprintable before it enters either.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap
from typing import Final

from webhook.core.decision import ImageFinding, NodeFinding, Reason
from webhook.core.outcome import Verdict, Why
from webhook.core.platform import Platform, format_platform
from webhook.core.workload import Workload

WARNING_LIMIT: Final = 256
"""Characters of one warning; kubectl prints a warning on one line, and a longer one is hard to take in."""
WARNINGS_LIMIT: Final = 8
"""Warnings of one answer; the last one counts the rest."""
NODES_NAMED: Final = 3
"""Nodes that are named before the others are counted."""
WIDTH: Final = 80
"""Columns of the terminal that a denial is laid out for."""
_TEXT_LIMIT: Final = 120
"""Characters of one foreign text (a name, a reference): the longest that leaves a line readable."""

_END: Final[dict[Why, str]] = {
    "no-matching-entry": "the pull would be refused: no match for platform in manifest",
    "config-mismatch": "the container would end in: exec format error",
    "invalid-reference": "no kubelet would pull it: invalid reference",
    "unsupported": "containerd 2.1 and later do not pull Docker schema 1",
    "refused-by-kubelet": "the kubelet would refuse the pod: it is for another os",
    "config-contradicted": "its config does not fit, though a manifest list of the registry says otherwise",
    "platform-unknown": "it does not say which platform it is for",
    "image-unresolved": "the image could not be looked up",
    "matchers-disagree": "the node's container runtime is not known, and runtimes differ here",
    "node-platform-unknown": "the node does not say which platform it is",
    "not-pulled": "imagePullPolicy Never: the node runs what it has",
    "short-name": "an unqualified name: CRI-O resolves it by the node's own configuration",
}

_ERRORS: Final[dict[str, str]] = {
    "not-found": "not found in the registry",
    "unauthorized": "the registry wants credentials that none of the pull secrets has",
    "denied": "the registry refuses access",
    "rate-limited": "the registry limits the rate of requests",
    "unavailable": "the registry cannot be reached or is failing",
    "timeout": "the registry did not answer in time",
    "tls": "the registry's certificate is not trusted",
    "blocked-address": "the registry's address may not be connected to",
    "blocked-host": "the registry is not among those that may be asked",
    "too-large": "the registry sent more than a manifest may have",
    "digest-mismatch": "what the registry sent does not have the digest asked for",
    "malformed": "what the registry sent is not an image",
    "unsupported": "the registry sent a format that is not supported",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a message speaks of. `remedy` is what narrows the pod to nodes that run it, empty where nothing does."""

    workload: Workload
    reason: Reason
    images: tuple[ImageFinding, ...]
    nodes: tuple[NodeFinding, ...]
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """One image on the nodes of one platform where it ends in the same way."""

    image: ImageFinding
    why: Why
    platform: str
    nodes: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{name_some(self.nodes)} ({self.platform})" if self.nodes else f"a {self.platform} node"

    @property
    def end(self) -> str:
        if self.why == "image-unresolved" and self.image.error is not None:
            return self.image.error[1]
        if self.why == "config-mismatch" and not _same_os(self.image.platforms, self.platform):
            return "the container could not be made: the image's config is for another os"
        if self.why == "config-mismatch":
            return f"{_END[self.why]} (by the image's config)"
        return _END.get(self.why, self.why)


def error_text(code: str, where: str = "") -> str:
    """What a user is told of a fault: the meaning of its code, and where in the input it is; never an address."""
    if code in ("invalid-reference", "bad-credentials"):
        return clean(where) or code
    return _ERRORS[code]


def clean(text: str, limit: int = _TEXT_LIMIT) -> str:
    """Foreign text made fit to print: nothing unprintable, at most `limit` characters, the end kept (tag, digest)."""
    printable = "".join(character for character in text[: 4 * limit] if character.isprintable())
    if len(text) <= 4 * limit and len(printable) <= limit:
        return printable
    tail = "".join(character for character in text[-2 * limit :] if character.isprintable())
    return f"{printable[: limit // 2 - 2]}...{tail[-(limit // 2 - 1) :]}"


def name_some(names: Sequence[str], most: int = NODES_NAMED) -> str:
    """Up to `most` names, then a count of the others."""
    shown = ", ".join(clean(name, 63) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def subject(workload: Workload) -> str:
    """The object as kubectl names it."""
    return f"{workload.kind} {clean(workload.name) or '(no name)'}"


def denial(facts: Facts) -> str:
    """The text of a denial: what was looked at, each image that fails and where, and what mends it."""
    troubles = _troubles(facts, "fails")
    total = len(facts.nodes)
    nodes = "the platform it asks for" if _stand_ins(facts) else f"{_any_of(total)} it may be scheduled to"
    if facts.reason == "mismatch" and any(finding.verdict != "fails" for finding in facts.nodes):
        nodes = "some of the nodes it is to run on"
    lines = [f"{subject(facts.workload)} cannot run on {nodes}."]
    if facts.reason != "mismatch":
        lines = [f"{subject(facts.workload)}: {_headline(facts)}."]
        troubles = troubles or _troubles(facts, "uncertain")
    for image, group in groupby(troubles, key=lambda trouble: trouble.image):
        lines.append(f"- {_image(image)}")
        lines += (f"  on {trouble.where}: {trouble.end}" for trouble in group)
    lines.append(f"To mend it: {_remedy(facts, troubles)}.")
    return "\n".join(_wrapped(lines))


def warnings(facts: Facts) -> tuple[str, ...]:
    """The warnings of an answer: one line for each image in trouble, at most WARNINGS_LIMIT of them."""
    if facts.reason == "no-candidates":
        return (_fitted(lambda most: f"{_opening(facts, most)}: {_headline(facts)}", WARNING_LIMIT),)
    wanted: Verdict = "uncertain" if facts.reason == "undetermined" else "fails"
    troubles = _troubles(facts, wanted)
    lines = [_warning(facts, trouble) for trouble in _one_each(troubles)]
    if len(lines) <= WARNINGS_LIMIT:
        return tuple(lines)
    rest = len(lines) - WARNINGS_LIMIT + 1
    return (*lines[: WARNINGS_LIMIT - 1], f"podgate: {subject(facts.workload)}: and {rest} more images like these")


def stale_warning(image: ImageFinding) -> str:
    """Said where a remembered answer stands in for a registry that is down."""
    return _fitted(
        lambda most: (
            f"podgate: image {clean(image.image, most)}: its registry cannot be reached; judged by what it said before"
        ),
        WARNING_LIMIT,
    )


def last_resort(uid: str) -> str:
    """Said where podgate itself failed and the request is let through."""
    return f"podgate: internal error, request {clean(uid, 64) or '(no uid)'} was let through without a check"


def not_understood(problem: str) -> str:
    """Said where an object cannot be read the way its kind says."""
    return f"podgate: not checked, since it was not understood: {clean(problem, 180)}"


def _warning(facts: Facts, trouble: _Trouble) -> str:
    remedy = facts.remedy if facts.reason == "partial" else ""
    mend = f"; add {remedy}" if remedy else ""

    def text(most: int) -> str:
        offers = f" (has {_offers(trouble.image, most)})" if trouble.image.platforms else ""
        where = f"{name_some(trouble.nodes, 1 if most < 60 else NODES_NAMED)} ({trouble.platform})"
        if not trouble.nodes:
            where = f"a {trouble.platform} node"
        doubt = "not known to run" if facts.reason == "undetermined" else "fails"
        image = f"{clean(trouble.image.container, most)} {clean(trouble.image.image, most)}{offers}"
        return f"{_opening(facts, most)}: {image} {doubt} on {where}: {trouble.end}{mend}"

    return _fitted(text, WARNING_LIMIT)


def _opening(facts: Facts, most: int) -> str:
    return f"podgate: {facts.workload.kind} {clean(facts.workload.name, most) or '(no name)'}"


def _fitted(text: Callable[[int], str], limit: int) -> str:
    """The longest form of a text that fits: foreign parts are shortened first, the words of podgate last."""
    for most in (_TEXT_LIMIT, 80, 59, 40, 24):
        line = text(most)
        if len(line) <= limit:
            return line
    return f"{line[: limit - 3]}..."


def _troubles(facts: Facts, verdict: Verdict) -> list[_Trouble]:
    """Where images fail (or are uncertain), in the order of the pod's images, nodes of one platform together."""
    found: dict[tuple[int, Why, str], list[str]] = {}
    for finding in facts.nodes:
        platform = platform_text(finding.node.platform)
        for position, outcome in enumerate(finding.outcomes):
            if outcome.verdict == verdict:
                names = found.setdefault((position, outcome.why, platform), [])
                if finding.node.name is not None:
                    names.append(finding.node.name)
    ordered = sorted(found.items(), key=lambda item: item[0][0])
    return [_Trouble(facts.images[at], why, platform, tuple(names)) for (at, why, platform), names in ordered]


def _one_each(troubles: Iterable[_Trouble]) -> Iterable[_Trouble]:
    """The first trouble of each image: a warning has room for one."""
    for _, group in groupby(troubles, key=lambda trouble: trouble.image):
        yield next(group)


def platform_text(platform: Platform | None) -> str:
    """A node's platform for people."""
    return "platform unknown" if platform is None else format_platform(platform)


def _image(image: ImageFinding) -> str:
    """Container, image, and what the image offers."""
    if image.platforms:
        return f'container "{clean(image.container)}": image {clean(image.image)} is for {_offers(image, _TEXT_LIMIT)}'
    return f'container "{clean(image.container)}": image {clean(image.image)}'


def _offers(image: ImageFinding, most: int) -> str:
    shown = 6 if most >= _TEXT_LIMIT else 2
    return name_some(image.platforms, shown)


def _headline(facts: Facts) -> str:
    if facts.reason == "no-candidates":
        return (
            "no node, existing or declared, takes this pod, and it names no architecture; its images were not checked"
        )
    if facts.reason == "partial":
        return "cannot run on some of the nodes that it may be scheduled to"
    return "not known to run on any node that it may be scheduled to"


def _remedy(facts: Facts, troubles: Sequence[_Trouble]) -> str:
    if facts.reason == "no-candidates":
        return "check nodeSelector, affinity and tolerations, or declare the nodes that are to come in the settings"
    if facts.reason == "undetermined":
        return "see that the registry can be reached and the pull secrets are right, then try again"
    whys = {trouble.why for trouble in troubles}
    if whys == {"invalid-reference"}:
        return "correct the image reference"
    if whys == {"refused-by-kubelet"}:
        return "make spec.os.name, the label kubernetes.io/os and the node selector agree"
    if facts.remedy:
        return f"add {facts.remedy}, or build the image for {_wanted(troubles)} too"
    offered = _common(troubles)
    elsewhere = f", or send the pod to {offered} nodes (nodeSelector kubernetes.io/arch)" if offered else ""
    return f"build the image for {_wanted(troubles)} too{elsewhere}"


def _wanted(troubles: Sequence[_Trouble]) -> str:
    return name_some(tuple(dict.fromkeys(trouble.platform for trouble in troubles)), 4)


def _common(troubles: Sequence[_Trouble]) -> str:
    """Platforms that every failing image offers, as text; empty where there is none."""
    offers = [set(trouble.image.platforms) for trouble in troubles]
    both = sorted(set.intersection(*offers)) if offers else []
    return name_some(both, 2)


def _any_of(total: int) -> str:
    return "the only node" if total == 1 else f"any of the {total} nodes"


def _stand_ins(facts: Facts) -> bool:
    return all(finding.node.name is None for finding in facts.nodes)


def _same_os(platforms: Sequence[str], platform: str) -> bool:
    return any(text.partition("/")[0] == platform.partition("/")[0] for text in platforms)


def _wrapped(lines: Iterable[str]) -> Iterable[str]:
    """Lines of a terminal's width; a long name stays whole, so that it can be copied."""
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        yield from wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
