"""Kubeconfigs that cannot be used: what is said names the entry or the file that is to be mended."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from webhook.cluster.connection import connect
from webhook.core.errors import ClusterUnavailable

GOOD: dict[str, Any] = {"server": "https://127.0.0.1:1"}
HERE = {"cluster": "c", "user": "u"}


def written(
    path: Path,
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
) -> str:
    """A kubeconfig of one context, `here`."""
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": HERE if context is None else context}],
        "clusters": [{"name": "c", "cluster": GOOD if cluster is None else cluster}],
        "users": [{"name": "u", "user": {"token": "x"} if user is None else user}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return str(path)


async def ask(paths: str) -> None:
    connection = await connect(paths)
    try:
        await connection.get("/api/v1/nodes", "NodeList")
    finally:
        await connection.close()


async def refusal(paths: str) -> str:
    with pytest.raises(ClusterUnavailable) as raised:
        await ask(paths)
    return str(raised.value)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"context": {"user": "u"}}, "the context 'here' names no cluster"),
        ({"context": {"cluster": "gone"}}, "the context 'here' names the cluster 'gone', which is not there"),
        ({"context": {"cluster": "c", "user": "gone"}}, "the context 'here' names the user 'gone', who is not there"),
        ({"cluster": {}}, "the server of the cluster 'c' is no https URL: None"),
        ({"cluster": {"server": "kube:6443"}}, "the server of the cluster 'c' is no https URL: 'kube:6443'"),
        ({"cluster": {"server": "ftp://kube"}}, "the server of the cluster 'c' is no https URL: 'ftp://kube'"),
        (
            {"cluster": {"server": "https://me:hunter2@kube"}},
            "the server of the cluster 'c' has credentials in its URL; they belong to the user",
        ),
        (
            {"cluster": {**GOOD, "certificate-authority": "ca.pem"}},
            "{folder}/ca.pem, which is certificate-authority of the cluster 'c', is not there",
        ),
        (
            {"user": {"client-certificate": "../c.pem", "client-key": "/gone/k.pem"}},
            "{above}/c.pem, which is client-certificate of the user 'u', is not there",
        ),
        (
            {"user": {"client-certificate-data": "eA==", "client-key": "/gone/k.pem"}},
            "/gone/k.pem, which is client-key of the user 'u', is not there",
        ),
        ({"user": {"tokenFile": "/gone/token"}}, "/gone/token, which is tokenFile of the user 'u', is not there"),
    ],
)
async def test_what_is_to_be_mended_is_named(tmp_path: Path, parts: dict[str, dict[str, Any]], problem: str):
    folder = tmp_path / "kube"
    path = written(folder / "config", **parts)
    told = problem.format(folder=folder, above=tmp_path)
    assert await refusal(path) == f"the kubeconfig {path} cannot be used: {told}; mend it, or name another context"


async def test_a_file_beside_the_second_of_two_kubeconfigs(tmp_path: Path):
    """Paths begin at the file that has them."""
    first = tmp_path / "a" / "config"
    first.parent.mkdir()
    first.write_text(json.dumps({"current-context": "here", "contexts": [{"name": "here", "context": HERE}]}))
    second = written(tmp_path / "b" / "config", cluster={**GOOD, "certificate-authority": "ca.pem"})
    assert f"{tmp_path}/b/ca.pem, which is certificate-authority" in await refusal(f"{first}:{second}")


async def test_data_wins_over_files_and_a_token_over_its_file(tmp_path: Path):
    user = {"token": "x", "tokenFile": "/gone/token"}
    path = written(tmp_path / "config", user=user)
    assert await refusal(path) == "https://127.0.0.1:1: cannot be reached: Connection refused"


async def test_no_yaml(tmp_path: Path):
    path = tmp_path / "config"
    path.write_text("a: [")
    told = await refusal(str(path))
    assert told.startswith("the kubeconfig is not YAML: ")
    assert f'"{path}", line 1' in told


async def test_what_cannot_be_read_at_all(tmp_path: Path):
    """Ten aliases of ten aliases of ten...: the kubernetes package would put all of them into its error."""
    bomb = tmp_path / "bomb"
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 20)]
    bomb.write_text("\n".join(["a0: &a0 [x]", *levels, "contexts: *a19"]))
    assert await refusal(str(bomb)) == f"{bomb} is no kubeconfig: excessive aliasing"
    assert await refusal(str(tmp_path)) == f"the kubeconfig {tmp_path} cannot be read: Is a directory"
    bomb.write_bytes(b"\x89\xff")
    assert await refusal(str(bomb)) == f"{bomb} is no kubeconfig: it is not UTF-8 text"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; print('sign in\\nfirst', file=sys.stderr); sys.exit(3)", "it ended with 3: sign in first"),
        ("import sys; sys.stderr.buffer.write(b'\\xff\\x1b[2J'); sys.exit(1)", "it ended with 1: \ufffd\x1b[2J"),
        ("raise SystemExit(7)", "it ended with 7"),
        ("print('nonsense')", "failed to decode process output"),
        ("print('{}')", "malformed response. missing key 'apiVersion'"),
    ],
)
async def test_a_plugins_own_words_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, program: str, words: str
):
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": ["-c", program]}
    told = await refusal(written(tmp_path / "config", user={"exec": plugin}))
    begin = f"the credential plugin {sys.executable!r} of the context 'here' gave no credentials: "
    assert told.startswith(begin + words)
    assert told.endswith("; log in again")
    assert "\n" not in told
    assert caplog.records == []


async def test_a_plugin_that_is_not_installed(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/gone/plugin"}
    begin = "the credential plugin '/gone/plugin' of the context 'here' gave no credentials: "
    told = await refusal(written(tmp_path / "config", user={"exec": plugin}))
    assert told == f"{begin}it is not installed, or not on the PATH; install it"
    hint = {**plugin, "installHint": "get it\nfrom your bank"}
    told = await refusal(written(tmp_path / "config", user={"exec": hint}))
    assert told == f"{begin}it is not installed, or not on the PATH; get it from your bank"
    assert caplog.records == []


@pytest.mark.parametrize(("content", "words"), [(b"\xcc\xff", ": it is not UTF-8 text"), (b"", ""), (b"text", "")])
async def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes, words: str):
    path = tmp_path / "config"
    path.write_bytes(content)
    assert await refusal(str(path)) == f"{path} is no kubeconfig{words}"


async def test_a_name_that_is_not_known(tmp_path: Path):
    told = await refusal(written(tmp_path / "config", cluster={"server": "https://kube.invalid:6443"}))
    assert told.startswith("https://kube.invalid:6443: cannot be reached: ")
    assert "Errno" not in told
