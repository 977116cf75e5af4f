"""Events as values: what they are about, and what they say."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.messages import ADD_AMD64, AMD, ARM_ONE, POD, image, on, unsure
from webhook.core.decision import Reason
from webhook.core.message import Facts
from webhook.core.notice import REASONS, TEXT_BYTES, Regarding, cut, event_text, joined, regarding
from webhook.core.outcome import fails, runs

OWNED = replace(POD, uid="p-1", owner=("apps/v1", "ReplicaSet", "web-5d9"), owner_uid="r-1")
ITSELF = Regarding("v1", "Pod", "team", "web", "p-1")
OWNER = Regarding("apps/v1", "ReplicaSet", "team", "web-5d9", "r-1")


@pytest.mark.parametrize(
    ("workload", "binding", "about"),
    [
        (OWNED, False, OWNER),
        # a pod that is being bound is there, and the trouble is its own
        (OWNED, True, ITSELF),
        (replace(OWNED, owner=None, owner_uid=""), False, ITSELF),
        # what has a template is told of itself, whoever owns it
        (replace(OWNED, kind="PodTemplate"), False, replace(ITSELF, kind="PodTemplate")),
        # no uid, nothing to point at
        (replace(POD, uid=""), False, None),
        (replace(OWNED, owner_uid=""), False, None),
        (replace(OWNED, owner=("apps/v1", "ReplicaSet", "")), False, None),
        (replace(OWNED, owner=("apps/v1", "", "web")), False, None),
        # what somebody has made up does not fill the queue's memory
        (replace(OWNED, owner=("apps/v1", "K" * 64, "web")), False, None),
        (replace(OWNED, owner=("apps/v1", "Kind", "w" * 254)), False, None),
        (replace(OWNED, owner=("v" * 254, "Kind", "web")), False, None),
        (replace(OWNED, owner_uid="u" * 254), False, None),
    ],
)  # fmt: skip
def test_what_an_event_is_about(workload: Any, binding: bool, about: Regarding | None):
    assert regarding(workload, binding=binding) == about


def test_the_text_of_some_nodes_that_fail():
    nodes = (on("amd-1", "linux/amd64", runs("fits")), ARM_ONE)
    assert event_text(Facts(POD, "partial", (AMD,), nodes, ADD_AMD64)) == (
        'container "app": reg.example/shop/web:1.4 (linux/amd64) fails on arm-1 (linux/arm64): the pull would be '
        "refused: no match for platform in manifest; add nodeSelector kubernetes.io/arch: amd64"
    )


def test_the_text_of_a_doubt():
    text = event_text(Facts(POD, "undetermined", (image("reg.example/web:1"),), (unsure("platform-unknown"),)))
    assert text == (
        'container "app": reg.example/web:1 may not run on n (linux/amd64): the image does not say which platform it '
        "is for; build the image with a platform in its config"
    )


def test_the_text_without_any_node():
    text = event_text(Facts(POD, "no-candidates", (image(),), ()))
    assert text.startswith("was not checked: no node, existing or declared, takes it")


def test_pods_of_one_owner_say_the_same_whatever_their_names():
    facts = Facts(POD, "mismatch", (image("reg.example/" + "long/" * 30 + "web:1", "linux/amd64"),), (ARM_ONE,))
    texts = {event_text(replace(facts, workload=replace(POD, name="w" * length))) for length in (1, 30, 63, 200)}
    assert len(texts) == 1


def test_many_images_are_as_many_as_fit_and_a_count():
    images = tuple(
        image(f"reg.example/{'x' * 60}/{number}:1", "linux/amd64", container=f"c{number}") for number in range(40)
    )
    nodes = (on("arm-1", "linux/arm64", *[fails("no-matching-entry")] * 40),)
    text = event_text(Facts(POD, "mismatch", images, nodes))
    assert len(text.encode()) <= TEXT_BYTES
    assert text.count("reg.example/") >= 3
    assert text.endswith(" more")


@given(st.lists(st.text(), max_size=12))
def test_lines_in_one_are_printable_and_short_enough(lines: list[str]):
    """NoteLengthLimit: bytes, not characters."""
    text = joined(lines)
    assert len(text.encode()) <= TEXT_BYTES
    assert text.isprintable()


@given(
    st.lists(
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=200, max_size=1000), min_size=1
    )
)
def test_text_of_several_bytes_a_character_is_cut_between_characters(lines: list[str]):
    text = joined(lines)
    assert 0 < len(text.encode()) <= TEXT_BYTES
    assert "\N{REPLACEMENT CHARACTER}" not in text


@pytest.mark.parametrize(("text", "length"), [("x" * 1024, 1024), ("x" * 1025, 1024), ("é" * 600, 1024)])
def test_a_text_is_cut_to_1024_bytes(text: str, length: int):
    assert len(cut(text).encode()) == pytest.approx(length, abs=1)
    assert cut(text).endswith("..." if len(text.encode()) > TEXT_BYTES else text[-1])


def test_every_row_that_can_be_warned_of_has_its_reason_and_the_documentation_has_all():
    assert set(REASONS) == set(get_args(Reason)) - {"match", "skipped"}
    text = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()
    documented = re.findall(r"^\| `([A-Z]\w+)` \| `([a-z-]+)` \|", text, re.MULTILINE)
    assert documented == [(reason, row) for row, reason in REASONS.items()]
