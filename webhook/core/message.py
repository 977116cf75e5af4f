"""The texts that people read: a denial with lines, a warning on one line.

The API server drops a warning that has a line break without a word, and cuts the sum of all warnings at 4,096
characters (k8s.io/apiserver, pkg/warning); a denial is printed as it is. The words for single cases are in wording.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final, Literal

from webhook.core.candidates import misspelt, usual_value
from webhook.core.decision import ImageFinding, NodeFinding, Reason
from webhook.core.grouping import Names, NodeGroup
from webhook.core.nodepools import UNREAD_NAME
from webhook.core.outcome import Verdict, Why
from webhook.core.platform import Platform, format_platform
from webhook.core.text import NAME_LIMIT, NODES_NAMED, TEXT_LIMIT, clean, fitted, more, name_some, wrapped
from webhook.core.wording import Logins, Pools, elsewhere, end_of, error_text, mend_of
from webhook.core.workload import ContainerRole, Workload

__all__ = [
    "Facts",
    "clean",
    "denial",
    "error_text",
    "last_resort",
    "name_some",
    "not_understood",
    "platform_text",
    "warnings",
]

WARNING_LIMIT: Final = 256
"""Characters of one warning; kubectl prints a warning on one line, and a longer one is hard to take in."""
_SHORTENED: Final = (TEXT_LIMIT, 80, 56, 40, 24)
"""Characters of the names in a warning, tried in turn until it fits."""
WARNINGS_LIMIT: Final = 8
"""Warnings of one answer; the last one counts the rest."""
_IMAGES_SHOWN: Final = 5
"""Images of a denial that are told in full: more do not fit on a terminal."""
_PLACES_SHOWN: Final = 3
"""Kinds of nodes that are told for each image of a denial, before the other nodes are counted."""
_MENDS_SHOWN: Final = 3
"""Pieces of advice beside the one about platforms."""
_OFFERS_SHOWN: Final = 6
"""Platforms of an image that are named in a denial; official images have up to eight."""

_ROLES: Final[dict[ContainerRole, str]] = {
    "container": "container",
    "init": "init container",
    "ephemeral": "ephemeral container",
    "volume": "image volume",
}

_SHOWN: Final[dict[Reason, tuple[Verdict, ...]]] = {"undetermined": ("fails", "uncertain")}
"""The verdicts that a message tells of; of all other reasons the failures alone."""


Doubt = Literal["namespace", "node-pools"]
"""What could not be read of the cluster: the labels of the namespace, the NodePools."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a message speaks of.

    `nodes` are findings about groups of nodes. `remedy` is what narrows the pod to nodes that run it, empty where
    nothing does. `runtime_class`: what is known of the RuntimeClass that a template names; `contradicted`: its node
    selector and the template's exclude each other. `added`: what that node selector is, where it is known. `binding`:
    the scheduler binds the pod to its node just now. `placed`: the pod is on its node, and stays there.
    """

    workload: Workload
    reason: Reason
    images: tuple[ImageFinding, ...]
    nodes: tuple[NodeFinding, ...]
    remedy: str = ""
    runtime_class: Literal["known", "unknown", "contradicted"] = "known"
    binding: bool = False
    doubts: tuple[Doubt, ...] = ()
    added: Mapping[str, str] = field(default_factory=dict)
    placed: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """The nodes of one platform on which an image ends in one way; without names where they stand for none. `pools`:
    NodePools whose nodes are of a platform that their provider chooses, or that could not be read."""

    verdict: Verdict
    why: Why
    platform: str
    names: Names
    pools: Pools = ""

    def where(self, most: int = NODES_NAMED, limit: int = NAME_LIMIT) -> str:
        return f"{name_some(self.names, most, limit)} ({self.platform})" if self.names else f"a {self.platform} node"


@dataclass(frozen=True, slots=True)
class _Trouble:
    """One image, the containers that have it, where it fails (or may), and with what it was asked for."""

    image: ImageFinding
    containers: tuple[ImageFinding, ...]
    places: tuple[_Place, ...]
    logins: Logins

    def end(self, place: _Place) -> str:
        return end_of(place.why, self.image, place.platform, place.pools)

    def mend(self, place: _Place) -> str:
        return mend_of(place.why, self.image, place.platform, place.pools, self.logins)

    def whose(self, most: int = TEXT_LIMIT) -> str:
        first = self.containers[0]
        who = f'{_ROLES[first.role]} "{clean(first.container, most)}"'
        others = len(self.containers) - 1
        return f"{who} and {others} more" if others else who

    @property
    def unfit(self) -> tuple[str, ...]:
        """The platforms of nodes that the image does not fit."""
        return tuple(one.platform for one in self.places if one.why in ("no-matching-entry", "config-mismatch"))


def denial(facts: Facts) -> str:
    """The text of a denial: what was looked at, each image that fails and where, and what mends it."""
    troubles = _troubles(facts)
    lines = [f"{subject(facts.workload)} {_headline(facts)}."]
    for trouble in troubles[:_IMAGES_SHOWN]:
        lines += _told(trouble)
    if len(troubles) > _IMAGES_SHOWN:
        lines.append(f"- and {more(len(troubles) - _IMAGES_SHOWN, 'image')} like these")
    lines += _notes(facts)
    mends = _mends(facts, troubles)
    if mends:
        lines.append(f"To mend it: {mends}.")
    return "\n".join(wrapped(lines))


def warnings(facts: Facts) -> tuple[str, ...]:
    """The warnings of an answer: one line for each image in trouble and each doubt, at most WARNINGS_LIMIT of them."""
    lines = [_warning(facts, trouble) for trouble in _troubles(facts)]
    if not lines:
        lines.append(_one_line(facts, _constantly(f" {_headline(facts)}"), _mends(facts, ())))
    lines += (_one_line(facts, _constantly(f": {note}"), "") for note in _notes(facts))
    if len(lines) <= WARNINGS_LIMIT:
        return tuple(lines)
    rest = len(lines) - WARNINGS_LIMIT + 1
    return (*lines[: WARNINGS_LIMIT - 1], f"podgate: {subject(facts.workload)}: and {more(rest, 'warning')} like these")


def last_resort(uid: str) -> str:
    """Said where podgate itself failed and the request is let through."""
    return f"podgate: internal error, request {clean(uid, 64) or '(no uid)'} was let through without a check"


def not_in_time(uid: str) -> str:
    """Said where the answer was due and the review had not ended: the process was held up."""
    name = clean(uid, 64) or "(no uid)"
    return f"podgate: request {name} was let through without a check, since there was no time left for it"


def too_early() -> str:
    """Said where a review comes before the first list of the nodes is complete."""
    return "podgate: not checked, since the nodes of the cluster are not known yet"


def too_late() -> str:
    """Said where an object is so large, and so many others are, that it was not read by the deadline."""
    return "podgate: not checked, since there was no time to read it"


def not_understood(problem: str) -> str:
    """Said where an object cannot be read the way its kind says."""
    return f"podgate: not checked, since it was not understood: {clean(problem, 180)}"


def subject(workload: Workload, most: int = TEXT_LIMIT) -> str:
    """The object as kubectl names it."""
    return f"{workload.kind} {clean(workload.name, most) or '(no name)'}"


def platform_text(platform: Platform | None) -> str:
    """A node's platform for people."""
    return "platform unknown" if platform is None else clean(format_platform(platform), 63)


