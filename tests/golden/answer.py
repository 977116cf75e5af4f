"""podgate's answers to the questions of a golden file: `answer.py NAME < questions > answers`.

Reads the `in` objects of NAME.jsonl.gz as JSON lines on standard input and writes one JSON line each, in order, in the
form of `out`. It decides nothing: answers/NAME.py maps the names of the file to those of webhook.core and back.

A question that makes the core raise is answered with {"failed": ...}, which agrees with nothing, and with the traceback
on standard error; the lines after it are answered all the same.
"""

import importlib.util
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
Answer = Callable[[dict[str, Any]], dict[str, Any]]


def load(name: str) -> Answer:
    """The function `answer` of answers/NAME.py, loaded by path so that the current directory does not matter."""
    path = HERE / "answers" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"golden_answers_{name}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.py")))
        raise SystemExit(f"answer.py: no answers for {name!r}; there are: {known}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    answer: Answer = module.answer
    return answer


def answered(answer: Answer, line: bytes) -> str:
    """One line of the output; ASCII only, so that a lone surrogate in an answer cannot stop the program."""
    try:
        return json.dumps(answer(json.loads(line)), separators=(",", ":"))
    except Exception as error:  # noqa: BLE001 - one bad line must not cost the answers to those after it
        traceback.print_exc()
        return json.dumps({"failed": f"{type(error).__name__}: {error}"})


def main() -> None:
    """Answer until standard input ends."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: answer.py NAME < questions.jsonl > answers.jsonl")
    sys.path.insert(0, str(HERE.parent.parent))
    answer = load(sys.argv[1])
    for line in sys.stdin.buffer:  # lines end with \n alone: str.splitlines would also split at U+2028 and others
        if line.strip():
            sys.stdout.write(answered(answer, line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
