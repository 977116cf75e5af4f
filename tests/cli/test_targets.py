"""Targets: nodes of the command line's words, what is refused of them, and pods that none of them takes."""

import json
from pathlib import Path

import pytest

from tests.support.command import Podgate
from tests.support.manifests import REGISTRY, node, pod, write
from webhook.core.errors import MalformedInput
from webhook.core.platform import parse_platform
from webhook.targets import doubts_about, parse_target

BUILD = "node.kubernetes.io/windows-build"
VARIANT = "podgate.dev/variant"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("linux/arm46", "no platform is known that is arm46; did you mean arm64? If"),
        ("linxu/amd64", "no platform is known that is linxu; did you mean linux? If"),
        ("linux/x64", "no platform is known that is x64; did you mean amd64? If"),
        ("linux/armv7", "no platform is known that is armv7; did you mean arm/v7? If"),
        ("arm64/linux", "no platform is known that is arm64/linux; did you mean linux/arm64?"),
        (
            "linux/blurb",
            "no platform is known that is blurb; if it is a new one, add the label kubernetes.io/arch=blurb",
        ),
        ("blurb/amd64", "no platform is known that is blurb; if it is a new one, add the label kubernetes.io/os=blurb"),
        ("linux/arm64/v71", f"no platform is known that is arm64/v71; if it is a new one, add the label {VARIANT}=v71"),
        ("linux/amd64/v9", f"no platform is known that is amd64/v9; if it is a new one, add the label {VARIANT}=v9"),
        ("linux/blurb,label=kubernetes.io/os=linux", "no platform is known that is blurb"),
        ("linux/arm64,label=kubernetes.io/arch=amd64", "is arm64, and by its label kubernetes.io/arch it is amd64"),
        ("linux/arm64,label=kubernetes.io/os=windows", "is linux, and by its label kubernetes.io/os it is windows"),
        ("linux/arm64,label=kubernetes.io/arch=", "is arm64, and by its label kubernetes.io/arch it is nothing"),
        (
            "linux/arm64,label=beta.kubernetes.io/arch=arm",
            "is arm64, and by its label beta.kubernetes.io/arch it is arm",
        ),
        (f"linux/arm/v6,label={VARIANT}=v7", f"is linux/arm/v6, and by its label {VARIANT} v7"),
        (f"linux/arm,label={VARIANT}=a b", "'a b' is no variant"),
        (f"windows/amd64:10.0.20348,label={BUILD}=10.0.17763", f"is build 10.0.20348, and by its label {BUILD} 10.0.1"),
        ("linux/amd64,label=zone=a,label=zone=b", "gives the label zone two values"),
        ("linux/amd64,runtime=containerd://2.1,runtime=cri-o://1.33", "names two runtimes, and a node has one"),
    ],
)
def test_what_is_no_node_is_refused(target: str, words: str):
    with pytest.raises(MalformedInput) as raised:
        parse_target(target)
    assert str(raised.value).startswith(f"--target {target}: {words}")


@pytest.mark.parametrize(
    ("target", "platform"),
    [
        ("linux/blurb,label=kubernetes.io/arch=blurb", "linux/blurb"),
        ("blurb/amd64,label=kubernetes.io/os=blurb", "blurb/amd64"),
        (f"linux/amd64/v9,label={VARIANT}=v9", "linux/amd64/v9"),
        ("linux/x86_64,label=kubernetes.io/arch=amd64", "linux/amd64"),
        ("Linux/AArch64/8", "linux/arm64/v8"),
        ("linux/arm64/v9.2", "linux/arm64/v9.2"),
        ("linux/riscv64/rva23u64", "linux/riscv64/rva23u64"),
        (f"linux/arm,label={VARIANT}=V6", "linux/arm/v6"),
        (f"linux/arm/6,label={VARIANT}=v6", "linux/arm/v6"),
        (f"windows/amd64,label={BUILD}=10.0.20348", "windows/amd64:10.0.20348"),
        (f"windows/amd64:10.0.20348.2113,label={BUILD}=10.0.20348", "windows/amd64:10.0.20348.2113"),
        (f"linux/amd64,label={BUILD}=10.0.20348", "linux/amd64"),
    ],
)
def test_what_a_target_is(target: str, platform: str):
    """What a label says too is meant, however odd it is."""
    found = parse_target(target)
    assert (found.platform, *doubts_about(found)) == (parse_platform(platform),)


@pytest.mark.parametrize("runtime", ["containred://2.1", "containerd://abc"])
def test_a_runtime_that_is_not_known_is_doubted(runtime: str):
    (doubt,) = doubts_about(parse_target(f"linux/amd64,runtime={runtime}"))
    assert f"{runtime} is no version of a container runtime that is known" in doubt
    assert not list(doubts_about(parse_target("linux/amd64,runtime=cri-o://1.33")))


def test_a_slip_is_no_verdict(podgate: Podgate, settings: Path):
    ran = podgate.json("--target", "linux/arm46", "--config", settings, stdin=json.dumps(pod()).encode())
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)


def test_the_older_names_of_labels_are_there_too(podgate: Podgate, settings: Path):
    """Kubelets set them, and pods ask for them."""
    old = {"beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux"}
    stdin = json.dumps(pod(nodeSelector=old)).encode()
    ran = podgate.json("--target", "linux/amd64", "--target", "linux/arm64", "--config", settings, stdin=stdin)
    assert [one["name"] for one in ran.objects["web"]["nodes"]] == ["linux/amd64"]


def test_a_pod_that_none_of_the_nodes_takes_is_said(podgate: Podgate, settings: Path, tmp_path: Path):
    """It is allowed by the platform that it asks for, which whoever names a target must not take for a word on that."""
    arguments: list[str | Path] = [
        "--target",
        "linux/arm64",
        "--nodes",
        write(tmp_path / "nodes", node("arm-1")),
        "--config",
        settings,
    ]
    amd = {"kubernetes.io/arch": "amd64"}
    here = write(tmp_path / "here.yaml", pod(f"{REGISTRY}/team/app:2.0", "here"))
    alone = write(tmp_path / "alone.yaml", pod(name="alone", nodeSelector=amd))
    ran = podgate.json(*arguments, "-f", here, "-f", alone)
    assert {name: one["reason"] for name, one in ran.objects.items()} == {"here": "match", "alone": "match"}
    judged = "it is judged by the platform that it asks for: Pod default/alone (linux/amd64)"
    assert (ran.code, ran.err) == (0, f"podgate: none of the nodes takes 1 object; {judged}\n")
    again = write(tmp_path / "again.yaml", pod(f"{REGISTRY}/team/app:2.0", "again", nodeSelector=amd))
    assert "takes 2 objects; they are judged" in podgate.json(*arguments, "-f", alone, "-f", again).err
    assert podgate.json(*arguments, "-f", here).err == ""
