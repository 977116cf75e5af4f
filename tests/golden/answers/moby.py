"""The form of golden/moby: is the image that dockerd has there for a platform?

The file's lease and content store stand in for what a registry would be asked: a resource of type content is a
document that may be a manifest list, and `blobs` answers for digests. dockerd ran on linux, which is what an empty os
means there.
"""

from typing import Any

from webhook.core.dockerimage import read_image
from webhook.core.errors import MalformedDocument
from webhook.core.lookup import Config, Lists, Step, look_up
from webhook.core.manifest import Document
from webhook.core.platform import LATEST, Platform
from webhook.core.selection import Want


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """`found`; `config`, the config alone decides; `error`, mismatch or config."""
    try:
        claimed = read_image(question["config"].encode())
    except MalformedDocument as error:
        return {"found": False, "config": False, "error": "config", "error_text": str(error)}
    step = _drive(question, Config(question["image"], claimed))
    if step == "mismatch":
        return {"found": False, "config": False, "error": "mismatch"}
    return {"found": True, "config": step in {"fits", "variant-not-given"}}


def _drive(question: dict[str, Any], config: Config) -> Step:
    store = {digest: Document("", digest, text.encode()) for digest, text in question["blobs"].items()}
    held = [one["ID"] for one in question["resources"] or () if one["Type"] == "content"]
    walk = look_up(config, _platform(question["platform"]), LATEST, empty_os="linux")
    try:
        want = next(walk)
        while True:
            if isinstance(want, Want):
                want = walk.send(store.get(want.digest))
            else:
                want = walk.send(Lists(reached=tuple(store[digest] for digest in held if digest in store)))
    except StopIteration as stop:
        step: Step = stop.value
        return step


def _platform(fields: dict[str, Any]) -> Platform:
    return Platform(
        fields.get("os", ""),
        fields.get("architecture", ""),
        fields.get("variant", ""),
        fields.get("os.version", ""),
        tuple(fields.get("os.features") or ()),
    )
