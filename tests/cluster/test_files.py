"""A cluster from files, and the file of nodes that is read again."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.apiserver import node
from webhook.cluster.documents import load_documents
from webhook.cluster.files import FileCluster
from webhook.cluster.watched import WatchedFile
from webhook.core.errors import BadCredentials, MalformedObject
from webhook.core.workload import PodConstraints

CONFIG = '{"auths": {"reg.example": {"auth": "dTpw"}}}'
JSON_TYPE = "kubernetes.io/dockerconfigjson"


def secret(name: str, namespace: str | None = "team", **fields: Any) -> dict[str, Any]:
    """A pull secret; `fields` replace its parts."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    data = {".dockerconfigjson": base64.b64encode(CONFIG.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": JSON_TYPE, "data": data} | fields


def account(name: str, *secrets: str, namespace: str = "team") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
        "imagePullSecrets": [{"name": each} for each in secrets],
    }


async def pulled(cluster: FileCluster, *names: str, template: bool = False, account: str = "") -> list[str]:
    constraints = PodConstraints(pull_secrets=names, service_account=account)
    return [each.name for each in await cluster.pull_secrets("team", constraints, template=template)]


async def test_objects_count_as_if_in_the_cluster() -> None:
    text = f"""
{json.dumps(node("b", "arm64"))}
---
{json.dumps(node("a"))}
---
apiVersion: v1
kind: Namespace
metadata: {{name: team, labels: {{podgate.dev/mode: audit}}}}
---
apiVersion: v1
kind: Secret
type: {JSON_TYPE}
metadata: {{name: pull}}
stringData: {{.dockerconfigjson: '{CONFIG}'}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {{name: gvisor}}
handler: runsc
scheduling: {{nodeSelector: {{sandbox: "yes"}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
---
apiVersion: example.com/v1
kind: Node
metadata: {{name: not-a-node}}
"""
    cluster = FileCluster.from_documents((obj for _, obj in load_documents(text, "f")), namespace="team")
    assert [each.name for each in cluster.nodes()] == ["a", "b"]
    assert cluster.nodes() is cluster.nodes()
    assert cluster.namespace_labels("team") == {"podgate.dev/mode": "audit"}
    assert cluster.namespace_labels("default") is None
    gvisor = await cluster.runtime_class("gvisor")
    assert gvisor is not None
    assert (gvisor.handler, gvisor.node_selector) == ("runsc", {"sandbox": "yes"})
    assert await cluster.runtime_class("kata") is None
    (found,) = await cluster.pull_secrets("team", PodConstraints(pull_secrets=("pull",)), template=False)
    assert (found.namespace, found.name, found.type, found.data) == ("team", "pull", JSON_TYPE, CONFIG.encode())


async def test_secrets_are_given_in_the_order_of_the_pod_and_missing_ones_skipped() -> None:
    cluster = FileCluster.from_documents([secret("a"), secret("b"), secret("c", "other")])
    assert await pulled(cluster, "b", "gone", "", "c", "a", "b") == ["b", "a"]


async def test_the_service_accounts_secrets_count_for_templates_that_name_none() -> None:
    documents = [secret("a"), secret("b"), secret("c"), account("default", "a"), account("builder", "b", "")]
    cluster = FileCluster.from_documents(documents)
    assert await pulled(cluster) == []
    assert await pulled(cluster, template=True) == ["a"]
    assert await pulled(cluster, template=True, account="builder") == ["b"]
    assert await pulled(cluster, template=True, account="gone") == []
    assert await pulled(cluster, template=True, account="../default") == []
    assert await pulled(cluster, "c", template=True) == ["c"]
    as_written = FileCluster.from_documents(documents, admitted=False)
    assert await pulled(as_written) == ["a"]


