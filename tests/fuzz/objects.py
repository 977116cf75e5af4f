"""The target of `podgate check`: files of Kubernetes objects, as they are read, sorted out and judged."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.fuzz.laws import SECRET, Answer, has_secret, hold, lines, one_line, tells_no_secret
from tests.service.conftest import node, pod, pull_secret, templated
from tests.support import images
from tests.support.walks import document
from webhook.check import Pace, judge_all, sort_out
from webhook.cluster.documents import load_documents
from webhook.cluster.files import FileCluster
from webhook.core.decision import Judgement
from webhook.core.errors import MalformedObject, RegistryError
from webhook.core.manifest import Document, Role
from webhook.core.reference import Reference
from webhook.ports import Access, Image
from webhook.reading import read_manifests
from webhook.report.document import check_document
from webhook.service import Judge
from webhook.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

IMAGES = {
    "reg.example/team/app:1": images.multi("linux/amd64", "linux/arm64"),
    "reg.example/team/arm:1": images.single("linux/arm64"),
    "reg.example/team/z:1": images.single("linux/s390x"),
    "reg.example/team/zs:1": images.multi("linux/s390x", "linux/ppc64le"),
    "reg.example/team/odd:1": images.mislabelled("linux/amd64", "linux/arm64"),
    "reg.example/team/chart:1": images.artifact(),
}
"""What there is in the registry, by name and tag."""
MADE_FOR = {
    "reg.example/team/app:1": ("amd64", "arm64"),
    "reg.example/team/arm:1": ("arm64",),
    "reg.example/team/z:1": ("s390x",),
    "reg.example/team/zs:1": ("s390x", "ppc64le"),
}
"""The architectures of those that are for Linux and say so, as they were made: podgate's reading has no part in it."""


