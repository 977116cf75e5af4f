"""Targets of the command line: nodes that are thought up, from one word each.

A target that is no node at all must not end in a verdict: what is misspelt, or contradicts itself, is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from webhook.core.errors import MalformedInput, MalformedPlatform
from webhook.core.known import has_nodes, unknown_word
from webhook.core.node import (
    ARCH_LABEL,
    OS_LABEL,
    VARIANT_LABEL,
    WINDOWS_BUILD_LABEL,
    emulated_platforms,
    kubelet_labels,
    with_build,
)
from webhook.core.platform import Platform, format_platform, parse_platform
from webhook.core.runtime import Runtime
from webhook.core.scheduling import Node, Taint

_OPTIONS: Final = "runtime=NAME://VERSION, label=K=V, taint=K=V:EFFECT"


@dataclass(slots=True)
class _Written:
    """What stands behind the platform of a target."""

    runtime: Runtime | None = None
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[Taint] = field(default_factory=list)


def parse_target(text: str) -> Node:
    """A node from PLATFORM[,runtime=NAME://VERSION][,label=K=V][,taint=K[=V]:EFFECT], named as it is written.

    A word for a platform that nobody knows counts where the node's own label says it too: whoever writes
    `linux/new,label=kubernetes.io/arch=new` means it. Raises MalformedInput.
    """
    head, *options = text.split(",")
    where = f"--target {text}"
    try:
        platform = parse_platform(head)
    except MalformedInput as error:
        raise MalformedInput(error.problem, "--target") from None
    written = _written(options, where)
    platform = _agreed(platform, head, written.labels, where)
    _refuse_unknown(platform, written.labels, where)
    labels = {**kubelet_labels(platform), **written.labels}
    runtime = written.runtime or Runtime()
    return Node(text, platform, runtime, labels, tuple(written.taints), emulated_platforms(labels, {}))


def doubt_about(target: Node) -> str:
    """What is odd about a target, as a note; empty where nothing is."""
    platform = target.platform
    if platform is None or has_nodes(platform) or unknown_word(platform) is not None:  # which its labels vouch for
        return ""
    kind = f"{platform.os}/{platform.architecture}"
    return f"--target {target.name}: no kind of node is known that is {kind}; is it misspelt?"


def _written(options: Sequence[str], where: str) -> _Written:
    found = _Written()
    for option in options:
        key, _, value = option.partition("=")
        label, equals, label_value = value.partition("=")
        if key == "runtime" and all(value.partition("://")):
            if found.runtime is not None:
                raise MalformedInput("names two runtimes, and a node has one", where)
            found.runtime = Runtime.parse(value)
        elif key == "label" and label and equals:
            if found.labels.setdefault(label, label_value) != label_value:
                raise MalformedInput(f"gives the label {label} two values", where)
        elif key == "taint":
            found.taints.append(_taint(value, where))
        else:
            raise MalformedInput(f"{option!r} is none of {_OPTIONS}", where)
    return found


def _agreed(platform: Platform, head: str, labels: dict[str, str], where: str) -> Platform:
    """The platform with what labels add to it: a variant, a Windows build. Raises MalformedInput where they contradict
    it: no kubelet has such labels, and which of the two was meant is not known."""
    for label, value in kubelet_labels(platform).items():
        if labels.get(label, value) != value:
            raise MalformedInput(f"is {value}, and by its label {label} it is {labels[label] or 'nothing'}", where)
    variant = labels.get(VARIANT_LABEL, "")
    if variant:
        try:
            named = parse_platform(f"{platform.os}/{platform.architecture}/{variant}").variant
        except MalformedPlatform:
            raise MalformedInput(f"{variant!r} is no variant (label {VARIANT_LABEL})", where) from None
        if head.count("/") > 1 and named != platform.variant:
            raise MalformedInput(f"is {format_platform(platform)}, and by its label {VARIANT_LABEL} {variant}", where)
        platform = replace(platform, variant=named)
    build = labels.get(WINDOWS_BUILD_LABEL, "")
    if build and platform.os_version and not f"{platform.os_version}.".startswith(f"{build}."):
        raise MalformedInput(f"is build {platform.os_version}, and by its label {WINDOWS_BUILD_LABEL} {build}", where)
    return with_build(platform, labels)


def _refuse_unknown(platform: Platform, labels: dict[str, str], where: str) -> None:
    vouched = [labels[label] for label in (OS_LABEL, ARCH_LABEL) if label in labels]
    if VARIANT_LABEL in labels:
        vouched.append(platform.variant)
    unknown = unknown_word(platform, vouched=vouched)
    if unknown is None:
        return
    word, meant = unknown
    if word == f"{platform.os}/{platform.architecture}":
        raise MalformedInput(f"no platform is known that is {word}; did you mean {meant}?", where)
    label, value = ARCH_LABEL, platform.architecture
    if word == platform.os:
        label, value = OS_LABEL, platform.os
    elif word.endswith(f"/{platform.variant}"):
        label, value = VARIANT_LABEL, platform.variant
    asked = f"; did you mean {meant}? If it is a new one" if meant else "; if it is a new one"
    raise MalformedInput(f"no platform is known that is {word}{asked}, add label={label}={value}", where)


def _taint(value: str, where: str) -> Taint:
    rest, colon, effect = value.rpartition(":")
    key, _, text = rest.partition("=")
    if not colon or not key or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise MalformedInput(f"{value!r} is no taint (K=V:NoSchedule, K:NoExecute)", where)
    return Taint(key, text, effect)
