"""Outcomes: a node's verdict is the worst of its images'."""

from itertools import product
from typing import get_args

import pytest

from webhook.core.outcome import Outcome, Verdict, fails, runs, uncertain, worst


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([], "runs"),
        (["runs"], "runs"),
        (["uncertain"], "uncertain"),
        (["fails"], "fails"),
        (["runs", "uncertain"], "uncertain"),
        (["runs", "fails"], "fails"),
        (["uncertain", "fails"], "fails"),
        (["runs", "uncertain", "fails"], "fails"),
    ],
)
def test_fails_if_any_fails_else_uncertain_if_any_is_else_runs(verdicts, whole):
    for order in (verdicts, verdicts[::-1], verdicts * 2):
        assert worst(Outcome(verdict, "fits") for verdict in order) == whole


def test_the_worst_does_not_depend_on_the_order_or_on_repetition():
    for verdicts in product(get_args(Verdict), repeat=3):
        once = worst(Outcome(verdict, "fits") for verdict in verdicts)
        assert worst(Outcome(verdict, "fits") for verdict in sorted(set(verdicts))) == once


def test_each_maker_makes_its_verdict():
    assert runs("fits") == Outcome("runs", "fits")
    assert fails("config-mismatch") == Outcome("fails", "config-mismatch")
    assert uncertain("short-name") == Outcome("uncertain", "short-name")