def _headline(facts: Facts) -> str:
    """What becomes of the object as a whole: the predicate of a sentence about it."""
    if facts.reason == "no-candidates":
        return f"was not checked: {_no_candidates(facts)}"
    nodes = _nodes_it_has(facts)
    if facts.reason == "undetermined":
        return f"is not known to run on {nodes}"
    failing, total = _count(one for one in facts.nodes if one.verdict == "fails"), _count(facts.nodes)
    if failing == total:
        return f"cannot run on {nodes}"
    return f"cannot run on {failing} of the {total} nodes {_relation(facts.workload)}"


def _count(findings: Iterable[NodeFinding]) -> int:
    return sum(len(finding.nodes) for finding in findings)


def _nodes_it_has(facts: Facts) -> str:
    total = _count(facts.nodes)
    if facts.workload.constraints.node_name:
        return "the node it is bound to"
    if all(finding.node.name is None for finding in facts.nodes):
        return "the platform it asks for" if total == 1 else f"any of the {total} platforms it asks for"
    return f"{'the only node' if total == 1 else f'any of the {total} nodes'} {_relation(facts.workload)}"


def _relation(workload: Workload) -> str:
    return "it is to run on" if workload.every_node and workload.template else "it may be scheduled to"


def _no_candidates(facts: Facts) -> str:
    constraints = facts.workload.constraints
    if facts.runtime_class == "contradicted":
        name = clean(constraints.runtime_class, 63)
        return f"its node selector and that of its RuntimeClass {name} exclude each other"
    if constraints.node_name:
        return f"there is no node {clean(constraints.node_name, 63)} that takes it"
    if spelt := misspelt(constraints):
        key, value = spelt
        return f"no node, existing or declared, takes it, and kubelets do not write {key}: {clean(value, 63)}"
    return "no node, existing or declared, takes it, and it demands no architecture"


