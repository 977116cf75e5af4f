"""The words for each way in which an image ends, and for what mends it: tables, one row for each case.

No text may hold an address, a port or a detail of TLS: a user could make podgate look around in a network for him.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from webhook.core.decision import ImageFinding
from webhook.core.errors import ErrorCode
from webhook.core.node import ARCH_LABEL, OS_LABEL, WINDOWS_BUILD_LABEL
from webhook.core.outcome import Why
from webhook.core.platform import Platform, normalized
from webhook.core.scheduling import NodeSelectorTerm
from webhook.core.text import NAME_LIMIT, clean, either, name_some
from webhook.core.workload import PodConstraints

_END: Final[Mapping[Why, str]] = {
    "no-matching-entry": "the pull would be refused: no match for platform in manifest",
    "config-mismatch": "the container would end in: exec format error (by the image's config)",
    "invalid-reference": "no kubelet pulls it: invalid reference",
    "unsupported": "an image in Docker's schema 1, which containerd 2.1 and later do not pull",
    "refused-by-kubelet": "the kubelet would refuse the pod, which asks for another os",
    "config-contradicted": "its config does not fit, but a manifest list says that it does: one of them is mislabelled",
    "platform-unknown": "the image does not say which platform it is for",
    "image-unresolved": "the image could not be looked up",
    "matchers-disagree": "the node's container runtime is not known, and runtimes differ on this image",
    "node-platform-unknown": "the node does not say which platform it is",
    "not-pulled": "imagePullPolicy Never: the node runs what it has",
    "short-name": "CRI-O looks an unqualified name up in the node's own configuration",
}

_MEND: Final[Mapping[Why, str]] = {
    "invalid-reference": "correct the image reference",
    "unsupported": "push the image again in a current format",
    "refused-by-kubelet": f"make spec.os.name, the label {OS_LABEL} and the node selector agree",
    "config-contradicted": "name the image by that list, or correct the platform in its config",
    "platform-unknown": "build the image with a platform in its config",
    "node-platform-unknown": f"give the node the labels {OS_LABEL} and {ARCH_LABEL}",
    "not-pulled": "see that the node's own image is for its platform",
    "short-name": "write the image's registry before its name",
}
"""What mends each case by itself; where a platform does not fit, it depends on the pod (see `elsewhere`)."""

Pools = Literal["", "open", "unread"]
"""What a node to come is of, where nobody knows its platform: a NodePool that leaves it open, or NodePools unread."""

_END_OF_POOL: Final[Mapping[Pools, str]] = {
    "open": "the NodePool leaves the platform to its provider",
    "unread": "it is not known what they may give",
}
_MEND_POOL: Final[Mapping[Pools, str]] = {"open": f"name {ARCH_LABEL} in the NodePool's requirements"}
"""Instead of the above where it is the platform of such a node that is not known."""

_ERROR: Final[Mapping[ErrorCode, str]] = {
    "not-found": "not found in the registry",
    "unauthorized": "the registry wants credentials that are not at hand",
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

_MEND_ERROR: Final[Mapping[ErrorCode, str]] = {
    "rate-limited": "try again later, or with credentials",
    "unavailable": "try again later",
    "timeout": "try again later",
    "tls": "let podgate trust the registry's CA (settings: registries.hostsDir)",
    "blocked-address": "allow the address in the settings (registries.allowedAddresses)",
    "blocked-host": "allow the registry in the settings (registries.allowedHosts)",
    "too-large": "see what the registry holds under that name",
    "digest-mismatch": "see what the registry holds under that name",
    "malformed": "see what the registry holds under that name",
    "unsupported": "push the image again in a current format",
}

Logins = Literal["named", "none", "own"]
"""What a registry was asked with: pull secrets that the pod names, those of its ServiceAccount or nothing, or what
podgate has itself (inspect, which knows of no pod)."""

_MEND_LOGINS: Final[Mapping[Logins, str]] = {
    "named": "check the pull secrets",
    "none": "give the pod, or its ServiceAccount, a pull secret for it",
    "own": "log in to the registry, or check the credentials in the settings",
}
"""Of images that a registry shows to nobody, or not to whoever asks."""
_MEND_MISSING: Final[Mapping[Logins, str]] = {
    "named": "check the image's name and tag, and the pull secrets",
    "none": "check the image's name and tag; a private one takes a pull secret",
    "own": "check the image's name and tag; a private one takes a login",
}
"""Of images that are not there: many registries say so of private ones, too."""

_CREDENTIALS: Final[Mapping[str, str]] = {"secret": "pull secret", "serviceaccount": "ServiceAccount"}
"""How a problem with credentials begins that are the user's own, and what they are called."""

