"""The fuzzer finds what is wrong, and shows the smallest input: tried with programs that answer wrongly on purpose."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.oracles import fuzz as fuzzer
from tests.oracles.answerers import ANSWER, Answerer, Broken, ours
from tests.oracles.differ import Pair
from tests.oracles.fuzz import BATCH, Run, fuzz
from tests.oracles.progress import Progress, State
from tests.oracles.questions import questions

PROGRAM = """
import json, sys
for line in sys.stdin:
    given = json.loads(line)
    try:
        print(json.dumps({answer}), flush=True)
    except LookupError as error:  # as answer.py does; Go programs end instead
        if {strict}:
            raise
        print(json.dumps({{"failed": repr(error)}}), flush=True)
"""


def program(answer: str, *, strict: bool = False) -> list[str]:
    """A program that answers each line with an expression of `given`, the question."""
    return [sys.executable, "-c", PROGRAM.format(answer=answer, strict=strict)]


@contextmanager
def pair(name: str, original: Sequence[str], answering: Sequence[str]) -> Iterator[Pair]:
    with Answerer(original) as one, Answerer(answering) as other, Pair(name, one, other) as both:
        yield both


def smallest(printed: str) -> Any:
    return json.loads(printed.splitlines()[1])


def test_programs_that_agree_are_asked_all(tmp_path, capsys):
    answer = '{"docker_ref": {"error": "empty"}, "normalized": {"path": given["s"]}}'
    with pair("reference", program(answer), program(answer)) as both:
        assert fuzz(Run("reference", 3, 50), both, Progress(tmp_path))
    assert "reference: 50 inputs, seed 3, 0 disagreements" in capsys.readouterr().out


def test_a_wrong_answer_is_found_and_reduced(tmp_path, capsys):
    """podgate's own answers stand for the original; for podgate a program that is wrong on whatever has a digest."""
    wrong = f"import sys; sys.path.insert(0, {str(ANSWER.parents[2])!r})\n" + WRONG
    with pair("reference", ours("reference"), [sys.executable, "-u", "-c", wrong]) as both:
        assert not fuzz(Run("reference", 1, 1000), both, Progress(tmp_path))
    printed = capsys.readouterr().out
    text = smallest(printed)["s"]
    assert re.fullmatch(".@.", text)  # it can be no shorter
    assert "seed 1" in printed
    assert 'docker_ref: the original has {"error": ' in printed
    assert 'podgate {"error": "empty"}' in printed


WRONG = """
import json
from tests.golden import answer
right = answer.load("reference")
for line in sys.stdin.buffer:
    found = json.loads(answer.answered(right, line))
    if "@" in json.loads(line).get("s", "")[1:-1]:
        found["docker_ref"] = {"error": "empty"}
    print(json.dumps(found))
"""


def test_a_reduction_keeps_to_the_same_disagreement(tmp_path, capsys):
    """Leaving `node` out makes podgate fail; that is another matter, and no smaller input of the same kind."""
    right = '{"only": False, "crio": False}'
    wrong = '{"only": given["image"]["architecture"].startswith("arm") and bool(given["node"]), "crio": False}'
    with pair("platforms", program(right), program(wrong)) as both:
        assert not fuzz(Run("platforms", 1, 100), both, Progress(tmp_path))
    found = smallest(capsys.readouterr().out)
    assert found["image"] == {"architecture": "arm"}
    assert len(found["node"]) == 1


def test_a_reduction_does_not_end_with_another_disagreement(tmp_path, capsys):
    """The program that stands for podgate is wrong in two ways; the one that was found is the one that is shown."""
    right = '{"crio": {"error": "no_match"} if not given["node"] else {"digest": "x"}}'
    wrong = '{"crio": {"digest": "y"} if "arm" in str(given) else {"error": "json"}}'
    with pair("select", program(right), program(wrong)) as both:
        assert not fuzz(Run("select", 1, 1), both, Progress(tmp_path))
    assert 'the original has {"digest": "x"}' in capsys.readouterr().out


def test_documents_inside_strings_are_reduced_too(tmp_path, capsys):
    right = '{"crio": {"digest": "x"}}'
    wrong = '{"crio": {"digest": "x" if "riscv64" not in str(given["blobs"]) else "y"}}'
    with pair("select", program(right), program(wrong)) as both:
        assert not fuzz(Run("select", 1, 500), both, Progress(tmp_path))
    assert smallest(capsys.readouterr().out) == {"blobs": {"": "riscv64"}}


