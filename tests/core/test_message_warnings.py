"""Warnings: the whole wording of each, and which there are."""

from dataclasses import replace
from typing import get_args

import pytest

from tests.support.messages import (
    ADD_AMD64,
    AMD,
    ARM_ONE,
    OPEN,
    PLAIN,
    POD,
    REFUSED,
    SELECTS_ARM,
    SHORT,
    WRONG,
    broken,
    demanding,
    image,
    on,
    unsure,
)
from webhook.core.decision import NodeFinding
from webhook.core.errors import ErrorCode
from webhook.core.grouping import NodeGroup
from webhook.core.message import (
    WARNING_LIMIT,
    WARNINGS_LIMIT,
    Facts,
    warnings,
)
from webhook.core.nodepools import UNREAD_NAME
from webhook.core.outcome import Why, fails, runs, uncertain
from webhook.core.platform import parse_platform
from webhook.core.scheduling import Node
from webhook.core.wording import INTERNAL, NO_ADDRESS, SECRETS_UNREADABLE, end_of, error_text, mend_of


def of_pool(name: str, *may_be: str) -> NodeFinding:
    """A node to come, of a platform that is not known."""
    node = Node(name, None, may_be=tuple(map(parse_platform, may_be)))
    return NodeFinding(NodeGroup.of((node,)), (uncertain("node-platform-unknown"),))


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
    "a short name that is another image on CRI-O nodes": (
        Facts(POD, "mismatch", (SHORT,), (ARM_ONE,)),
        (
            'podgate: Pod web: container "app": web:1 (on CRI-O nodes quay.io/web:1) (linux/amd64) fails on arm-1 '
            "(linux/arm64): the pull would be refused: no match for platform in manifest; build the image for "
            "linux/arm64 too"
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
    "bound to a node that nobody knows, or that does not take it": (
        Facts(demanding(node_name="n9"), "no-candidates", (), ()),
        (
            "podgate: Pod web was not checked: there is no node n9 that takes it; "
            "check spec.nodeName, nodeSelector, affinity and tolerations"
        ),
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
    "a Windows node whose build is not known": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("node-platform-unknown", "windows/amd64"),)),
        (
            'podgate: Pod web: container "app": reg.example/web:1 may not run on n (windows/amd64): the node does not '
            "say which Windows build it has; say the build by the label node.kubernetes.io/windows-build"
        ),
    ),
    "a NodePool that leaves its platform open": (
        Facts(POD, "undetermined", (PLAIN,), (of_pool("nodepool general", "linux/amd64"),)),
        (
            'podgate: Pod web: container "app": reg.example/web:1 may not run on nodepool general (platform unknown): '
            "the NodePool leaves the platform to its provider; name kubernetes.io/arch in the NodePool's requirements"
        ),
    ),
    "NodePools that could not be read": (
        Facts(POD, "undetermined", (PLAIN,), (of_pool(UNREAD_NAME),)),
        (
            'podgate: Pod web: container "app": reg.example/web:1 may not run on NodePools that could not be read '
            "(platform unknown): it is not known what they may give"
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
    "an entry of no known media type": (
        Facts(POD, "undetermined", (replace(PLAIN, kind="index"),), (unsure("unsupported"),)),
        (
            f"{OPEN}the index's entry for it is of a media type that containerd does not pull; "
            "push the image again in a current format"
        ),
    ),
    "image-unresolved": (
        Facts(POD, "undetermined", (PLAIN,), (unsure("image-unresolved"),)),
        f"{OPEN}the image could not be looked up",
    ),
    "a registry that has no address": (
        Facts(POD, "undetermined", (broken("malformed", NO_ADDRESS),), (unsure("image-unresolved"),)),
        f"{OPEN}the registry's name is none that can be asked; check the image's name",
    ),
    "the API server away": (
        Facts(POD, "undetermined", (broken("unavailable", SECRETS_UNREADABLE),), (unsure("image-unresolved"),)),
        f"{OPEN}the pull secrets could not be read: the API server does not answer; try again later",
    ),
    "a bug": (
        Facts(POD, "undetermined", (broken("unavailable", INTERNAL),), (unsure("image-unresolved"),)),
        f"{OPEN}podgate itself failed on it, as its log says; try again later",
    ),
    "bad-credentials": (
        Facts(POD, "undetermined", (broken("bad-credentials"),), (unsure("image-unresolved"),)),
        f"{OPEN}secret team/pull: not JSON; mend the pull secret",
    ),
    "a ServiceAccount that is malformed": (
        Facts(
            POD,
            "undetermined",
            (image("reg.example/web:1", error=("bad-credentials", "serviceaccount team/app: must be a list")),),
            (unsure("image-unresolved"),),
        ),
        f"{OPEN}serviceaccount team/app: must be a list; mend the ServiceAccount",
    ),
    "credentials of podgate's own": (
        Facts(
            POD,
            "undetermined",
            (image("reg.example/web:1", error=("bad-credentials", "registries.credentials[0]: not JSON")),),
            (unsure("image-unresolved"),),
        ),
        f"{OPEN}registries.credentials[0]: not JSON; mend the credentials",
    ),
    "a missing permission": (
        Facts(
            POD,
            "undetermined",
            (
                replace(
                    image("reg.example/web:1", error=("bad-credentials", "secret team/pull: no permission")),
                    missing_right="podgate to get secrets (in its ClusterRole)",
                ),
            ),
            (unsure("image-unresolved"),),
        ),
        f"{OPEN}secret team/pull: no permission; allow podgate to get secrets (in its ClusterRole)",
    ),
}


FAULTS: dict[ErrorCode, str] = {
    "not-found": "not found in the registry; check the image's name and tag; a private one takes a pull secret",
    "unauthorized": "the registry wants credentials that are not at hand; "
    "give the pod, or its ServiceAccount, a pull secret for it",
    "denied": "the registry refuses access; give the pod, or its ServiceAccount, a pull secret for it",
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


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        ("not-found", "check the image's name and tag, and the pull secrets"),
        ("unauthorized", "check the pull secrets"),
        ("denied", "check the pull secrets"),
    ],
)
def test_pull_secrets_are_to_be_checked_where_the_pod_names_some(code, mend):
    facts = Facts(demanding(pull_secrets=("a",)), "undetermined", (broken(code),), (unsure("image-unresolved"),))
    assert warnings(facts) == (f"{OPEN}{error_text(code)}; {mend}",)


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


def test_what_could_not_be_read_of_the_cluster_has_a_warning():
    facts = Facts(POD, "mismatch", (AMD,), (ARM_ONE,), doubts=("namespace", "node-pools"))
    assert warnings(facts)[1:] == (
        (
            "podgate: Pod web: the labels of the namespace team could not be read: judged without its mode, and not "
            "denied"
        ),
        "podgate: Pod web: the NodePools could not be read: which nodes they may give is not known",
    )


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
        "and 1 more node: "
    )


def test_nodes_whose_kubelet_refuses_the_pod_are_narrowed_away_too():
    nodes = (on("a", "linux/amd64", runs("fits")), on("w", "windows/amd64", fails("refused-by-kubelet")))
    facts = Facts(POD, "partial", (AMD,), nodes, "nodeSelector kubernetes.io/os: linux")
    (line,) = warnings(facts)
    assert line == (
        'podgate: Pod web: container "app": reg.example/shop/web:1.4 (linux/amd64) fails on w (windows/amd64): the '
        "kubelet would refuse the pod, which asks for another os; add nodeSelector kubernetes.io/os: linux"
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