INTERNAL: Final = "podgate itself failed on it, as its log says"
"""What a user is told where a bug of podgate's kept an image from being known."""
SECRETS_UNREADABLE: Final = "the pull secrets could not be read: the API server does not answer"
"""What a user is told where nobody knows with which credentials to ask."""
NO_ADDRESS: Final = "the registry's name is none that can be asked"
"""What a user is told of a registry whose name no resolver takes, or of one that leads on to such a name."""
NOT_KEPT: Final = "not in the cache folder, and offline no registry is asked"
"""What a user is told of an image that an offline run knows nothing of."""

_ARCHITECTURES: Final = frozenset({"amd64", "arm64", "arm", "ppc64le", "s390x", "riscv64", "loong64"})
"""Architectures of nodes that there are. Nothing else that an image claims becomes a piece of advice."""
_SYSTEMS: Final = frozenset({"linux", "windows"})


def error_text(code: ErrorCode, where: str = "") -> str:
    """What a user is told of a fault: the meaning of its code. `where` is told of faults in the user's own input only:
    what is wrong with a reference, or which secret cannot be read."""
    if code in ("invalid-reference", "bad-credentials"):
        return clean(where) or code
    return _ERROR[code]


def end_of(why: Why, image: ImageFinding, platform: str, pools: Pools = "") -> str:
    """How it ends with an image on nodes of a platform (as text)."""
    if why == "node-platform-unknown" and pools:
        return _END_OF_POOL[pools]
    if why == "node-platform-unknown" and _parts(platform)[0] == "windows":
        return "the node does not say which Windows build it has"
    if image.error is not None and why in ("image-unresolved", "invalid-reference"):
        problem = clean(image.error[1])
        return problem if why == "image-unresolved" else f"no kubelet pulls it: {problem}"
    if why == "unsupported" and image.kind == "index":
        return "the index's entry for it is of a media type that containerd does not pull"
    if why == "config-mismatch" and image.platforms:
        system, architecture, _ = _parts(image.platforms[0])
        if system and system != _parts(platform)[0]:
            return "the container could not be made: the image's config is for another os"
        if architecture == _parts(platform)[1]:
            return "the processor may lack what the image needs (by the image's config)"
    return _END.get(why, why)


def mend_of(why: Why, image: ImageFinding, platform: str, pools: Pools = "", logins: Logins = "named") -> str:
    """What mends a case by itself; empty where that depends on the pod, or nothing does."""
    if why == "node-platform-unknown" and pools:
        return _MEND_POOL.get(pools, "")
    if why == "node-platform-unknown" and _parts(platform)[0] == "windows":
        return f"say the build by the label {WINDOWS_BUILD_LABEL}"
    if why == "image-unresolved" and image.error is not None:
        return _mend_fault(image, *image.error, logins)
    if why == "matchers-disagree":
        return f"build the image for {platform} exactly"
    return _MEND.get(why, "")


def _mend_fault(image: ImageFinding, code: ErrorCode, problem: str, logins: Logins) -> str:
    """What mends that an image could not be looked up."""
    if code == "bad-credentials":
        return _mend_credentials(image, problem)
    if problem == NOT_KEPT:
        return "run podgate once without --offline, with the same credentials"
    if problem == NO_ADDRESS:
        return "check the image's name"
    if code in ("unauthorized", "denied"):
        return _MEND_LOGINS[logins]
    return _MEND_MISSING[logins] if code == "not-found" else _MEND_ERROR.get(code, "")


def _mend_credentials(image: ImageFinding, problem: str) -> str:
    """What mends credentials that cannot be used: the problem begins with what is to be mended."""
    if image.missing_right:
        return f"allow {image.missing_right}"
    kind = next((name for word, name in _CREDENTIALS.items() if problem.startswith(f"{word} ")), "credentials")
    return f"mend the {kind}"