def test_a_failure_of_podgate_is_a_disagreement(tmp_path, capsys):
    right = '{"only": True}'
    failing = '{"failed": "ValueError: odd"} if given["node"]["architecture"] == "arm64" else {"only": True}'
    with pair("platforms", program(right), program(failing)) as both:
        assert not fuzz(Run("platforms", 1, 200), both, Progress(tmp_path))
    printed = capsys.readouterr().out
    assert smallest(printed) == {"node": {"architecture": "arm64"}}
    assert "ValueError: odd" in printed


def test_what_the_original_takes_for_no_input_is_no_smaller_input(tmp_path, capsys):
    """Go programs end at a line that does not fit their form; they are started again."""
    strict = '{"only": given["image"]["os"] == 1}'
    wrong = '{"only": given["node"].get("os") == "linux"}'
    with pair("platforms", program(strict, strict=True), program(wrong)) as both:
        assert not fuzz(Run("platforms", 1, 50), both, Progress(tmp_path))
    assert smallest(capsys.readouterr().out) == {"node": {"os": "linux"}, "image": {"os": ""}}


@pytest.mark.parametrize(
    "broken", ["import sys; sys.exit(3)", "print('{}')", "import sys; print('{}'); sys.stdin.read(9)"]
)
def test_a_program_that_gives_no_answers_is_no_agreement(tmp_path, broken):
    with pair("platforms", program("{}"), [sys.executable, "-c", broken]) as both, pytest.raises(Broken, match="of 20"):
        fuzz(Run("platforms", 1, 20), both, Progress(tmp_path))


def test_a_program_that_hangs_is_not_waited_for():
    silent = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with Answerer(silent, patience=0.1) as answerer, pytest.raises(Broken, match="answered 0 of 1 "):
        answerer.ask([b"{}"])


def test_a_seed_gives_the_same_inputs_and_no_input_twice():
    for path in sorted(Path(fuzzer.__file__).parent.joinpath("inputs").glob("*.py")):
        if path.stem in {"common", "documents"}:
            continue
        one, other, another = (questions(path.stem, seed) for seed in (7, 7, 8))
        drawn = [next(one) for _ in range(200)]
        assert drawn == [next(other) for _ in range(200)]
        assert len(set(drawn)) == 200
        assert drawn != [next(another) for _ in range(200)]


def test_a_run_goes_on_where_it_was(tmp_path, capsys):
    """The first run ends in its second batch; the next asks what the first had not finished, and nothing else."""
    names = '{"only": True}'
    count = BATCH + 10
    drawn = questions("platforms", 5)
    expected = [next(drawn) for _ in range(count)]
    stops = f'{{"only": True}} if json.dumps(given, separators=(",", ":")) != {expected[BATCH + 3]!r} else 1 / 0'
    with pair("platforms", program(names), program(stops)) as both, pytest.raises(Broken):
        fuzz(Run("platforms", 5, count), both, Progress(tmp_path))
    assert Progress(tmp_path).state("platforms") == State("platforms", 5, BATCH)
    log = tmp_path / "asked"
    keeps = f"(open({str(log)!r}, 'a').write(line), {{'only': True}})[1]"
    with pair("platforms", program(names), program(keeps)) as both:
        assert fuzz(Run("platforms", 5, count), both, Progress(tmp_path))
    assert log.read_text().splitlines() == expected[BATCH:]
    assert Progress(tmp_path).state("platforms") == State("platforms", 5, count)


def test_progress_is_of_one_seed_and_of_the_sources_as_they_are(tmp_path):
    progress = Progress(tmp_path)
    assert progress.asked(Run("platforms", 5, 10)) == 0
    progress.begin(State("platforms", 5, 4))
    assert progress.asked(Run("platforms", 5, 10)) == 4
    assert progress.asked(Run("platforms", 6, 10)) == 0
    assert Progress(tmp_path, fresh=True).state("platforms") is None
    file = tmp_path / "platforms.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "sources": "other"}))
    assert progress.state("platforms") is None
    file.write_text("[")
    assert progress.state("platforms") is None


def test_without_go_it_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fuzzer.main(["--count", "1"]) == 0
    assert capsys.readouterr().out.startswith("skipped: no Go.")


@pytest.mark.parametrize("options", [["--oracle", "nothing"], ["--count", "0"], ["--count", "x"], ["--seed", "x"]])
def test_options_that_mean_nothing_are_refused(options, capsys):
    with pytest.raises(SystemExit, match="2"):
        fuzzer.main(options)
    assert capsys.readouterr().err