def _notes(facts: Facts) -> Iterator[str]:
    """Doubts about what the decision rests on."""
    if "namespace" in facts.doubts:
        name = clean(facts.workload.namespace, 63)
        yield f"the labels of the namespace {name} could not be read: judged without its mode, and not denied"
    if "node-pools" in facts.doubts:
        yield "the NodePools could not be read: which nodes they may give is not known"
    if facts.runtime_class == "unknown":
        name = clean(facts.workload.constraints.runtime_class, 63)
        yield f"RuntimeClass {name} is not known: judged without what it adds to a pod"
    for image in dict.fromkeys(clean(image.image) for image in facts.images if image.stale):
        yield f"the registry of {image} cannot be reached: judged by what it said before"
    by_list = (
        image.image
        for number, image in enumerate(facts.images)
        if any(found.outcomes[number].why == "fits-by-manifest-list" for found in facts.nodes)
    )
    for name in dict.fromkeys(map(clean, by_list)):
        yield f"{name} fits by its manifest list alone: the platform in its config is mislabelled"


def _told(trouble: _Trouble) -> Iterator[str]:
    """An image in a denial: whose it is and what it offers, and below it where it ends how."""
    image = trouble.image
    offers = f" is for {name_some(image.platforms, _OFFERS_SHOWN)}" if image.platforms else ""
    yield f"- {trouble.whose()}: image {clean(image.image) or '(none)'}{_meant(image)}{offers}"
    for place in trouble.places[:_PLACES_SHOWN]:
        yield f"  on {place.where()}: {trouble.end(place)}"
    rest = sum(max(1, len(place.names)) for place in trouble.places[_PLACES_SHOWN:])
    if rest:
        yield f"  and on {more(rest, 'node')}"


def _meant(image: ImageFinding) -> str:
    """What an unqualified name stands for where that is not the same everywhere."""
    return f" (on CRI-O nodes {clean(image.on_crio)})" if image.on_crio else ""


def _warning(facts: Facts, trouble: _Trouble) -> str:
    place = trouble.places[0]
    rest = sum(max(1, len(one.names)) for one in trouble.places[1:])
    verb = "fails on" if place.verdict == "fails" else "may not run on"

    def text(most: int) -> str:
        image = trouble.image
        count, limit = (NODES_NAMED if most > 60 else 1), min(most, NAME_LIMIT)
        offers = f" ({name_some(image.platforms, count, limit)})" if image.platforms else ""
        where = place.where(count, limit) + (f" and {more(rest, 'node')}" if rest else "")
        name = f"{clean(image.image, most) or '(no image)'}{_meant(image) if most > 60 else ''}"
        named = f": {trouble.whose(most)}: {name}{offers}"
        return f"{named} {verb} {where}: {trouble.end(place)}"

    return _one_line(facts, text, _mends(facts, [trouble], brief=True))


def _one_line(facts: Facts, text: Callable[[int], str], mends: str) -> str:
    """A warning in the longest form that fits: names are shortened first, then the advice is left out.

    Forms are made when their turn comes, and those with the advice only where it fits beside the shortest names: on
    many nodes of a cluster it mostly does not.
    """

    @cache
    def said(most: int) -> str:
        return f"podgate: {subject(facts.workload, most)}{text(most)}"

    def forms() -> Iterator[str]:
        if mends and len(f"{said(_SHORTENED[-1])}; {mends}") <= WARNING_LIMIT:
            yield from (f"{said(most)}; {mends}" for most in _SHORTENED)
        yield from map(said, _SHORTENED)

    return fitted(forms(), WARNING_LIMIT)


