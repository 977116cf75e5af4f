"""The matrix of faults: a part of it runs here, the whole by `make faults`, and both agree with docs/reliability.md."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.catalogue import ASKED_AGAIN, AT_ONCE, BOTH, TOO_LONG, Illness, illnesses
from tests.faults.cells import Cell, broken, broken_when_well, miscounted
from tests.faults.certificates import make_certificates
from tests.faults.matrix import run
from tests.faults.samples import Fit, State
from tests.faults.table import PAGE, markdown, rows_in, rows_of, verdicts, with_table
from tests.faults.webhook import Pace, Told

PART = (
    "connection refused",
    "reset in the TLS handshake",
    "TLS certificate expired",
    "stall after the request",
    "`100 Continue` without end",
    "another document than Docker-Content-Digest says",
    "token empty",
    "redirect to the metadata service",
)
KEPT = rows_in(PAGE.read_text())


async def test_what_is_said_of_some_faults_is_what_happens(tmp_path: Path):
    certificates = make_certificates(tmp_path)
    chosen = [illness for illness in illnesses(certificates.bad) if illness.name in PART]
    assert len(chosen) == len(PART)
    found = await run(chosen, certificates, tmp_path, Pace(timeout=5, request_timeout=2.0))
    assert found.problems == []
    assert len(found.told) == 8 * len(PART)
    rows = rows_of(found)
    assert {name: verdicts(row) for name, row in rows.items()} == {name: verdicts(KEPT[name]) for name in PART}
    assert rows_in(with_table(PAGE.read_text(), markdown(rows))) == rows


def test_every_fault_is_in_the_table_and_nothing_else():
    bad = make_bad()
    assert {illness.name: illness.does for illness in illnesses(bad)} == {name: row[0] for name, row in KEPT.items()}
    assert len(KEPT) >= 30
    assert all(len(row) == 5 for row in KEPT.values())


def make_bad() -> dict[str, ssl.SSLContext]:
    """The names of bad certificates: the table's own, so that they need not be made."""
    said = [name.removeprefix("TLS certificate ") for name in KEPT if name.startswith("TLS certificate ")]
    assert len(said) == 4
    return dict.fromkeys(said, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


# What the matrix holds against an answer: each of its laws can be broken.

RIGHT = Told(True, "allow", "match", "", None, stale=False, seconds=0.1)
DENIED = Told(False, "deny", "mismatch", "it cannot run", None, stale=False, seconds=0.1)
DOUBT = Told(True, "warn", "undetermined", "", "timeout", stale=False, seconds=0.1)


def cell(state: State, fit: Fit, *, readable: bool = False, does: str = "", steps: int = 1) -> Cell:
    illness = Illness("ill", does, readable=BOTH if readable else frozenset(), steps=steps)
    return Cell(illness, "r0", "index", state, fit)


def said(told: Told) -> Told:
    """With the words of its code."""
    return replace(told, words="may not run on arm-1: the registry did not answer in time")


@pytest.mark.parametrize(
    ("where", "told", "answered", "words"),
    [
        (cell("cold", "other"), said(replace(DOUBT, seconds=5.0)), False, "answered after 5.0 s"),
        (cell("cached", "fits"), DENIED, True, "a pod that would run is denied"),
        (cell("cold", "fits"), RIGHT, True, "nothing is known"),
        (cell("cold", "other"), DENIED, True, "nothing is known"),
        (cell("cached", "fits"), RIGHT, False, "no registry has answered"),
        (cell("cached", "other"), replace(DENIED, stale=True), False, "that is not said"),
        (cell("cached", "other"), RIGHT, True, "allow match"),
        (cell("cold", "fits"), replace(RIGHT, reason="error"), False, "allow error"),
        (cell("cold", "fits"), DOUBT, False, "does not say what is wrong"),
        (cell("cold", "fits", readable=True), said(DOUBT), False, "all could be read"),
    ],
)
def test_an_answer_that_must_not_be_is_seen(where: Cell, told: Told, answered: bool, words: str):
    assert words in "\n".join(broken(where, told, answered=answered, timeout=5))


@pytest.mark.parametrize(
    ("where", "told", "answered"),
    [
        (cell("cold", "fits"), said(DOUBT), False),
        (cell("cold", "other"), said(DOUBT), True),
        (cell("cold", "other", readable=True), DENIED, True),
        (cell("cached", "fits"), replace(RIGHT, stale=True), False),
        (cell("cached", "fits"), RIGHT, True),
    ],
)
def test_an_answer_that_may_be_is_let_pass(where: Cell, told: Told, answered: bool):
    assert list(broken(where, told, answered=answered, timeout=5)) == []


@pytest.mark.parametrize(
    ("where", "right", "wrong"),
    [
        (cell("cold", "fits", does=AT_ONCE), [1], [0, 2]),
        (cell("cold", "fits", does=AT_ONCE, steps=2), [1, 2], [3]),
        (cell("cached", "fits", does=AT_ONCE), [1, 2], [0, 3]),
        (cell("cold", "fits", does=ASKED_AGAIN), [2, 3], [1, 4]),
        (cell("cached", "fits", does=ASKED_AGAIN), [1, 3], [0, 4]),
        (cell("cached", "fits", does=TOO_LONG), [1], [2]),
        (cell("cold", "fits", does="something else"), [0, 99], []),
    ],
)
def test_how_often_a_registry_is_asked_is_counted(where: Cell, right: list[int], wrong: list[int]):
    assert [count for count in right if list(miscounted(where, count))] == []
    assert [count for count in wrong if not list(miscounted(where, count))] == []


@pytest.mark.parametrize("told", [DENIED, said(DOUBT), replace(RIGHT, stale=True)])
def test_after_the_fault_nothing_may_be_left_of_it(told: Told):
    assert list(broken_when_well(cell("cold", "fits"), RIGHT)) == []
    assert list(broken_when_well(cell("cold", "fits"), told)) != []
