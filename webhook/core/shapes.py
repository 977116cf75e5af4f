"""Nodes that are thought up: targets of the command line, and shapes that settings declare.

Nobody looks at such a node to see what it is, so that its words have to be right: what is misspelt, or contradicts
itself, must not end in a verdict that looks like one about a real node.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from webhook.core.errors import MalformedPlatform
from webhook.core.known import unknown_word
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


def shape_platform(text: str, labels: Mapping[str, str]) -> Platform:
    """The platform of such a node, os/architecture[/variant] and for Windows :os.version, with what its own labels add:
    a variant, a Windows build.

    A word that nobody knows counts where the node's label says it too: a node that is one has it anyway. Raises
    MalformedPlatform where nobody knows a word, and where labels contradict the platform.
    """
    platform = parse_platform(text)
    for label, value in kubelet_labels(platform).items():
        if labels.get(label, value) != value:
            raise MalformedPlatform(f"is {value}, and by its label {label} it is {labels[label] or 'nothing'}")
    platform = with_build(_with_variant(platform, labels, given=text.count("/") > 1), labels)
    build = labels.get(WINDOWS_BUILD_LABEL, "")
    if build and platform.os_version and not f"{platform.os_version}.".startswith(f"{build}."):
        raise MalformedPlatform(f"is build {platform.os_version}, and by its label {WINDOWS_BUILD_LABEL} {build}")
    _refuse_unknown(platform, labels)
    return platform


def shape_node(name: str, text: str, runtime: Runtime, labels: Mapping[str, str], taints: Iterable[Taint]) -> Node:
    """Such a node, with what a kubelet would tell of its platform beside its own labels, which count first. Raises
    MalformedPlatform."""
    platform = shape_platform(text, labels)
    told = {**kubelet_labels(platform), **labels}
    return Node(name, platform, runtime, told, tuple(taints), emulated_platforms(told, {}))


def _with_variant(platform: Platform, labels: Mapping[str, str], *, given: bool) -> Platform:
    """`given`: the platform is written with a variant, which the label has to agree with."""
    variant = labels.get(VARIANT_LABEL, "")
    if not variant:
        return platform
    try:
        named = parse_platform(f"{platform.os}/{platform.architecture}/{variant}").variant
    except MalformedPlatform:
        raise MalformedPlatform(f"{variant!r} is no variant (label {VARIANT_LABEL})") from None
    if given and named != platform.variant:
        raise MalformedPlatform(f"is {format_platform(platform)}, and by its label {VARIANT_LABEL} {variant}")
    return replace(platform, variant=named)


def _refuse_unknown(platform: Platform, labels: Mapping[str, str]) -> None:
    unknown = unknown_word(platform, vouched=_vouched(platform, labels))
    if unknown is None:
        return
    word, meant = unknown
    if word == f"{platform.os}/{platform.architecture}":
        raise MalformedPlatform(f"no platform is known that is {word}; did you mean {meant}?")
    label, value = ARCH_LABEL, platform.architecture
    if word == platform.os:
        label, value = OS_LABEL, platform.os
    elif word.endswith(f"/{platform.variant}"):
        label, value = VARIANT_LABEL, platform.variant
    asked = f"; did you mean {meant}? If it is a new one" if meant else "; if it is a new one"
    raise MalformedPlatform(f"no platform is known that is {word}{asked}, add the label {label}={value}")


def _vouched(platform: Platform, labels: Mapping[str, str]) -> Iterator[str]:
    """The words that labels say too: they agree with the platform by now."""
    told = {OS_LABEL: platform.os, ARCH_LABEL: platform.architecture, VARIANT_LABEL: platform.variant}
    yield from (word for label, word in told.items() if label in labels)
