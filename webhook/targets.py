"""Targets of the command line: nodes that are thought up, from one word each.

What names no node at all is refused; what may be odd is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook.core.errors import MalformedInput, MalformedPlatform
from webhook.core.known import has_nodes, unknown_word
from webhook.core.runtime import Runtime
from webhook.core.scheduling import Node, Taint
from webhook.core.shapes import shape_node

_OPTIONS: Final = "runtime=NAME://VERSION, label=K=V, taint=K=V:EFFECT"


@dataclass(slots=True)
class _Written:
    """What stands behind the platform of a target."""

    runtime: Runtime | None = None
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[Taint] = field(default_factory=list)


def parse_target(text: str) -> Node:
    """A node from PLATFORM[,runtime=NAME://VERSION][,label=K=V][,taint=K[=V]:EFFECT], named as it is written.

    Raises MalformedInput, for what is no node as well (core/shapes.py).
    """
    head, *options = text.split(",")
    where = f"--target {text}"
    written = _written(options, where)
    try:
        return shape_node(text, head, written.runtime or Runtime(), written.labels, written.taints)
    except MalformedPlatform as error:
        raise MalformedPlatform(error.problem, where if text else "--target") from None


def doubts_about(target: Node) -> Iterator[str]:
    """What is odd about a target, as notes."""
    platform, runtime = target.platform, target.runtime
    # What nobody knows at all its labels have vouched for.
    if platform is not None and not has_nodes(platform) and unknown_word(platform) is None:
        kind = f"{platform.os}/{platform.architecture}"
        yield f"--target {target.name}: no kind of node is known that is {kind}; is it misspelt?"
    if runtime.text and runtime.selection == "unknown":
        what = f"{runtime.text} is no version of a container runtime that is known"
        yield f"--target {target.name}: {what}; images on which runtimes differ are uncertain there"


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


def _taint(value: str, where: str) -> Taint:
    rest, colon, effect = value.rpartition(":")
    key, _, text = rest.partition("=")
    if not colon or not key or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise MalformedInput(f"{value!r} is no taint (K=V:NoSchedule, K:NoExecute)", where)
    return Taint(key, text, effect)
