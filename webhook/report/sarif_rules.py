"""The rules that a SARIF log refers to, with their help: one for each reason not simply to allow an object."""

from collections.abc import Sequence
from typing import Any, Final


def _rule(identity: str, name: str, level: str, texts: tuple[str, str, str]) -> dict[str, Any]:
    """A reporting descriptor [3.49]; `texts`: in short, in full, and what mends it."""
    short, full, mend = texts
    return {
        "id": identity,
        "name": name,
        "shortDescription": {"text": short},
        "fullDescription": {"text": full},
        "help": {"text": f"{full}\n\n{mend}", "markdown": f"{full}\n\n**What mends it.** {mend}"},
        "defaultConfiguration": {"level": level},
    }


RULES: Final[Sequence[dict[str, Any]]] = (
    _rule(
        "mismatch",
        "ImageCannotRun",
        "error",
        (
            "An image cannot run on any node that the pod may land on.",
            (
                "On every node that the pod may be scheduled to (a DaemonSet: on some node that it is to run"
                " on), an image has no entry for the node's platform, or holds programs for another one. The"
                " pull is refused, or the container ends at once with an exec format error."
            ),
            (
                "Build the image for the platforms of the nodes, take a tag that has them, or let the pod"
                " onto nodes that the image is for, by nodeSelector or affinity."
            ),
        ),
    ),
    _rule(
        "partial",
        "ImageRunsOnSomeNodes",
        "warning",
        (
            "An image cannot run on some of the nodes that the pod may land on.",
            (
                "On some nodes that the pod may be scheduled to, an image has nothing for the node's"
                " platform; on others it runs. Where the pod lands is up to the scheduler, and may change with"
                " the next rollout."
            ),
            (
                "Narrow the pod to the nodes on which it runs, by the nodeSelector that the message names, or"
                " build the image for the other platforms too."
            ),
        ),
    ),
    _rule(
        "undetermined",
        "ImageNotKnown",
        "warning",
        (
            "It is not known whether an image runs on the nodes that the pod may land on.",
            (
                "An image could not be looked up (it does not exist, a login is missing, the registry does"
                " not answer), or does not say what it is for. Nothing is denied for it."
            ),
            "The message says what was in the way. `podgate inspect IMAGE` shows each request that was made.",
        ),
    ),
    _rule(
        "no-candidates",
        "NoNodeTakesThePod",
        "warning",
        (
            "No known node takes the pod, so that its images were not checked.",
            (
                "Node selector, affinity and tolerations of the pod leave none of the nodes that podgate was"
                " told of, and demand no architecture either."
            ),
            (
                "Mend the pod's constraints, or tell podgate of the nodes that are meant: a file of nodes, or"
                " a target with their labels and taints."
            ),
        ),
    ),
)
"""In the order of their numbers (`ruleIndex`)."""

NOTIFICATIONS: Final[Sequence[dict[str, Any]]] = (
    {"id": "unreadable", "shortDescription": {"text": "Something could not be read, or was not understood."}},
    {"id": "remark", "shortDescription": {"text": "A remark that changes nothing."}},
)
