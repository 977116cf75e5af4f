"""`podgate demo`: its samples do what their comments say, and whatever image is tried, it ends well."""

import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import ROOT, SCHEMA, Podgate, apart, finish
from webhook.core.errors import CannotServe
from webhook.demo import show
from webhook.demo.images import sample_repositories

DECISIONS = {"Denied": "deny", "Warned": "warn", "Admitted": "allow"}


def parts(out: str) -> list[list[str]]:
    """What the demo prints, a part for each manifest or image."""
    return [part.splitlines() for part in out.split("\n\n") if "\n$ kubectl " in f"\n{part}"]


def test_each_sample_does_what_its_comment_says(podgate: Podgate):
    ran = podgate("demo")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("podgate demo. There is no cluster: the nodes come from a file")
    names = []
    for lines in parts(ran.out):
        (command,) = [line for line in lines if line.startswith("$ kubectl apply -f ")]
        names.append(command.removeprefix("$ kubectl apply -f "))
        printed = lines[lines.index(command) + 1 :]
        said = DECISIONS[lines[0].removeprefix("# ").partition(":")[0].partition(" ")[0]]
        assert any(line.startswith("Error from server (Forbidden): ") for line in printed) == (said == "deny")
        assert any(line.startswith("Warning: podgate: ") for line in printed) == (said == "warn")
        assert any(line.endswith(" created (not stored: demo)") for line in printed) == (said != "deny")
    assert names == show.sample_names()
    assert re.search(r"^[1-9] denied, [1-9] warned of, [1-9] admitted\.$", ran.out, re.MULTILINE)
    assert "podgate check -f YOUR.yaml" in ran.out


def test_the_samples_are_those_of_the_manifests():
    shown = {name: show.sample_text(name) for name in show.sample_names()}
    folder = ROOT / "manifests" / "samples"
    assert {path.name: path.read_text() for path in folder.iterdir()} == shown
    assert len(shown) > 5


def test_every_image_of_the_demo_is_shown():
    texts = "".join(show.sample_text(name) for name in show.sample_names())
    for name, repository in sample_repositories().items():
        for tag in repository.tags:
            # The index of shop/report is named with a digest, too.
            assert f"{show.REGISTRY}/{name}:{tag}" in texts


def test_images_of_the_readers_own(podgate: Podgate):
    """One that cannot be had is warned of, one that is none is denied; the demo has shown it, and ends with 0."""
    ran = podgate("demo", "127.0.0.1:1/team/app:1", "Not/Valid", "$(rm)\x1b[31m", f"{show.REGISTRY}/shop/web:2.0")
    assert (ran.code, ran.err) == (0, "")
    unreachable, invalid, odd, fine = parts(ran.out)[-4:]
    assert unreachable[0] == "$ kubectl run yours --image=127.0.0.1:1/team/app:1"
    assert unreachable[1].startswith("Warning: podgate: Pod yours: ")
    assert unreachable[2] == "pod/yours created (not stored: demo)"
    assert invalid[1].startswith(
        f'Error from server (Forbidden): admission webhook "{show.WEBHOOK}" denied the request'
    )
    assert odd[0] == "$ kubectl run yours --image='$(rm)[31m'"
    assert fine[1:] == ["pod/yours created (not stored: demo)"]
    assert "\x1b" not in ran.out


def test_a_broken_docker_configuration_matters_only_to_images(
    podgate: Podgate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("MARKED")
    assert podgate("demo").code == 0
    ran = podgate("demo", "127.0.0.1:1/team/app:1")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"podgate: {tmp_path / 'config.json'}: it is not JSON\n"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
@pytest.mark.usefixtures("new_user")
def test_keep(sent: signal.Signals, code: int):
    """It stays up, with all that a client and `check` need, and leaves nothing behind."""
    process = apart(["demo", "--keep"])
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith("  podgate check -f /"):
        line = process.stdout.readline()
        assert line, finish(process)
        lines.append(line.rstrip("\n"))
    (webhook,) = [line for line in lines if line.startswith("  webhook ")]
    url, authority = re.findall(r"https://\S+|/\S+ca\.crt", webhook)
    answer = post(url, authority, show.review_of(show.pod_of(f"{show.REGISTRY}/shop/web:1.4")))
    assert answer["response"]["allowed"] is True
    assert len(answer["response"]["warnings"]) == 1
    check = finish(apart([*lines[-1].split()[1:], "-o", "json"]))
    assert (check.code, check.err) == (1, "")
    denied = [one["name"] for one in check.document["objects"] if one["decision"] == "deny"]
    assert denied == ["web-on-arm", "worker", "agent", "legacy"]
    process.send_signal(sent)
    ran = finish(process)
    assert (ran.code, ran.err.strip()) == (code, "")
    assert not Path(authority).parent.exists()


def post(url: str, authority: str, review: dict[str, Any]) -> dict[str, Any]:
    """Calls the webhook as an API server does: it trusts the demo's CA and nothing else."""
    context = ssl.create_default_context(cafile=authority)
    request = urllib.request.Request(url, json.dumps(review).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, context=context, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


@pytest.mark.usefixtures("new_user")
def test_the_samples_are_judged_without_their_registry(podgate: Podgate):
    """As somebody does who has only the files; the registry of the samples exists nowhere."""
    nodes = ROOT / "webhook" / "demo" / "nodes.yaml"
    ran = podgate.json("-f", ROOT / "manifests" / "samples", "--nodes", nodes)
    SCHEMA.validate(ran.document)
    assert (ran.code, ran.document["summary"]) == (0, {"allow": 0, "warn": 9, "deny": 0, "skipped": 0})


async def test_without_a_way_to_the_webhook_the_reason_is_told():
    """As in a sandbox without a loopback interface."""
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        presenter = show.Presenter(port, ssl.create_default_context(), StringIO())
        with pytest.raises(CannotServe) as raised:
            await presenter.run("reg.example/app:1")
    told = f"the demo's own webhook at https://127.0.0.1:{port} cannot be reached: Connection refused; is loopback up?"
    assert str(raised.value) == told


def test_a_reader_that_has_gone_is_no_fault():
    process = apart(["demo"])
    assert process.stdout is not None
    assert process.stdout.readline().startswith("podgate demo.")
    process.stdout.close()
    process.stdout = None
    ran = finish(process)
    assert (ran.code, ran.err) == (0, "")


def test_without_an_output_it_is_quiet():
    ran = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m webhook demo >&-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
