"""Denials: the whole wording of each."""

from dataclasses import replace

import pytest

from tests.support.messages import (
    ADD_AMD64,
    AMD,
    ARM_ONE,
    POD,
    REFUSED,
    SELECTS_ARM,
    SHORT,
    WRONG,
    demanding,
    image,
    on,
)
from webhook.core.message import (
    Facts,
    denial,
)
from webhook.core.outcome import fails, runs, uncertain
from webhook.core.scheduling import (
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)
from webhook.core.text import WIDTH
from webhook.core.wording import error_text

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
    "a short name that is another image on CRI-O nodes": (
        Facts(POD, "mismatch", (SHORT,), (ARM_ONE,)),
        f"""\
Pod web cannot run on the only node it may be scheduled to.
- container "app": image web:1 (on CRI-O nodes quay.io/web:1) is for linux/amd64
{ON_ARM_ONE}
{TO_AMD}
  add nodeSelector kubernetes.io/arch: amd64.""",
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
  on n (linux/amd64): the registry wants credentials that are not at hand
To mend it: give the pod, or its ServiceAccount, a pull secret for it.""",
    ),
    "no candidates, where settings deny it": (
        Facts(POD, "no-candidates", (), ()),
        """\
Pod web was not checked: no node, existing or declared, takes it, and it demands
  no architecture.
To mend it: check nodeSelector, affinity and tolerations, or declare nodes that
  are to come in the settings.""",
    ),
    "a RuntimeClass that selects other nodes": (
        Facts(
            demanding("Deployment", runtime_class="fast"),
            "mismatch",
            (AMD,),
            (ARM_ONE,),
            added={"kubernetes.io/arch": "arm64"},
        ),
        f"""\
Deployment web cannot run on the only node it may be scheduled to.
- container "app": image reg.example/shop/web:1.4 is for linux/amd64
{ON_ARM_ONE}
To mend it: build the image for linux/arm64 too, or run it on linux/amd64 nodes:
  by another RuntimeClass than fast, which selects its nodes.""",
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
