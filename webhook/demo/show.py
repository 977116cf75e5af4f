"""The demo as people see it: samples sent for admission over HTTPS, the answers printed as kubectl prints them."""

import json
import os
import shlex
import ssl
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, TextIO

import aiohttp
import yaml

from webhook.core.errors import CannotServe
from webhook.core.message import clean, platform_text
from webhook.core.scheduling import Node

REGISTRY: Final = "registry.example"
"""The registry that the samples name; the demo's own registry stands behind it."""
WEBHOOK: Final = "validate.podgate.dev"
"""The webhook's name in the configuration of an installation, which kubectl prints."""

_PLURALS: Final = {
    "Pod": ("", "v1", "pods"),
    "Deployment": ("apps", "v1", "deployments"),
    "DaemonSet": ("apps", "v1", "daemonsets"),
    "Job": ("batch", "v1", "jobs"),
    "CronJob": ("batch", "v1", "cronjobs"),
    "Secret": ("", "v1", "secrets"),
}

HEADER: Final = """\
podgate demo. There is no cluster: the nodes come from a file, the registry runs in this process,
and nothing is stored. The webhook is the real one, called over HTTPS as an API server calls it.
"""

FOOTER: Final = """\
Now a manifest of yours, against nodes of your choice:
  podgate check -f YOUR.yaml --target linux/amd64 --target linux/arm64
or against your cluster's own nodes:
  podgate check -f YOUR.yaml
"""


def counted(counts: Mapping[str, int]) -> str:
    """What was seen, in numbers."""
    return f"{counts['denied']} denied, {counts['warned']} warned of, {counts['admitted']} admitted."


def nodes_line(nodes: Sequence[Node]) -> str:
    """The nodes by platform, for the header."""
    by_platform: dict[str, list[str]] = {}
    for node in nodes:
        by_platform.setdefault(platform_text(node.platform), []).append(str(node.name))
    shown = (f"{', '.join(names)} ({platform})" for platform, names in by_platform.items())
    return f"Nodes: {'; '.join(shown)}.\n"


def kept(port: int, registry_port: int, folder: Path) -> str:
    """How to go on with a demo that is left up; `folder` holds its files."""
    return f"""
Left up until Ctrl-C:
  webhook   https://127.0.0.1:{port}/validate (POST an AdmissionReview; --cacert {folder / "ca.crt"})
  registry  http://127.0.0.1:{registry_port}/v2/
Its samples by the other way in:
  podgate check -f {folder / "samples"} --nodes {folder / "nodes.yaml"} --config {folder / "settings.yaml"}
"""


def sample_names() -> list[str]:
    """The names of the sample manifests, in the order they are shown."""
    folder = files("webhook.demo") / "samples"
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def sample_text(name: str) -> str:
    """A sample manifest."""
    return (files("webhook.demo") / "samples" / name).read_text(encoding="utf-8")


def nodes_text() -> str:
    """The demo's nodes, as `kubectl get nodes -o yaml` prints nodes."""
    return (files("webhook.demo") / "nodes.yaml").read_text(encoding="utf-8")


def comment_of(text: str) -> list[str]:
    """The comment at the head of a sample, which says what is to be seen."""
    lines = text.splitlines()
    return [line.removeprefix("#").strip() for line in takewhile(lambda line: line.startswith("#"), lines)]


def command_for(image: str) -> str:
    """What makes a pod of an image."""
    return f"kubectl run yours --image={shlex.quote(clean(image))}"


def pod_of(image: str) -> dict[str, Any]:
    """A pod that runs one image anywhere: how an image of the reader's own is tried."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "yours"},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }


class Presenter:
    """Sends objects for admission and prints what becomes of them; counts decisions by kind."""

    def __init__(self, port: int, trust: ssl.SSLContext, output: TextIO) -> None:
        self._url = f"https://127.0.0.1:{port}/validate?timeout=10s"
        self._trust = trust
        self._output = output
        self.counts = {"denied": 0, "warned": 0, "admitted": 0}

    async def apply(self, name: str, text: str) -> None:
        """One manifest, as if it were applied: its comment, then what becomes of each object."""
        self._say("")
        for line in comment_of(text):
            self._say(f"# {line}")
        self._say(f"$ kubectl apply -f {name}")
        for obj in objects_of(text):
            await self._show(obj, f'error when creating "{name}": ')

    async def run(self, image: str) -> None:
        """A pod of an image, as if it were run."""
        self._say("")
        self._say(f"$ {command_for(image)}")
        await self._show(pod_of(image), "")

    async def _show(self, obj: Mapping[str, Any], opening: str) -> None:
        # Only what is judged is sent: an API server would not call the webhook for a Secret, either.
        answer = await self._admit(obj) if obj["kind"] != "Secret" else {"allowed": True}
        for line in self._printed(obj, answer, opening):
            self._say(line)

    async def _admit(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a review. Raises CannotServe where there is no way to the webhook: a sandbox without a loopback
        interface."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(self._url, data=json.dumps(review_of(obj)), ssl=self._trust) as response,
            ):
                answer: dict[str, Any] = (await response.json())["response"]
                return answer
        except aiohttp.ClientConnectionError as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            where = self._url.partition("/validate")[0]
            problem = f"the demo's own webhook at {where} cannot be reached: {reason}; is loopback up?"
            raise CannotServe(problem) from None

    def _printed(self, obj: Mapping[str, Any], answer: Mapping[str, Any], opening: str) -> Iterator[str]:
        """As kubectl prints an answer of the API server."""
        for warning in answer.get("warnings", ()):
            yield f"Warning: {warning}"
        if not answer["allowed"]:
            self.counts["denied"] += 1
            refusal = f'admission webhook "{WEBHOOK}" denied the request: {answer["status"]["message"]}'
            yield f"Error from server (Forbidden): {opening}{refusal}"
            return
        if obj["kind"] != "Secret":
            self.counts["warned" if answer.get("warnings") else "admitted"] += 1
        group = _PLURALS[obj["kind"]][0]
        name = f"{obj['kind'].lower()}{'.' + group if group else ''}/{clean(obj['metadata']['name'])}"
        yield f"{name} created (not stored: demo)"

    def _say(self, line: str) -> None:
        self._output.write(f"{line}\n")
        self._output.flush()


def review_of(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The AdmissionReview with which an API server asks about the creation of an object."""
    group, version, plural = _PLURALS[obj["kind"]]
    kind = {"group": group, "version": version, "kind": obj["kind"]}
    resource = {"group": group, "version": version, "resource": plural}
    request = {
        "uid": str(uuid.uuid4()),
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": obj["metadata"]["name"],
        "namespace": "default",
        "operation": "CREATE",
        "userInfo": {"username": "demo", "groups": ["system:authenticated"]},
        "object": obj,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def objects_of(text: str) -> list[dict[str, Any]]:
    """The objects of a sample."""
    return [obj for obj in yaml.safe_load_all(text) if obj is not None]