class Library:
    """A `ports.Images` of IMAGES, by which the wire is left out."""

    def __init__(self) -> None:
        self._roots = {name: document(image.root) for name, image in IMAGES.items()}
        contents = (content for image in IMAGES.values() for content in image.documents.values())
        self._documents = {content.digest: document(content) for content in contents}

    async def resolve(self, reference: Reference, access: Access) -> Image:
        """The root of a reference. Raises RegistryError where there is none."""
        found = self.at_hand(reference, access)
        if found is None:
            raise RegistryError("not-found", "no such image")
        return found

    async def fetch(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:
        """A document by digest. Raises RegistryError where there is none."""
        if digest not in self._documents:
            raise RegistryError("not-found", "no such document")
        return self._documents[digest]

    def at_hand(self, reference: Reference, access: Access) -> Image | None:
        """All is at hand."""
        name = f"{reference.domain}/{reference.path}:{reference.tag}"
        found = self._documents.get(reference.digest) if reference.digest else self._roots.get(name)
        return None if found is None else Image(reference, found)

    def document_at_hand(self, reference: Reference, digest: str, role: Role, access: Access) -> Document | None:
        """All is at hand."""
        return self._documents.get(digest)

    async def known_lists(self, reference: Reference, digest: str, access: Access) -> tuple[Document, ...]:
        """None."""
        return ()


class Objects:
    """A file of objects: nodes, what is judged, and what that needs."""

    name = "objects"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory(prefix="podgate-fuzz-")
        self._images = Library()
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.cleanup()
        self._loop.close()

    def seeds(self) -> list[bytes]:
        samples = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
        nodes = [node("amd-1"), node("arm-1", "linux/arm64", "cri-o://1.33.0", taints=["a=b:NoSchedule"])]
        windows = node(
            "win-1", "windows/amd64:10.0.20348.2113", labels={"node.kubernetes.io/windows-build": "10.0.20348"}
        )
        made = [[*nodes, windows, pod(name)] for name in (*IMAGES, "nginx", "reg.example/team/none@sha256:" + "0" * 64)]
        for kind in ("Deployment", "DaemonSet", "Job", "CronJob", "PodTemplate", "StatefulSet"):
            template = templated(
                kind, "reg.example/team/app:1", "reg.example/team/z:1", nodeSelector={"kubernetes.io/arch": "arm64"}
            )
            made.append([*nodes, template, pull_secret("pull", {"reg.example": f"user:{SECRET}"})])
        made += [
            [*nodes, obj]
            for obj in (CONSTRAINED, NODE_POOL, RUNTIME_CLASS, {"kind": "List", "apiVersion": "v1", "items": nodes})
        ]
        found = ["\n---\n".join(json.dumps(obj) for obj in one).encode() for one in made]
        found += [json.dumps({"apiVersion": "v1", "kind": "List", "items": one}).encode() for one in made]
        return [*(sample.read_bytes() for sample in samples), *found, YAML.encode()]

    def answer(self, data: bytes) -> Answer:
        try:
            objects = load_documents(data, "file.yaml")
        except MalformedObject as error:
            hold(str(error).startswith("file.yaml"), f"names no file: {error}")
            tells_no_secret((error.problem,))
            return Answer("refused", str(error))
        for one in objects:
            again = load_documents(json.dumps(one.object, allow_nan=False), one.source)
            hold([found.object for found in again] == [one.object], f"read otherwise as JSON: {one.source}")
        file = Path(self._folder.name) / "file.yaml"
        file.write_bytes(data)
        reading = read_manifests([str(file)], recursive=False, places=True)
        hold(reading.objects == len(objects), f"{reading.objects} objects read of {len(objects)}")
        cluster = FileCluster(admitted=False)
        found = sort_out(reading, cluster, "team")
        checked = self._loop.run_until_complete(judge_all(Judge(Settings(), self._images, cluster), found, Pace()))
        text = json.dumps(check_document(checked))
        problems = [one.text for one in reading.problems]
        if not any(has_secret(json.dumps(_public(one.object))) for one in objects):
            tells_no_secret((text, *problems, *reading.notes))
        for note in reading.notes:
            one_line(note)
        for judgement in (one.judgement for one in checked):
            _is_fit_to_print(judgement.decision, judgement.messages)
            _is_what_images_are_made_for(judgement)
        decisions = sorted({one.judgement.decision for one in checked})
        return Answer(decisions[0] if decisions else "nothing judged", (text, problems, reading.notes))


def _public(obj: Mapping[str, object]) -> Mapping[str, object]:
    """What is no secret of an object: all but the content of a Secret. (What is a password there may have got into some
    object's name here.)"""
    is_secret = (obj.get("apiVersion"), obj.get("kind")) == ("v1", "Secret")
    return {key: value for key, value in obj.items() if not is_secret or key not in ("data", "stringData")}


def _is_what_images_are_made_for(judgement: Judgement) -> None:
    """No wrong denial and no wrong admission, by what images were made for and nodes are, whatever else is damaged."""
    verdicts = {finding.verdict for finding in judgement.findings}
    if judgement.decision == "deny":
        workload = judgement.workload
        for_some = workload.template and workload.every_node  # a DaemonSet is to run on each of its nodes
        hold(verdicts == {"fails"} or (for_some and "fails" in verdicts), f"denied without a reason: {verdicts}")
    for finding in judgement.findings:
        there = finding.node.platform
        if there is None or (there.os, there.architecture, there.variant) not in _PLAIN or finding.node.emulates:
            continue  # what else there is may go by another name
        for image, outcome in zip(judgement.images, finding.outcomes, strict=True):
            made_for = MADE_FOR.get(image.image)
            if made_for is not None and outcome.why not in _WHATEVER_THE_IMAGE:
                wrong = "fails" if there.architecture in made_for else "runs"
                hold(outcome.verdict != wrong, f"wrong about an image: {image.image} on {there}: {outcome}")


_PLAIN = {("linux", name, variant) for name in ("amd64", "arm64", "s390x", "ppc64le") for variant in ("", "v8")}
_WHATEVER_THE_IMAGE = ("refused-by-kubelet", "exempt")


def _is_fit_to_print(decision: str, messages: tuple[str, ...]) -> None:
    """A denial may have several lines, a warning one."""
    for message in messages:
        lines(message)
    if decision == "warn":
        hold(len(messages) <= 8, f"{len(messages)} warnings")
        for message in messages:
            one_line(message, 256)


CONSTRAINED = pod(
    "reg.example/team/app:1",
    affinity={
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [
                            {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "s390x"]},
                            {"key": "size", "operator": "Gt", "values": ["5"]},
                        ],
                        "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["arm-1"]}],
                    },
                    {"matchExpressions": [{"key": "gone", "operator": "DoesNotExist"}]},
                ]
            }
        }
    },
    tolerations=[{"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}, {"operator": "Exists"}],
    initContainers=[{"name": "init", "image": "reg.example/team/arm:1", "restartPolicy": "Always"}],
    ephemeralContainers=[{"name": "debug", "image": "busybox", "imagePullPolicy": "Never"}],
    volumes=[{"name": "v", "image": {"reference": "reg.example/team/zs:1"}}],
    runtimeClassName="gvisor",
    os={"name": "linux"},
    nodeName="amd-1",
    schedulingGates=[{"name": "gate"}],
    imagePullSecrets=[{"name": "pull"}],
    serviceAccountName="builder",
)
NODE_POOL = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "pool"},
    "spec": {
        "limits": {"cpu": "10"},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
                "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"], "minValues": 1}],
                "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}],
                "startupTaints": [{"key": "s", "effect": "NoExecute"}],
            },
        },
    },
}
RUNTIME_CLASS = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "gvisor"},
    "handler": "runsc",
    "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "a", "operator": "Exists"}]},
}
YAML = """\
apiVersion: v1
kind: Node
metadata: &m
  name: amd-1
  labels: {kubernetes.io/os: linux, "kubernetes.io/arch": amd64, on: yes, n: 010, f: 1e3, t: 2001-01-01}
spec:
  taints: []
---
apiVersion: v1
kind: Pod
metadata:
  <<: *m
  annotations:
    text: |
      more
    folded: >-
      and
      more
    data: !!binary aGVsbG8=
spec:
  containers:
  - name: a
    image: 'reg.example/team/app:1'
    args: [~, "a\\x00b", ! x]
  nodeSelector:
    ? kubernetes.io/arch
    : "amd64"
...
"""
