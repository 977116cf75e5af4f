"""The reviews that the load is made of: an API server's own, recorded, each with a uid and a name of its own."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tests.support.serving import RECORDED

NAMESPACE = "rv-adm"
"""The namespace of the recorded pod."""


def pod_review(number: int, image: str, container: str = "app") -> bytes:
    """The review of a pod that a controller makes, as an API server sends it."""
    review: dict[str, Any] = json.loads(json.dumps(RECORDED["CREATE-Pod"]))
    request = review["request"]
    request |= {"uid": str(UUID(int=number, version=4)), "name": f"web-{number}", "namespace": NAMESPACE}
    pod = request["object"]
    pod["metadata"] |= {"name": request["name"], "uid": str(UUID(int=1 << 64 | number, version=4))}
    pod["spec"]["containers"][0] |= {"name": container, "image": image}
    return json.dumps(review, separators=(",", ":")).encode()


def pods_of(images: Sequence[str], count: int) -> list[bytes]:
    """So many reviews, which name the images in turn."""
    return [pod_review(number, images[number % len(images)]) for number in range(count)]


def unlike(images: Sequence[str], count: int) -> list[bytes]:
    """The same, of which none is of the same template as another."""
    return [pod_review(number, images[number % len(images)], f"app-{number}") for number in range(count)]
