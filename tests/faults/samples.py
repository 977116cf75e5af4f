"""The images that the matrix asks about, and the pods that name them."""

import json
import uuid
from typing import Any, Literal, get_args

from tests.faults.names import DOMAIN
from tests.service.conftest import node
from tests.support import images as build
from tests.support.images import Content, Image
from tests.support.serving import changed

Kind = Literal["index", "manifest"]
State = Literal["cold", "cached"]
Fit = Literal["fits", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STATES: tuple[State, ...] = get_args(State)
FITS: tuple[Fit, ...] = get_args(Fit)

NODES = [node("arm-1", "linux/arm64")]
"""The cluster: one node."""

IMAGES: dict[str, Image] = {
    "index-fits": build.multi("linux/amd64", "linux/arm64"),
    "index-other": build.multi("linux/amd64", "linux/s390x"),
    "manifest-fits": build.single("linux/arm64"),
    "manifest-other": build.single("linux/amd64"),
}
"""By repository: `fits` runs on the node, `other` does not."""


def config_of(image: Image) -> Content:
    """The config of a single manifest."""
    return next(blob for blob in image.blobs if blob.media_type == build.OCI_CONFIG)


def host_of(registry: str, kind: Kind, state: State, fit: Fit) -> str:
    """The name under which a registry holds one image: circuits and tokens belong to a name, so each has its own."""
    return f"{kind}-{state}-{fit}.{registry}.{DOMAIN}"


def review(image: str) -> tuple[str, bytes]:
    """An AdmissionReview of a new pod with an image, and its uid."""
    uid = str(uuid.uuid4())
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "team", "uid": uid},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    body = changed("CREATE-Pod", uid=uid, namespace="team", name="web", object=pod)
    return uid, json.dumps(body).encode()