@pytest.mark.parametrize(
    "other",
    [
        {"type": "Opaque"},
        {"type": None},
        {"type": ["a"]},
        {"type": "kubernetes.io/tls", "data": {".dockerconfigjson": "!"}},
    ],
)
async def test_secrets_of_other_types_are_passed_over(other: dict[str, Any]) -> None:
    """MakeDockerKeyring looks at type and key together."""
    assert await pulled(FileCluster.from_documents([secret("a") | other, secret("b")]), "a", "b") == ["b"]


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({"data": {".dockerconfigjson": "aG\nk=\r\n"}}, b"hi"),
        ({"data": {".dockerconfigjson": ""}}, b""),
        ({"data": {".dockerconfigjson": None}}, b""),
        ({"data": {".dockerconfigjson": "aGk="}, "stringData": {".dockerconfigjson": "over"}}, b"over"),
        ({"stringData": {".dockerconfigjson": "half \ud83d"}}, "half \ufffd".encode()),
        ({"data": {".dockerconfigjson": "aGk="}, "stringData": {"other": "x"}}, b"hi"),
        ({"type": "kubernetes.io/dockercfg", "data": {".dockercfg": "aGk=", ".dockerconfigjson": "?"}}, b"hi"),
    ],
)
async def test_what_a_secret_holds(fields: dict[str, Any], data: bytes) -> None:
    cluster = FileCluster.from_documents([secret("a", **fields)])
    (found,) = await cluster.pull_secrets("team", PodConstraints(pull_secrets=("a",)), template=False)
    assert found.data == data


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"data": {}}, "has no key .dockerconfigjson, which its type kubernetes.io/dockerconfigjson demands"),
        ({"data": None}, "has no key .dockerconfigjson, which its type kubernetes.io/dockerconfigjson demands"),
        ({"data": ["x"]}, "has no key .dockerconfigjson, which its type kubernetes.io/dockerconfigjson demands"),
        ({"type": "kubernetes.io/dockercfg"}, "has no key .dockercfg, which its type kubernetes.io/dockercfg demands"),
        ({"data": {".dockerconfigjson": "aGk"}}, "the key .dockerconfigjson cannot be decoded"),
        ({"data": {".dockerconfigjson": "a-_="}}, "the key .dockerconfigjson cannot be decoded"),
        ({"data": {".dockerconfigjson": "é"}}, "the key .dockerconfigjson cannot be decoded"),
        ({"data": {".dockerconfigjson": 7}}, "the key .dockerconfigjson cannot be decoded"),
        ({"stringData": {".dockerconfigjson": {}}}, "the key .dockerconfigjson cannot be decoded"),
    ],
)
async def test_a_malformed_secret_stops_the_pull_and_is_named(fields: dict[str, Any], problem: str) -> None:
    cluster = FileCluster.from_documents([secret("a", **fields), secret("b")])
    with pytest.raises(BadCredentials) as caught:
        await pulled(cluster, "b", "a")
    assert str(caught.value) == f"secret team/a: {problem}"


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {}}, "metadata.name: is missing"),
        (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": 3}},
            "metadata.name: must be a string, not a number",
        ),
        ({"apiVersion": "v1", "kind": "Node"}, "metadata: is missing"),
        (account("a") | {"imagePullSecrets": ["x"]}, "imagePullSecrets[0]: must be an object, not a string"),
    ],
)
def test_malformed_objects_are_refused_with_their_field(obj: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedObject) as caught:
        FileCluster.from_documents([obj])
    assert str(caught.value) == message


async def test_files_lie_before_a_cluster() -> None:
    behind = FileCluster.from_documents(
        [
            *(node("a"), node("b"), secret("x"), secret("y"), account("default", "y")),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "there"}},
        ]
    )
    own = secret("x", data={".dockerconfigjson": "aGk="})
    cluster = FileCluster.from_documents([node("b", "arm64"), node("c"), own], before=behind)
    assert [(each.name, each.platform and each.platform.architecture) for each in cluster.nodes()] == [
        ("a", "amd64"),
        ("b", "arm64"),
        ("c", "amd64"),
    ]
    assert cluster.nodes() is cluster.nodes()
    assert cluster.namespace_labels("there") == {}
    assert await pulled(cluster, template=True) == ["y"]
    found = await cluster.pull_secrets("team", PodConstraints(pull_secrets=("x", "y")), template=False)
    assert [each.data for each in found] == [b"hi", CONFIG.encode()]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in a file
            await asyncio.sleep(0.005)


def write(path: Path, *objects: object) -> None:
    path.write_text("\n---\n".join(json.dumps(each) for each in objects))


