"""The fuzzer finds what is wrong and shows the smallest input, tried with targets that are wrong on purpose; and what
is kept keeps the laws."""

import argparse
import asyncio
import base64
import json
from collections.abc import Sequence
from contextlib import nullcontext

import pytest

from tests.bench.document import write_into
from tests.fuzz import __main__ as command
from tests.fuzz import guided, jsontext, objects, parts
from tests.fuzz.__main__ import Run, fuzz
from tests.fuzz.catalogue import COUNTS, TARGETS, kept
from tests.fuzz.failing import Failure, failure_of, reduced
from tests.fuzz.laws import SECRET, Answer, Broken, Pure, hold, tells_no_secret
from tests.fuzz.mutate import Mutator
from tests.oracles.progress import Progress, State
from tests.service.conftest import pod
from tests.support.images import digest_of
from webhook.core.decision import ImageFinding, Judgement, NodeFinding
from webhook.core.errors import InvalidReference
from webhook.core.grouping import NodeGroup
from webhook.core.outcome import Outcome, Verdict
from webhook.core.platform import Platform
from webhook.core.reference import parse_image
from webhook.core.scheduling import Node
from webhook.core.workload import parse_workload


class Wrong(Pure):
    """Breaks a law where an input has a member `b` that is a list."""

    name = "wrong"

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def seeds(self) -> list[bytes]:
        return [json.dumps({"a": {"b": 1, "c": [1, 2]}, "d": "text"}).encode()]

    def answer(self, data: bytes) -> Answer:
        self.seen.append(data)
        tree = jsontext.read(data)
        if tree is not None:
            members = [slot for slot in jsontext.slots(tree) if isinstance(slot[0], jsontext.Members)]
            pairs = [node.pairs[number] for node, number in members]
            hold(not any(key == "b" and isinstance(value, list) for key, value in pairs), "a list: b")
        return Answer("read" if tree is not None else "refused", data)


class Undocumented(Pure):
    """Lets one of podgate's own exceptions out."""

    name = "undocumented"

    def seeds(self) -> list[bytes]:
        return [b"reg.example/app:1"]

    def answer(self, data: bytes) -> Answer:
        return Answer("read", parse_image(data.decode("latin-1")))


class Fickle(Pure):
    """Never says the same twice."""

    name = "fickle"

    def __init__(self) -> None:
        self.times = 0

    def seeds(self) -> list[bytes]:
        return [b"x"]

    def answer(self, data: bytes) -> Answer:
        self.times += 1
        return Answer("read", self.times)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_kept_keeps_the_laws_and_so_do_some_new_inputs(name):
    """Every way from the outside; the large numbers are for `make fuzz`."""
    with TARGETS[name]() as target:
        inputs = Mutator(name, target.seeds(), 7)
        for data in (*kept(name), *(inputs.made(number) for number in range(20))):
            found = failure_of(target, data, twice=True)
            assert isinstance(found, Answer), found.words


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_usual_is_read(name):
    """Seeds that are turned away at the door would prove nothing."""
    with TARGETS[name]() as target:
        answers = [target.answer(data).kind for data in target.seeds()[:60]]
    assert sum(kind != "refused" for kind in answers) > len(answers) / 3
    assert len(set(answers)) > 1 or name == "settings"


@pytest.mark.parametrize(
    ("verdicts", "image", "breaks"),
    [
        (("fails", "fails"), "reg.example/team/z:1", False),
        (("fails", "runs"), "reg.example/team/arm:1", True),  # denied, although it runs on one
        (("fails", "fails"), "reg.example/team/arm:1", True),  # there is arm64 in it
        ((), "reg.example/team/z:1", True),
    ],
)
def test_a_wrong_denial_breaks_a_law(verdicts: Sequence[Verdict], image, breaks):
    nodes = [Node("amd-1", Platform("linux", "amd64")), Node("arm-1", Platform("linux", "arm64"))]
    findings = tuple(
        NodeFinding(NodeGroup.of([one]), (Outcome(verdict, "no-matching-entry"),))
        for one, verdict in zip(nodes, verdicts, strict=False)
    )
    workload = parse_workload(pod(image))
    assert workload is not None
    judgement = Judgement(workload, "deny", "mismatch", "deny", images=(ImageFinding("app", image),), findings=findings)
    with pytest.raises(Broken) if breaks else nullcontext():
        objects._is_what_images_are_made_for(judgement)


def test_a_broken_law_is_found_and_reduced(tmp_path):
    found = fuzz(Run("wrong", 1, 5000, None, tmp_path), Wrong())
    assert found is not None
    assert found.mark == "a list"
    assert jsontext.read(found.data) is not None
    assert len(found.data) <= len(b'{"b":[]}')