def elsewhere(
    constraints: PodConstraints, offered: Sequence[str], wanted: Sequence[str], added: Mapping[str, str]
) -> str:
    """How to get a pod to nodes on which its images run, from the platforms that all of them offer and those of the
    nodes that it may land on now. Empty where they offer none in common. `added`: the node selector of its
    RuntimeClass, which the pod cannot contradict: the API server would refuse it."""
    if not offered:
        return ""
    platforms = name_some(offered, 2)
    if constraints.node_name:
        return f"run it on a {platforms} node: change spec.nodeName"
    labels = _telling_labels(offered, wanted)
    if any(added.get(key, values[0]) not in values for key, values in labels.items()):
        name = clean(constraints.runtime_class, NAME_LIMIT)
        return f"run it on {platforms} nodes: by another RuntimeClass than {name}, which selects its nodes"
    return f"run it on {platforms} nodes{': ' if labels else ''}{_selecting(constraints, labels)}"


def _telling_labels(offered: Sequence[str], wanted: Sequence[str]) -> dict[str, list[str]]:
    """Labels, with their values, that nodes of the platforms offered have and those of the wanted ones have not; none
    where a variant or a Windows build is what does not fit, or there are no such nodes."""
    pairs = sorted({pair for pair in map(_node_pair, offered) if pair is not None})
    here = {(system, architecture) for system, architecture, _ in map(_parts, wanted)}
    if not pairs or any(pair in here for pair in pairs):
        return {}
    systems, architectures = (sorted(set(values)) for values in zip(*pairs, strict=True))
    labels = {OS_LABEL: systems} if set(systems) != {system for system, _ in here} else {}
    if not labels or not set(architectures) <= {architecture for _, architecture in here}:
        labels[ARCH_LABEL] = architectures
    return labels


def _selecting(constraints: PodConstraints, labels: Mapping[str, Sequence[str]]) -> str:
    """What to write into the pod so that it goes to nodes with these labels: a change of what it says already."""
    if not labels:
        return ""
    entries = ", ".join(f"{key}: {either(values)}" for key, values in labels.items())
    said = [key for key in labels if key in constraints.node_selector]
    if said and len(labels) == 1:
        return (
            f"change nodeSelector {said[0]}: {clean(constraints.node_selector[said[0]])} to {either(labels[said[0]])}"
        )
    if said:
        return f"change nodeSelector to {entries}"
    terms = constraints.affinity.terms if constraints.affinity else ()
    if any(one.key in labels for term in terms for one in term.expressions):
        return f"change the node affinity to {entries}"
    # None of the nodes that it selects is of these: a further condition would leave it without any.
    selects = {key: value for key, value in constraints.node_selector.items() if key not in (OS_LABEL, ARCH_LABEL)}
    if any(map(_selects, terms)) or len(selects) > 1:
        return f"nodeSelector {entries} instead of what selects its nodes now"
    for key, value in selects.items():
        return f"nodeSelector {entries} instead of {clean(f'{key}: {value}', NAME_LIMIT)}"
    return f"add nodeSelector {entries}"


def _selects(term: NodeSelectorTerm) -> bool:
    """Whether a term of an affinity picks nodes by more than their platform, and does not just leave some out."""
    by_labels = any(
        one.operator not in ("NotIn", "DoesNotExist") and one.key not in (OS_LABEL, ARCH_LABEL)
        for one in term.expressions
    )
    return by_labels or any(one.operator == "In" for one in term.fields)


def _node_pair(platform: str) -> tuple[str, str] | None:
    """os and architecture as the labels of nodes have them; None where there are no such nodes."""
    system, architecture, variant = _parts(platform)
    named = normalized(Platform(system, architecture, variant))
    known = named.os in _SYSTEMS and named.architecture in _ARCHITECTURES
    return (named.os, named.architecture) if known else None


def _parts(platform: str) -> tuple[str, str, str]:
    """os, architecture and variant of a platform as text."""
    system, _, rest = platform.partition(":")[0].partition("/")
    architecture, _, variant = rest.partition("/")
    return system, architecture, variant
