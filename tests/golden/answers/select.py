"""The form of golden/select: which manifest each runtime ends with for a node.

What a node does not say the libraries take from where they run, which was linux/amd64: an empty os, and for
containers/image an empty architecture.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from webhook.core.crio import choose
from webhook.core.descriptor import Descriptor
from webhook.core.platform import LATEST, Platform
from webhook.core.pull import PullRefused, pull


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """`containerd_only`, `containerd_transfer`, `crio`: a digest, or an error's class."""
    node = question["node"]
    platform = Platform(
        node.get("os") or "linux",
        node.get("architecture", ""),
        node.get("variant", ""),
        node.get("os_version", ""),
        tuple(node.get("os_features") or ()),
    )
    blobs = {digest: text.encode() for digest, text in question["blobs"].items()}
    root = Descriptor(question["root"]["media_type"], question["root"]["digest"])
    root = Descriptor(root.media_type, root.digest, len(blobs.get(root.digest, b"")))
    return {
        "containerd_only": _answered(lambda: pull(root, blobs, platform, LATEST, transfer=False)),
        "containerd_transfer": _answered(lambda: pull(root, blobs, platform, LATEST, transfer=True)),
        "crio": _answered(lambda: _crio(root, blobs, replace(platform, architecture=platform.architecture or "amd64"))),
    }


def _crio(root: Descriptor, blobs: dict[str, bytes], node: Platform) -> str:
    if root.digest not in blobs:
        raise PullRefused("missing", root.digest)
    return choose(root.media_type, blobs[root.digest], node) or root.digest


def _answered(ask: Callable[[], str]) -> dict[str, str]:
    try:
        return {"digest": ask()}
    except PullRefused as refused:
        prefix = "pull_" if refused.pulling else ""
        return {"error": prefix + refused.reason, "error_text": refused.problem}
