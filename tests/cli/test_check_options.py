"""The options of `podgate check` that say how far it goes and when it fails."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import kubeconfig
from tests.support.apiserver import ApiServer
from tests.support.command import Podgate
from tests.support.manifests import REGISTRY, pod, write
from tests.support.registry import Fault, Registry
from tests.support.terminal import on_terminal

RUNS = f"{REGISTRY}/team/app:2.0"
FAILS = f"{REGISTRY}/team/app:1.4"
BOTH = ("--target", "linux/amd64", "--target", "linux/arm64")


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ((), (0, 0, 1)),
        (("--fail-on", "deny"), (0, 0, 1)),
        (("--fail-on", "warn"), (0, 1, 1)),
        (("--strict",), (0, 1, 1)),
        (("--strict", "--fail-on", "warn"), (0, 1, 1)),
        (("--fail-on", "never"), (0, 0, 0)),
    ],
)
def test_when_it_fails(podgate: Podgate, settings: Path, arguments: tuple[str, ...], codes: tuple[int, int, int]):
    """An image that runs, one that runs on some nodes, one that runs on none."""
    cases = ((RUNS, BOTH), (FAILS, BOTH), (FAILS, BOTH[2:]))
    for (image, targets), code in zip(cases, codes, strict=True):
        ran = podgate("check", *targets, *arguments, "--config", settings, stdin=json.dumps(pod(image)).encode())
        assert (ran.code, ran.err) == (code, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--strict", "--fail-on", "never"), "--strict and --fail-on never contradict each other"),
        (("--strict", "--fail-on", "deny"), "--strict and --fail-on deny contradict each other"),
        (("--fail-on", "often"), "'often' is not one of 'deny', 'warn', 'never'"),
        (("--jobs", "0"), "0 is not in the range x>=1"),
        (("--timeout", "10"), "'10' is no duration, such as 30s"),
        (("--timeout", "0s"), "must be longer than nothing"),
        (("--ignore", ""), "--ignore: is empty"),
    ],
)
def test_options_that_say_nothing(podgate: Podgate, arguments: tuple[str, ...], words: str):
    ran = podgate("check", "--target", "linux/amd64", *arguments, stdin=json.dumps(pod()).encode())
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert words in ran.err


def test_what_cannot_be_read_counts_even_where_nothing_fails(podgate: Podgate):
    assert podgate("check", "--fail-on", "never", "--target", "linux/amd64", stdin=b"a: [").code == 2


def test_ignored_images_run_everywhere(podgate: Podgate, registry: Registry, settings: Path):
    """The globs are those of settings, on the name as it is looked up, and are added to them."""
    more = json.loads(settings.read_text()) | {"exempt": {"images": [f"{REGISTRY}/team/tool"]}}
    settings.write_text(json.dumps(more))
    containers = [
        {"name": "a", "image": FAILS},
        {"name": "b", "image": f"{REGISTRY}/team/tool:1"},
        {"image": "busybox"},
    ]
    content = json.dumps(pod(containers=containers)).encode()
    globs = ("--ignore", f"{REGISTRY}/*/app", "--ignore", "docker.io/library/*")
    ran = podgate.json(*BOTH[2:], *globs, "--config", settings, stdin=content)
    assert (ran.code, ran.err) == (0, "")
    (found,) = ran.objects["web"]["nodes"]
    assert [image["why"] for image in found["images"]] == ["exempt"] * 3
    assert registry.log == []


def test_an_ignored_image_that_is_nowhere_is_said(podgate: Podgate, settings: Path):
    """Of a glob on a tag, too, which no name has."""
    globs = ("--ignore", f"{REGISTRY}/team/app:1.4", "--ignore", f"{REGISTRY}/team/app")
    ran = podgate.json(*BOTH[2:], *globs, "--config", settings, stdin=json.dumps(pod(FAILS)).encode())
    assert (ran.code, ran.err) == (0, f"podgate: --ignore {REGISTRY}/team/app:1.4: no image matches\n")


def test_jobs_bound_what_is_judged_at_once(podgate: Podgate, registry: Registry, settings: Path, tmp_path: Path):
    names = [f"team/app{number}" for number in range(8)]
    registry.faults.append(Fault(delay=0.02))
    path = write(tmp_path / "a.yaml", *(pod(f"{REGISTRY}/{name}:1", name=name[-1]) for name in names))
    arguments = ("-f", path, "--target", "linux/amd64", "--config", settings)
    one = podgate.json(*arguments, "--jobs", "1")
    assert registry.most_at_once == 1
    many = podgate.json(*arguments, "--jobs", "4")
    assert 1 < registry.most_at_once <= 4
    assert [found["name"] for found in many.document["objects"]] == [name[-1] for name in names]
    assert one.document == many.document


def test_what_is_not_known_in_time_is_undetermined(
    podgate: Podgate, registry: Registry, settings: Path, tmp_path: Path
):
    """What is known by then decides; a registry that never answers keeps nobody waiting."""
    registry.faults.append(Fault(at="*tool*", delay=300))
    path = write(tmp_path / "a.yaml", pod(FAILS, name="known"), pod(f"{REGISTRY}/team/tool:1", name="late"))
    arguments = ("-f", path, *BOTH[2:], "--config", settings, "--timeout", "500ms")
    ran = podgate.json(*arguments)
    assert {name: (one["decision"], one["reason"]) for name, one in ran.objects.items()} == {
        "known": ("deny", "mismatch"),
        "late": ("warn", "undetermined"),
    }
    assert ran.objects["late"]["images"][0]["error"]["code"] == "timeout"
    assert (ran.code, ran.err) == (1, "podgate: --timeout: 1 of 2 objects could not be looked up in 0.5 s\n")
    assert podgate.json(*arguments, "--fail-on", "never").code == 0


def test_a_cluster_that_does_not_answer_in_time(
    podgate: Podgate, cluster: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url)
    cluster.gate.clear()
    ran = podgate.json("--timeout", "300ms", stdin=json.dumps(pod()).encode())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"podgate: {cluster.url}: no answer within --timeout\n"


def test_a_cache_folder_answers_offline(podgate: Podgate, registry: Registry, settings: Path, tmp_path: Path):
    folder = ("--cache-dir", tmp_path / "cache")
    content = json.dumps(pod(FAILS)).encode()
    first = podgate.json(*BOTH[2:], *folder, "--config", settings, stdin=content)
    asked = len(registry.log)
    offline = podgate.json(*BOTH[2:], *folder, "--offline", "--config", settings, stdin=content)
    assert (offline.code, offline.err) == (1, "")
    assert offline.document == first.document
    unknown = podgate.json(*BOTH[2:], *folder, "--offline", "--config", settings, stdin=json.dumps(pod(RUNS)).encode())
    assert (unknown.code, unknown.objects["web"]["images"][0]["error"]["code"]) == (0, "unavailable")
    assert len(registry.log) == asked


@pytest.mark.usefixtures("new_user")
def test_a_bar_is_shown_to_those_who_watch_and_is_gone_at_the_end(settings: Path, tmp_path: Path):
    path = write(tmp_path / "a.yaml", *(pod(name=f"p{number}") for number in range(12)))
    arguments: list[str | Path] = ["check", "-f", path, "--target", "linux/amd64", "--config", settings]
    sent = on_terminal(arguments, 80, {})
    bar, _, results = sent.rpartition("\x1b[2K")  # the last line that is wiped
    assert "12/12" in bar
    assert "\x1b[?25l" in bar
    assert "judging" not in results
    assert "12 allow" in results
    assert "judging" not in on_terminal(arguments, 80, {"TERM": "dumb"})


def test_no_bar_in_a_pipe(podgate: Podgate, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(os.environ, "FORCE_COLOR", "1")
    path = write(tmp_path / "a.yaml", *(pod(name=f"p{number}") for number in range(12)))
    assert podgate("check", "-f", path, "--target", "linux/amd64", "--config", settings).err == ""


def test_the_namespace_of_the_context(
    podgate: Podgate, cluster: ApiServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """As for kubectl: -n, else that of the context, else default."""
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url, namespace="team")
    content = json.dumps(pod(FAILS)).encode()
    for arguments, expected in (((), "team"), (("-n", "other"), "other"), (BOTH[:2], "default")):
        ran = podgate.json(*arguments, "--config", settings, stdin=content)
        assert ran.objects["web"]["namespace"] == expected
    more = json.dumps(pod(FAILS, name="b") | {"metadata": {"name": "b", "namespace": "shop"}}).encode()
    ran = podgate.json("-n", "team", "--config", settings, stdin=content + b"\n---\n" + more)
    assert [one["namespace"] for one in ran.document["objects"]] == ["team", "shop"]
    assert (
        ran.err == "podgate: 1 object names another namespace than -n team, which kubectl apply refuses: Pod shop/b\n"
    )
