"""Messages: the whole wording of each text, and what holds for any text whatever names and registries say."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.decision import ImageFinding, NodeFinding, Reason
from webhook.core.errors import ErrorCode
from webhook.core.grouping import NodeGroup
from webhook.core.message import (
    WARNING_LIMIT,
    WARNINGS_LIMIT,
    Facts,
    denial,
    last_resort,
    not_understood,
    platform_text,
    too_early,
    warnings,
)
from webhook.core.outcome import Outcome, Why, fails, runs, uncertain
from webhook.core.platform import Platform, parse_platform
from webhook.core.scheduling import (
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)
from webhook.core.text import WIDTH, clean, either, name_some
from webhook.core.wording import INTERNAL, SECRETS_UNREADABLE, end_of, error_text, mend_of
from webhook.core.workload import ContainerRole, PodConstraints, Workload

POD = Workload("v1", "Pod", "team", "web", "", (), PodConstraints())
REFUSED = fails("no-matching-entry")
WRONG = fails("config-mismatch")
ADD_AMD64 = "nodeSelector kubernetes.io/arch: amd64"


def demanding(kind: str = "Pod", **constraints: object) -> Workload:
    return replace(POD, kind=kind, constraints=PodConstraints(**constraints))  # type: ignore[arg-type] # by name


def image(
    reference: str = "reg.example/shop/web:1.4",
    *platforms: str,
    container: str = "app",
    role: ContainerRole = "container",
    error: tuple[ErrorCode, str] | None = None,
    stale: bool = False,
) -> ImageFinding:
    kind = "index" if platforms else "unknown"
    return ImageFinding(container, reference, "", kind, platforms, error, stale, role)  # type: ignore[arg-type]


def on(node: str | None, platform: str | None, *outcomes: Outcome) -> NodeFinding:
    its = Node(node, parse_platform(platform) if platform else None)
    return NodeFinding(NodeGroup.of((its,)), outcomes)


AMD = image("reg.example/shop/web:1.4", "linux/amd64")
ARM_ONE = on("arm-1", "linux/arm64", REFUSED)
SELECTS_ARM = {"kubernetes.io/arch": "arm64"}
AFFINITY_ARM = NodeSelector(
    (NodeSelectorTerm(expressions=(NodeSelectorRequirement("kubernetes.io/arch", "In", ("arm64",)),)),)
)
BUILT_FOR_ARM = "To mend it: build the image for linux/arm64 too"
TO_AMD = f"{BUILT_FOR_ARM}, or run it on linux/amd64 nodes:"
ON_ARM_ONE = """\
  on arm-1 (linux/arm64): the pull would be refused: no match for platform in
    manifest"""

DENIALS = {
    "a pod whose own node selector demands the wrong architecture": (
        Facts(
            demanding(node_selector=SELECTS_ARM),
            "mismatch",
            (AMD,),
            (ARM_ONE, on("arm-2", "linux/arm64", REFUSED)),
        ),
        f"""\
Pod web cannot run on any of the 2 nodes it may be scheduled to.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
  on arm-1, arm-2 (linux/arm64): the pull would be refused: no match for
    platform in manifest
{TO_AMD}
  change nodeSelector kubernetes.io/arch: arm64 to amd64.""",
    ),
    "one that demands it by affinity": (
        Facts(demanding("Deployment", affinity=AFFINITY_ARM), "mismatch", (AMD,), (ARM_ONE,)),
        f"""\
Deployment web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
{ON_ARM_ONE}
{TO_AMD}
  change the node affinity to kubernetes.io/arch: amd64.""",
    ),
    "one that demands nothing": (
        Facts(POD, "mismatch", (AMD,), (ARM_ONE,)),
        f"""\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
{ON_ARM_ONE}
{TO_AMD}
  add nodeSelector kubernetes.io/arch: amd64.""",
    ),
    "one that is bound already": (
        Facts(demanding(node_name="arm-1"), "mismatch", (AMD,), (ARM_ONE,)),
        f"""\
Pod web cannot run on the node it is bound to.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
{ON_ARM_ONE}
{BUILT_FOR_ARM}, or run it on a linux/amd64
  node: change spec.nodeName.""",
    ),
    "a platform that no node has yet": (
        Facts(
            demanding(node_selector=SELECTS_ARM),
            "mismatch",
            (AMD,),
            (on(None, "linux/arm64", REFUSED),),
        ),
        f"""\