def test_an_exception_is_known_by_where_it_came_from():
    found = failure_of(Undocumented(), b"reg.example/Upper:1", twice=False)
    assert isinstance(found, Failure)
    assert found.mark.startswith("InvalidReference in reference.py:")
    smallest = reduced(Undocumented(), found, twice=False)
    assert smallest.mark == found.mark
    with pytest.raises(InvalidReference):
        parse_image(smallest.data.decode("latin-1"))


def test_an_answer_that_changes_is_a_failure():
    found = failure_of(Fickle(), b"x", twice=True)
    assert isinstance(found, Failure)
    assert found.mark == "another answer the second time"


def test_a_loop_without_end_is_ended():
    class Endless(Pure):
        name = "endless"

        def seeds(self) -> list[bytes]:
            return [b"x"]

        def answer(self, data: bytes) -> Answer:
            async def loop() -> None:
                while True:
                    pass

            asyncio.run(loop())
            return Answer("never")

    found = failure_of(Endless(), b"x", twice=False, ceiling=0.05)
    assert isinstance(found, Failure)
    assert found.mark.startswith("OutOfTime")


def test_a_run_goes_on_where_it_was(tmp_path):
    progress = Progress(tmp_path, sources=())
    progress.begin(State("wrong", 1, 0))
    first, second, whole = Wrong(), Wrong(), Wrong()
    assert fuzz(Run("wrong", 1, 3, progress), first) is None
    assert progress.state("wrong") == State("wrong", 1, 3)
    assert fuzz(Run("wrong", 1, 6, progress), second) is None
    assert fuzz(Run("wrong", 1, 6, None), whole) is None
    assert [*first.seen, *second.seen] == whole.seen


def test_a_failure_is_kept_and_looked_at_first(tmp_path):
    found = fuzz(Run("wrong", 1, 5000, None, tmp_path), Wrong())
    assert found is not None
    assert kept("wrong", tmp_path) == [found.data]
    again = Wrong()
    assert fuzz(Run("wrong", 2, 1, None, tmp_path), again) is not None
    assert again.seen == [found.data]


@pytest.mark.parametrize(
    "given", [["--write", "--short"], ["--write", "--count", "5"], ["--write", "--target", "hosts"]]
)
def test_the_figures_of_a_part_are_not_written_down(given, capsys):
    with pytest.raises(SystemExit):
        command.main(given)
    assert "--write takes a whole run" in capsys.readouterr().err


def test_the_page_has_a_place_for_the_figures(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(command.PAGE.read_text())
    write_into(page, command.figures(COUNTS), "make fuzz")
    assert "| all | 1,000,000 | inputs |" in page.read_text()
    assert "| inputs that broke a law | 0 | inputs | <= 0 |" in page.read_text()


@pytest.mark.parametrize("given", [["--target", "nothing"], ["--count", "0"], ["--count", "many"]])
def test_what_is_not_understood_is_refused(given, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(given)
    assert ended.value.code == 2
    assert "argument --" in capsys.readouterr().err


def test_a_guided_run_that_came_to_nothing_is_no_success(tmp_path, capsys):
    options = argparse.Namespace(target="nothing", seconds=1)
    assert guided._run(options, tmp_path, tmp_path, tmp_path) == 2
    assert "nothing: the program that atheris drives ended with 1" in capsys.readouterr().out


def test_inputs_depend_on_seed_and_number_alone():
    seeds = Wrong().seeds()
    one, other = Mutator("wrong", seeds, 1), Mutator("wrong", seeds, 1)
    made = [one.made(number) for number in range(300)]
    assert [other.made(number) for number in reversed(range(300))] == made[::-1]
    assert len(set(made)) > 200
    assert Mutator("wrong", seeds, 2).made(0) != made[0]


def test_a_secret_is_known_in_base64_too():
    for user in ("u", "us", "use", "user"):
        with pytest.raises(Broken):
            tells_no_secret((base64.b64encode(f"{user}:{SECRET}".encode()).decode(),))
    with pytest.raises(Broken):
        tells_no_secret((ValueError(f"bad: {SECRET}"),))
    tells_no_secret(("nothing", 1))


def test_parts_refer_to_those_that_come_after_them():
    filled = parts.referred([b'a {digest:1} {digest:0} "{size:2}"', b"b {digest:2}", b"c"])
    assert filled[1] == b"b " + digest_of(b"c").encode()
    assert filled[0] == b"a " + digest_of(filled[1]).encode() + b" {digest:0} 1"


def test_there_are_a_million():
    assert set(COUNTS) == set(TARGETS)
    assert sum(COUNTS.values()) == 1_000_000