def _constantly(text: str) -> Callable[[int], str]:
    return lambda _: text


def _mends(facts: Facts, troubles: Sequence[_Trouble], *, brief: bool = False) -> str:
    """What to do about it, most telling first; `brief`: what helps everywhere, else where the line tells of."""
    if facts.reason == "no-candidates":
        return _mend_candidates(facts)
    places = [(each, place) for each in troubles for place in each.places]
    if facts.remedy:  # it keeps the pod from nodes whose kubelets refuse it, too
        places = [(each, place) for each, place in places if place.why != "refused-by-kubelet"]
    alone = list(dict.fromkeys(filter(None, (each.mend(place) for each, place in places))))
    if brief and not facts.remedy and (told := troubles[0].mend(troubles[0].places[0])):
        return told
    fitting = [*filter(None, [_mend_fit(facts, troubles, brief=brief)])]
    all_of_them = [*fitting, *alone[:_MENDS_SHOWN]]
    return "; ".join(all_of_them[:1] if brief else all_of_them)


def _mend_candidates(facts: Facts) -> str:
    if facts.runtime_class == "contradicted":
        return "make the two agree"
    if facts.workload.constraints.node_name:
        return "check spec.nodeName, nodeSelector, affinity and tolerations"
    if spelt := misspelt(facts.workload.constraints):
        return f"write {spelt[0]}: {clean(usual_value(*spelt), 63)}"
    return "check nodeSelector, affinity and tolerations, or declare nodes that are to come in the settings"


def _mend_fit(facts: Facts, troubles: Sequence[_Trouble], *, brief: bool) -> str:
    """What keeps images from nodes on which they fail: other nodes, or other images where it is the platform."""
    unfit = [trouble for trouble in troubles if trouble.unfit]
    wanted = tuple(dict.fromkeys(platform for trouble in unfit for platform in trouble.unfit))
    build = f"build the image{'s' if len(unfit) > 1 else ''} for {name_some(wanted, NODES_NAMED)} too" if unfit else ""
    if facts.remedy:
        narrowed = f"add {clean(facts.remedy, 2 * TEXT_LIMIT)}"
        return narrowed if brief or not build else f"{narrowed}, or {build}"
    if brief or not build or facts.placed:
        return build
    offers = [set(trouble.image.platforms) for trouble in unfit]
    needs = facts.workload.constraints
    if facts.binding:
        needs = replace(needs, node_name="")  # the scheduler's choice, which the pod's author narrows
    instead = elsewhere(needs, sorted(set.intersection(*offers)), wanted, facts.added)
    return f"{build}, or {instead}" if instead else build


def _troubles(facts: Facts) -> list[_Trouble]:
    """The images in trouble, in the order of the pod; containers of one image that fares the same are together."""
    shown = _SHOWN.get(facts.reason, ("fails",))
    found: dict[tuple[str, tuple[str, ...], object, tuple[_Place, ...]], list[ImageFinding]] = {}
    for position, image in enumerate(facts.images):
        places = tuple(_places(facts.nodes, position, shown))
        if places:
            found.setdefault((image.image, image.platforms, image.error, places), []).append(image)
    logins: Logins = "named" if facts.workload.constraints.pull_secrets else "none"
    return [_Trouble(same[0], tuple(same), key[-1], logins) for key, same in found.items()]


def _places(nodes: Iterable[NodeFinding], position: int, shown: Sequence[Verdict]) -> Iterator[_Place]:
    """Where an image is in trouble, nodes of one platform together, in the order of the nodes."""
    found: dict[tuple[Verdict, Why, str, Pools], list[NodeGroup]] = {}
    for finding in nodes:
        outcome, node = finding.outcomes[position], finding.node
        if outcome.verdict in shown:
            pools: Pools = "unread" if node.name == UNREAD_NAME else "open" if node.may_be else ""
            groups = found.setdefault((outcome.verdict, outcome.why, platform_text(node.platform), pools), [])
            if node.name is not None:
                groups.append(finding.nodes)
    for (verdict, why, platform, pools), groups in found.items():
        yield _Place(verdict, why, platform, Names(groups), pools)