Pod web cannot run on the platform it asks for.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
  on a linux/arm64 node: the pull would be refused: no match for platform in
    manifest
{TO_AMD}
  change nodeSelector kubernetes.io/arch: arm64 to amd64.""",
    ),
    "two of them": (
        Facts(
            POD,
            "mismatch",
            (AMD,),
            (on(None, "linux/arm64", REFUSED), on(None, "linux/s390x", REFUSED)),
        ),
        """\
Pod web cannot run on any of the 2 platforms it asks for.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
  on a linux/arm64 node: the pull would be refused: no match for platform in
    manifest
  on a linux/s390x node: the pull would be refused: no match for platform in
    manifest
To mend it: build the image for linux/arm64, linux/s390x too, or run it on
  linux/amd64 nodes: add nodeSelector kubernetes.io/arch: amd64.""",
    ),
    "another os": (
        Facts(
            POD,
            "mismatch",
            (image("reg.example/win:1", "windows/amd64:10.0.17763.1"),),
            (on("lin", "linux/amd64", REFUSED),),
        ),
        """\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/win:1 is for windows/amd64:10.0.17763.1
  on lin (linux/amd64): the pull would be refused: no match for platform in
    manifest
To mend it: build the image for linux/amd64 too, or run it on
  windows/amd64:10.0.17763.1 nodes: add nodeSelector kubernetes.io/os: windows.""",
    ),
    "another os and another architecture": (
        Facts(
            demanding(node_selector={"kubernetes.io/os": "linux"}),
            "mismatch",
            (image("reg.example/win:1", "windows/amd64"),),
            (on("arm", "linux/arm64", REFUSED),),
        ),
        """\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/win:1 is for windows/amd64
  on arm (linux/arm64): the pull would be refused: no match for platform in
    manifest