async def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "nodes.yaml"
    write(path, node("a"), node("b"))
    cluster = WatchedFile(path, poll_seconds=0.01)
    cluster.start()
    before = cluster.nodes()
    write(path, node("a"), node("b"), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    await until(lambda: cluster.namespace_labels("team") is not None)
    assert cluster.nodes() is before
    write(path, node("a"), node("c"), secret("x"))
    await until(lambda: [each.name for each in cluster.nodes()] == ["a", "c"])
    assert cluster.nodes()[0] is before[0]
    constraints = PodConstraints(pull_secrets=("x",))
    assert [each.name for each in await cluster.pull_secrets("team", constraints, template=False)] == ["x"]
    await cluster.close()


@pytest.mark.parametrize("bad", ["a: [", "- 1", "{}", '{"error": "log in"}', "{apiVersion: v1, kind: Node}", "", None])
async def test_a_bad_version_keeps_the_good_one(
    tmp_path: Path, bad: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "nodes.yaml"
    write(path, node("a"))
    cluster = WatchedFile(path, poll_seconds=0.01)
    cluster.start()
    if bad is None:
        path.unlink()
    else:
        path.write_text(bad)
    if bad == "":
        # An empty file is a good version that holds no nodes.
        await until(lambda: cluster.nodes() == ())
    else:
        await until(lambda: "stays at its last good version" in caplog.text)
        assert [each.name for each in cluster.nodes()] == ["a"]
    write(path, node("b"))
    await until(lambda: [each.name for each in cluster.nodes()] == ["b"])
    await cluster.close()


async def test_a_file_that_is_swapped_by_a_link(tmp_path: Path) -> None:
    """As a ConfigMap's volume does it."""
    for version, name in (("one", "a"), ("two", "b")):
        (tmp_path / version).mkdir()
        write(tmp_path / version / "nodes.yaml", node(name))
        os.utime(tmp_path / version / "nodes.yaml", (1, 1))
    (tmp_path / "data").symlink_to("one")
    cluster = WatchedFile(tmp_path / "data" / "nodes.yaml", poll_seconds=0.01)
    cluster.start()
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "data")
    await until(lambda: [each.name for each in cluster.nodes()] == ["b"])
    await cluster.close()


def test_the_first_version_must_be_good(tmp_path: Path) -> None:
    with pytest.raises(MalformedObject, match="cannot be read: No such file"):
        WatchedFile(tmp_path / "none.yaml")
    path = tmp_path / "nodes.yaml"
    write(path, node("a"), {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "b", "labels": []}})
    with pytest.raises(MalformedObject) as caught:
        WatchedFile(path)
    assert str(caught.value).startswith(f"{path}#2: metadata.labels: must be an object of strings")


LOADED = "import sys, {0}; print(*sorted(m for m in sys.modules if m.partition('.')[0] in {1}))"


def loaded(module: str, *packages: str) -> list[str]:
    """The modules of these packages that importing a module brings, in a process of its own."""
    code = LOADED.format(module, packages)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("module", ["webhook.cluster.files", "webhook.cluster.documents", "webhook.cluster.watched"])
def test_files_need_no_cluster_client(module: str) -> None:
    """`check` with a file of nodes, the demo and `serve --nodes` start without them."""
    assert loaded(module, "kopf", "kubernetes", "aiohttp", "httpx") == []


def test_a_live_cluster_loads_none_of_the_generated_models() -> None:
    """Nor the package's synchronous half, and httpx no command line."""
    serving = "webhook.cluster.live, webhook.admission.through_kopf, webhook.registry.resolver"
    modules = loaded(serving, "kubernetes", "rich", "requests")
    assert "kubernetes.aio.client.api_client" in modules
    assert [each for each in modules if ".models." in each or ".api." in each] == []
    assert [each for each in modules if each != "kubernetes" and not each.startswith("kubernetes.aio")] == []


def test_node_pools_count_and_the_later_of_one_name() -> None:
    def pool(name: str, arch: str) -> dict[str, Any]:
        demand = {"key": "kubernetes.io/arch", "operator": "In", "values": [arch]}
        spec = {"template": {"spec": {"requirements": [demand]}}}
        return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": name}, "spec": spec}

    beneath = FileCluster.from_documents([pool("a", "amd64"), pool("b", "amd64")])
    cluster = FileCluster.from_documents([pool("b", "s390x"), pool("b", "arm64")], before=beneath)
    found = [(each.name, each.requirements["kubernetes.io/arch"].only) for each in cluster.node_pools()]
    assert found == [("a", "amd64"), ("b", "arm64")]
    assert not cluster.add({**pool("c", "arm64"), "apiVersion": "karpenter.azure.com/v1"})
    with pytest.raises(MalformedObject, match=r"spec\.template"):
        cluster.add({**pool("c", "arm64"), "spec": {}})