To mend it: build the image for linux/arm64 too, or run it on windows/amd64
  nodes: change nodeSelector to kubernetes.io/os: windows, kubernetes.io/arch:
  amd64.""",
    ),
    "a variant, of which no label of Kubernetes tells": (
        Facts(POD, "mismatch", (image("reg.example/fast:1", "linux/amd64/v3"),), (on("n", "linux/amd64", WRONG),)),
        """\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/fast:1 is for linux/amd64/v3
  on n (linux/amd64): the processor may lack what the image needs (by the
    image's config)
To mend it: build the image for linux/amd64 too, or run it on linux/amd64/v3
  nodes.""",
    ),
    "an image that offers nothing": (
        Facts(POD, "mismatch", (image("reg.example/empty:1"),), (ARM_ONE,)),
        f"""\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/empty:1
{ON_ARM_ONE}
{BUILT_FOR_ARM}.""",
    ),
    "a wrong config": (
        Facts(POD, "mismatch", (AMD,), (on("arm-1", "linux/arm64", WRONG),)),
        f"""\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
  on arm-1 (linux/arm64): the container would end in: exec format error (by the
    image's config)
{TO_AMD}
  add nodeSelector kubernetes.io/arch: amd64.""",
    ),
    "a config for another os": (
        Facts(POD, "mismatch", (image("reg.example/win:1", "windows/amd64"),), (on("n", "linux/amd64", WRONG),)),
        """\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/win:1 is for windows/amd64
  on n (linux/amd64): the container could not be made: the image's config is for
    another os
To mend it: build the image for linux/amd64 too, or run it on windows/amd64
  nodes: add nodeSelector kubernetes.io/os: windows.""",
    ),
    "a DaemonSet that fails on some nodes": (
        Facts(
            demanding("DaemonSet"),
            "mismatch",
            (AMD,),
            (on("a", "linux/amd64", runs("fits")), ARM_ONE, on("b", "linux/amd64", runs("fits"))),
            remedy=ADD_AMD64,
        ),
        f"""\
DaemonSet web cannot run on 1 of the 3 nodes it is to run on.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
{ON_ARM_ONE}
To mend it: add nodeSelector kubernetes.io/arch: amd64, or build the image for
  linux/arm64 too.""",
    ),
    "more nodes, platforms and images than fit": (
        Facts(
            POD,
            "mismatch",
            tuple(image(f"reg.example/{name}:1", "linux/amd64", container=name) for name in "abcdefg"),
            tuple(
                on(f"{architecture}-{number}", f"linux/{architecture}", *[REFUSED] * 7)
                for architecture in ("arm64", "s390x", "ppc64le", "riscv64")
                for number in range(5)
            ),
        ),
        "\n".join(
            [
                "Pod web cannot run on any of the 20 nodes it may be scheduled to.",
                *(
                    f"""\
- container "{name}": image reg.example/{name}:1 is for linux/amd64
  on arm64-0, arm64-1, arm64-2 and 2 more (linux/arm64): the pull would be
    refused: no match for platform in manifest
  on s390x-0, s390x-1, s390x-2 and 2 more (linux/s390x): the pull would be
    refused: no match for platform in manifest
  on ppc64le-0, ppc64le-1, ppc64le-2 and 2 more (linux/ppc64le): the pull would
    be refused: no match for platform in manifest
  and on 5 more nodes"""
                    for name in "abcde"
                ),
                "- and 2 more images like these",
                "To mend it: build the images for linux/arm64, linux/s390x, linux/ppc64le and 1",
                "  more too, or run it on linux/amd64 nodes: add nodeSelector kubernetes.io/arch:",
                "  amd64.",
            ]
        ),
    ),
    "init containers, volumes, and containers of one image": (
        Facts(
            POD,
            "mismatch",
            (
                image("reg.example/a:1", "linux/amd64", container="first", role="init"),
                image("reg.example/a:1", "linux/amd64", container="second"),
                image("reg.example/b:1", "linux/s390x", container="model", role="volume"),
                image("reg.example/c:1", "linux/amd64", container="debug", role="ephemeral"),
            ),
            (on("arm-1", "linux/arm64", REFUSED, REFUSED, REFUSED, runs("fits")),),
        ),
        f"""\
Pod web cannot run on the only node it may be scheduled to.
- init container "first" and 1 more: image reg.example/a:1 is for linux/amd64
{ON_ARM_ONE}
- image volume "model": image reg.example/b:1 is for linux/s390x
{ON_ARM_ONE}
To mend it: build the images for linux/arm64 too.""",
    ),
    "an ephemeral container": (
        Facts(
            demanding(node_name="n"),
            "mismatch",
            (image("reg.example/c:1", "linux/amd64", "linux/s390x", container="debug", role="ephemeral"),),
            (on("n", "linux/arm64", REFUSED),),
        ),
        """\
Pod web cannot run on the node it is bound to.
- ephemeral container "debug": image reg.example/c:1 is for linux/amd64,
  linux/s390x
  on n (linux/arm64): the pull would be refused: no match for platform in
    manifest
To mend it: build the image for linux/arm64 too, or run it on a linux/amd64,
  linux/s390x node: change spec.nodeName.""",
    ),
    "an invalid reference": (
        Facts(
            POD,
            "mismatch",
            (image("Reg/App", error=("invalid-reference", "the name of a repository must be in lower case")),),
            (on("n", "linux/amd64", fails("invalid-reference")),),
        ),
        """\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image Reg/App
  on n (linux/amd64): no kubelet pulls it: the name of a repository must be in
    lower case
To mend it: correct the image reference.""",
    ),
    "a pod for another os": (
        Facts(demanding(os_name="windows"), "mismatch", (AMD,), (on("n", "linux/amd64", fails("refused-by-kubelet")),)),
        """\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
  on n (linux/amd64): the kubelet would refuse the pod, which asks for another
    os
To mend it: make spec.os.name, the label kubernetes.io/os and the node selector
  agree.""",
    ),
    "schema 1": (
        Facts(POD, "mismatch", (image("reg.example/old:1"),), (on("n", "linux/amd64", fails("unsupported")),)),
        """\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/old:1
  on n (linux/amd64): an image in Docker's schema 1, which containerd 2.1 and
    later do not pull
To mend it: push the image again in a current format.""",
    ),
    "partial, where settings deny it": (
        Facts(POD, "partial", (AMD,), (on("a", "linux/amd64", runs("fits")), ARM_ONE), remedy=ADD_AMD64),
        f"""\
Pod web cannot run on 1 of the 2 nodes it may be scheduled to.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
{ON_ARM_ONE}
To mend it: add nodeSelector kubernetes.io/arch: amd64, or build the image for
  linux/arm64 too.""",
    ),
    "undetermined, where settings deny it": (
        Facts(
            POD,
            "undetermined",
            (image("reg.example/web:1", error=("unauthorized", error_text("unauthorized"))),),
            (on("n", "linux/amd64", uncertain("image-unresolved")),),
        ),
        """\
Pod web is not known to run on the only node it may be scheduled to.
- container "app": image reg.example/web:1
  on n (linux/amd64): the registry wants credentials that none of the pull
    secrets has
To mend it: check the pull secrets.""",
    ),
    "no candidates, where settings deny it": (
        Facts(POD, "no-candidates", (), ()),
        """\
Pod web was not checked: no node, existing or declared, takes it, and it demands
  no architecture.
To mend it: check nodeSelector, affinity and tolerations, or declare nodes that
  are to come in the settings.""",
    ),
    "doubts about what it rests on": (
        Facts(
            demanding("Deployment", runtime_class="gvisor"),
            "mismatch",
            (replace(AMD, stale=True),),
            (ARM_ONE,),
            runtime_class="unknown",
        ),
        f"""\
Deployment web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
{ON_ARM_ONE}
RuntimeClass gvisor is not known: judged without what it adds to a pod
the registry of reg.example/shop/web:1.4 cannot be reached: judged by what it
  said before
{TO_AMD}
  add nodeSelector kubernetes.io/arch: amd64.""",
    ),
}


@pytest.mark.parametrize("case", DENIALS)
def test_a_denial(case):
    facts, text = DENIALS[case]
    assert denial(facts) == text
    assert all(len(line) <= WIDTH for line in text.splitlines())


def broken(code: ErrorCode) -> ImageFinding:
    return image("reg.example/web:1", error=(code, error_text(code, "secret team/pull: not JSON")))


def unsure(why: Why, platform: str | None = "linux/amd64") -> NodeFinding:
    return on("n", platform, uncertain(why))


OPEN = 'podgate: Pod web: container "app": reg.example/web:1 may not run on n (linux/amd64): '
PLAIN = image("reg.example/web:1")

WARNINGS = {
    "partial": (
        Facts(POD, "partial", (AMD,), (on("a", "linux/amd64", runs("fits")), ARM_ONE), remedy=ADD_AMD64),
        (
            'podgate: Pod web: container "app": reg.example/shop/web:1.4 (linux/amd64) fails on arm-1 (linux/arm64): '
            "the pull would be refused: no match for platform in manifest; add nodeSelector kubernetes.io/arch: amd64"
        ),
    ),
    "partial, and nothing narrows it": (
        Facts(POD, "partial", (AMD,), (on("a", "linux/amd64", runs("fits")), ARM_ONE)),
        (
            'podgate: Pod web: container "app": reg.example/shop/web:1.4 (linux/amd64) fails on arm-1 (linux/arm64): '
            "the pull would be refused: no match for platform in manifest; build the image for linux/arm64 too"
        ),
    ),
    "a mismatch, in mode warn": (
        Facts(demanding(node_selector=SELECTS_ARM), "mismatch", (AMD,), (on("arm-1", "linux/arm64", WRONG),)),
        (
            'podgate: Pod web: container "app": reg.example/shop/web:1.4 (linux/amd64) fails on arm-1 (linux/arm64): '
            "the container would end in: exec format error (by the image's config); build the image for linux/arm64 too"
        ),
    ),
    "nodes of several platforms": (
        Facts(
            POD,
            "mismatch",
            (AMD,),
            (ARM_ONE, on("s-1", "linux/s390x", REFUSED), on("s-2", "linux/s390x", REFUSED)),
        ),
        (
            'podgate: Pod web: container "app": reg.example/shop/web:1.4 (linux/amd64) fails on arm-1 (linux/arm64) '
            "and 2 more nodes: the pull would be refused: no match for platform in manifest; "
            "build the image for linux/arm64, linux/s390x too"
        ),
    ),
    "a stand-in": (
        Facts(POD, "mismatch", (PLAIN,), (on(None, "linux/arm64", fails("unsupported")),)),
        (
            'podgate: Pod web: container "app": reg.example/web:1 fails on a linux/arm64 node: an image in Docker\'s '
            "schema 1, which containerd 2.1 and later do not pull; push the image again in a current format"
        ),
    ),
    "no candidates": (
        Facts(POD, "no-candidates", (), ()),
        (
            "podgate: Pod web was not checked: no node, existing or declared, takes it, "
            "and it demands no architecture; check nodeSelector, affinity and tolerations, "
            "or declare nodes that are to come in the settings"
        ),
    ),
    "bound to a node that nobody knows": (
        Facts(demanding(node_name="n9"), "no-candidates", (), ()),
        "podgate: Pod web was not checked: its node n9 is not known; check spec.nodeName",
    ),
    "a RuntimeClass that contradicts the template": (
        Facts(demanding("Job", runtime_class="win"), "no-candidates", (), (), runtime_class="contradicted"),
        (
            "podgate: Job web was not checked: its node selector and that of its RuntimeClass win exclude each other; "
            "make the two agree"
        ),
    ),
    "an object without a name": (
        Facts(replace(POD, name=""), "no-candidates", (), ()),
        (
            "podgate: Pod (no name) was not checked: no node, existing or declared, takes it, and it demands "
            "no architecture; check nodeSelector, affinity and tolerations, "
            "or declare nodes that are to come in the settings"
        ),
    ),
    "platform-unknown": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("platform-unknown"),)),
        f"{OPEN}the image does not say which platform it is for; build the image with a platform in its config",
    ),
    "matchers-disagree": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("matchers-disagree"),)),
        (
            f"{OPEN}the node's container runtime is not known, and runtimes differ on this image; "
            "build the image for linux/amd64 exactly"
        ),
    ),
    "node-platform-unknown": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("node-platform-unknown", None),)),
        (
            'podgate: Pod web: container "app": reg.example/web:1 may not run on n (platform unknown): the node does '
            "not say which platform it is; give the node the labels kubernetes.io/os and kubernetes.io/arch"
        ),
    ),
    "not-pulled": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("not-pulled"),)),
        f"{OPEN}imagePullPolicy Never: the node runs what it has; see that the node's own image is for its platform",
    ),
    "short-name": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("short-name"),)),
        (
            f"{OPEN}CRI-O looks an unqualified name up in the node's own configuration; "
            "write the image's registry before its name"
        ),
    ),
    "config-contradicted": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("config-contradicted"),)),
        (
            f"{OPEN}its config does not fit, but a manifest list says that it does: one of them is mislabelled; "
            "name the image by that list, or correct the platform in its config"
        ),
    ),
    "unsupported": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("unsupported"),)),
        (
            f"{OPEN}an image in Docker's schema 1, which containerd 2.1 and later do not pull; "
            "push the image again in a current format"
        ),
    ),
    "image-unresolved": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("image-unresolved"),)),
        f"{OPEN}the image could not be looked up",
    ),
    "the API server away": (
        Facts(
            POD,
            "undetermined",
            (image("reg.example/web:1", error=("unavailable", SECRETS_UNREADABLE)),),
            (unsure("image-unresolved"),),
        ),
        f"{OPEN}the pull secrets could not be read: the API server does not answer; try again later",
    ),
    "a bug": (
        Facts(
            POD,
            "undetermined",
            (image("reg.example/web:1", error=("unavailable", INTERNAL)),),
            (unsure("image-unresolved"),),
        ),
        f"{OPEN}podgate itself failed on it, as its log says; try again later",
    ),
    "bad-credentials": (
        Facts(POD, "undetermined", (broken("bad-credentials"),), (unsure("image-unresolved"),)),
        f"{OPEN}secret team/pull: not JSON; mend the pull secret",
    ),
}

FAULTS: dict[ErrorCode, str] = {
    "not-found": "not found in the registry; check the image's name and tag, and the pull secrets",
    "unauthorized": "the registry wants credentials that none of the pull secrets has; check the pull secrets",
    "denied": "the registry refuses access; check the pull secrets",
    "rate-limited": "the registry limits the rate of requests; try again later, or with credentials",
    "unavailable": "the registry cannot be reached or is failing; try again later",
    "timeout": "the registry did not answer in time; try again later",
    "tls": "the registry's certificate is not trusted; let podgate trust the registry's CA "
    "(settings: registries.hostsDir)",
    "blocked-address": "the registry's address may not be connected to; allow the address in the settings "
    "(registries.allowedAddresses)",
    "blocked-host": "the registry is not among those that may be asked; allow the registry in the settings "
    "(registries.allowedHosts)",
    "too-large": "the registry sent more than a manifest may have; see what the registry holds under that name",
    "digest-mismatch": "what the registry sent does not have the digest asked for; "
    "see what the registry holds under that name",
    "malformed": "what the registry sent is not an image; see what the registry holds under that name",
    "unsupported": "the registry sent a format that is not supported; push the image again in a current format",
}


@pytest.mark.parametrize("case", WARNINGS)
def test_a_warning(case):
    facts, text = WARNINGS[case]
    assert warnings(facts) == (text,)
    assert len(text) <= WARNING_LIMIT


@pytest.mark.parametrize("code", FAULTS)
def test_a_warning_of_a_fault(code):
    facts = Facts(POD, "undetermined", (broken(code),), (unsure("image-unresolved"),))
    assert warnings(facts) == (OPEN + FAULTS[code],)


def test_every_fault_and_every_why_has_words():
    assert set(FAULTS) == set(get_args(ErrorCode)) - {"invalid-reference", "bad-credentials"}
    for why in get_args(Why):
        if why not in ("fits", "fits-variant-not-given", "fits-by-manifest-list", "exempt"):
            assert " " in end_of(why, PLAIN, "linux/amd64")
            assert mend_of(why, PLAIN, "linux/amd64") or why in (
                "no-matching-entry",
                "config-mismatch",
                "image-unresolved",
            )


def test_the_other_texts():
    assert last_resort("7-8") == "podgate: internal error, request 7-8 was let through without a check"
    assert last_resort("\n") == "podgate: internal error, request (no uid) was let through without a check"
    assert too_early() == "podgate: not checked, since the nodes of the cluster are not known yet"
    assert (
        not_understood("spec.containers: is missing")
        == "podgate: not checked, since it was not understood: spec.containers: is missing"
    )
    assert platform_text(None) == "platform unknown"
    assert platform_text(Platform("windows", "amd64", "", "10.0.20348")) == "windows/amd64:10.0.20348"


def test_each_image_in_trouble_and_each_doubt_has_a_warning_of_its_own():
    bad = image("reg.example/bad:1", "linux/amd64", container="bad", role="init", stale=True)
    good = image("reg.example/good:1", "linux/arm64", "linux/amd64")
    nodes = (
        on("a", "linux/amd64", runs("fits"), runs("fits"), runs("fits")),
        on("b", "linux/arm64", REFUSED, runs("fits"), REFUSED),
    )
    facts = Facts(
        demanding("Deployment", runtime_class="kata"),
        "partial",
        (bad, good, image("reg.example/odd:1", "linux/amd64", container="odd")),
        nodes,
        ADD_AMD64,
        "unknown",
    )
    refused = "the pull would be refused: no match for platform in manifest"
    assert warnings(facts) == (
        (
            f'podgate: Deployment web: init container "bad": reg.example/bad:1 (linux/amd64) fails on b (linux/arm64): '
            f"{refused}; add {ADD_AMD64}"
        ),
        (
            f'podgate: Deployment web: container "odd": reg.example/odd:1 (linux/amd64) fails on b (linux/arm64): '
            f"{refused}; add {ADD_AMD64}"
        ),
        "podgate: Deployment web: RuntimeClass kata is not known: judged without what it adds to a pod",
        "podgate: Deployment web: the registry of reg.example/bad:1 cannot be reached: judged by what it said before",
    )


@pytest.mark.parametrize(("images", "shown"), [(8, 8), (9, 8), (40, 8)])
def test_the_last_of_many_warnings_counts_the_rest(images, shown):
    many = tuple(image(f"reg.example/{number}:1", container=str(number)) for number in range(images))
    lines = warnings(Facts(POD, "undetermined", many, (on("n", "linux/amd64", *[uncertain("not-pulled")] * images),)))
    assert len(lines) == shown
    if images > WARNINGS_LIMIT:
        assert lines[-1] == f"podgate: Pod web: and {images - 7} more warnings like these"


def test_undetermined_tells_of_failures_beside_what_is_uncertain():
    facts = Facts(POD, "undetermined", (AMD,), (ARM_ONE, on("odd", None, uncertain("node-platform-unknown"))))
    assert warnings(facts)[0].startswith(
        'podgate: Pod web: container "app": reg.example/shop/web:1.4 (linux/amd64) fails on arm-1 (linux/arm64) '
        "and 1 more nodes: "
    )


def test_names_are_shortened_before_the_advice_is_left_out():
    long = "x" * 300
    facts = Facts(
        replace(POD, name=f"p{long}"),
        "partial",
        (image(f"reg.example/{long}:tag", "linux/amd64", container=f"c{long}"),),
        (on("a", "linux/amd64", runs("fits")), on(f"n{long}", "linux/arm64", REFUSED)),
        ADD_AMD64,
    )
    (line,) = warnings(facts)
    assert len(line) <= WARNING_LIMIT
    assert ":tag (linux/amd64) fails on " in line
    assert "no match for platform in manifest" in line


@pytest.mark.parametrize(
    ("values", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_alternatives(values, text):
    assert either(values) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (1, "n0"), (3, "n0, n1, n2"), (4, "n0, n1, n2 and 1 more"), (1000, "n0, n1, n2 and 997 more")],
)
def test_three_names_then_a_count(count, text):
    assert name_some([f"n{number}" for number in range(count)]) == text


# Laws: whatever users and registries write.

HOSTILE = st.text(
    st.sampled_from("ab/:@.-_ \t\n\r\x00\x1b\x7f\x85\u2028\u202e\ufeff\U0001f600é\ud800"), max_size=400
) | st.text(max_size=400)
WHYS = [why for why in get_args(Why) if not why.startswith(("fits", "exempt"))]
OUTCOMES = st.builds(Outcome, st.sampled_from(["fails", "uncertain"]), st.sampled_from(WHYS)) | st.just(runs("fits"))
CODES = st.sampled_from(get_args(ErrorCode))
ERRORS = st.none() | st.builds(lambda code, where: (code, error_text(code, where)), CODES, HOSTILE)
IMAGES = st.builds(
    ImageFinding,
    HOSTILE,
    HOSTILE,
    platforms=st.lists(HOSTILE, max_size=9).map(tuple),
    error=ERRORS,
    stale=st.booleans(),
    role=st.sampled_from(get_args(ContainerRole)),
)
PLATFORMS = st.none() | st.builds(Platform, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
GROUPS = st.lists(st.builds(Node, HOSTILE, PLATFORMS), min_size=1, max_size=5).map(NodeGroup.of) | st.builds(
    Node, st.none(), PLATFORMS
).map(lambda one: NodeGroup.of((one,)))
CONSTRAINTS = st.builds(
    PodConstraints,
    node_name=HOSTILE,
    node_selector=st.dictionaries(st.sampled_from(["kubernetes.io/arch", "kubernetes.io/os", "x"]), HOSTILE),
    runtime_class=HOSTILE,
)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    images = tuple(draw(st.lists(IMAGES, max_size=12)))
    outcomes = st.tuples(*[OUTCOMES] * len(images))
    nodes = draw(st.lists(st.builds(NodeFinding, GROUPS, outcomes), max_size=6))
    workload = Workload("v1", "Pod", draw(HOSTILE), draw(HOSTILE), "", (), draw(CONSTRAINTS))
    reason = draw(st.sampled_from(get_args(Reason)))
    told = Facts(workload, reason, images, tuple(nodes), draw(HOSTILE))
    return draw(
        st.sampled_from([told, replace(told, runtime_class="unknown"), replace(told, runtime_class="contradicted")])
    )


@given(facts())
def test_a_warning_is_one_line_of_256_characters_and_there_are_eight_at_most(told):
    """Design, section 5: "A warning is one line without control characters, at most 256 characters, at most 8 in an
    answer, the last one counting the rest"."""
    lines = warnings(told)
    assert 1 <= len(lines) <= 8
    for line in lines:
        assert line.isprintable()
        assert 0 < len(line) <= 256


@given(facts())
def test_a_denial_fits_a_terminal(told):
    """Design, section 5: "It fits on a terminal. A denial may have lines"; a name stays whole, so that only a line of
    one long word may be longer."""
    for line in denial(told).split("\n"):
        assert line.isprintable()
        assert len(line) <= WIDTH or " " not in line.strip()


@given(facts())
def test_the_same_facts_give_the_same_texts(told):
    assert denial(told) == denial(replace(told))
    assert warnings(told) == warnings(replace(told))


@given(HOSTILE, st.integers(8, 120))
def test_clean_text_is_printable_short_and_keeps_its_end(text, limit):
    cleaned = clean(text, limit)
    assert cleaned.isprintable()
    assert len(cleaned) <= limit
    printable = "".join(filter(str.isprintable, text))
    if len(printable) <= limit and len(text) <= 4 * limit:
        assert cleaned == printable
    else:
        assert "..." in cleaned


def test_cleaning_a_megabyte_looks_at_its_ends_only():
    assert clean("a" * 2_000_000 + ":tag") == f"{'a' * 58}...{'a' * 55}:tag"
