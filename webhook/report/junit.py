"""The report of `podgate check -o junit`: JUnit's XML, as Jenkins and GitLab read it.

A suite is a file, a case an object. GitLab takes of several cases with one class and one name the first alone, and
knows an attribute `file` of a case; Jenkins passes over what it does not know.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, TextIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from webhook.report.document import Checked
from webhook.report.lines import printable, quiet_markup
from webhook.report.run import CheckRun, Problem
from webhook.report.spots import named, spots, title

_NO_FILE: Final = "podgate"
"""The suite of what belongs to no file."""


def write_junit(run: CheckRun, stream: TextIO) -> None:
    """Prints one document. An object that the run fails for is a failure, what was not understood an error.

    A warning that the run does not fail for is text of a case that passed.
    """
    suites: dict[str, list[Element]] = {}
    for one in run.checked:
        suites.setdefault(_suite(one.place.file, run.root), []).append(_case(one, run))
    for problem in run.problems:
        suites.setdefault(_suite(problem.file, run.root), []).append(_error(problem))
    whole = Element("testsuites", {"name": "podgate", **_counts([case for cases in suites.values() for case in cases])})
    for name, cases in suites.items():
        whole.append(_filled(name, cases))
    indent(whole)
    # With character references alone it is what its declaration says, whatever the stream's encoding.
    text = tostring(whole, "us-ascii", xml_declaration=False).decode("ascii")
    stream.write(f'<?xml version="1.0" encoding="UTF-8"?>\n{quiet_markup(text)}\n')


def _filled(name: str, cases: Sequence[Element]) -> Element:
    """The suite of a file. Its cases get names of their own where two objects have the same."""
    suite = Element("testsuite", {"name": name, **_counts(cases), "skipped": _having(cases, "skipped")})
    seen: Counter[str] = Counter()
    for case in cases:
        called = case.get("name", "")
        seen[called] += 1
        if seen[called] > 1:
            case.set("name", f"{called} ({seen[called]})")
        case.set("classname", name)
        if name != _NO_FILE:
            case.set("file", name)
        suite.append(case)
    return suite


def _case(one: Checked, run: CheckRun) -> Element:
    judgement = one.judgement
    case = Element("testcase", name=printable(title(one)))
    found = spots(one)
    if found:
        case.set("line", str(found[0].line))
    text = printable("\n".join(judgement.messages))
    if judgement.reason == "skipped":
        SubElement(case, "skipped", message="exempt, owned by another object, or without a pod template")
    elif run.fails(one):
        first = text.partition("\n")[0]
        SubElement(case, "failure", type=judgement.reason, message=first).text = text
    elif text:
        SubElement(case, "system-out").text = text
    return case


def _error(problem: Problem) -> Element:
    text = printable(problem.text)
    case = Element("testcase", name="is read and understood")
    if problem.line is not None:
        case.set("line", str(problem.line))
    SubElement(case, "error", type="unreadable", message=text).text = text
    return case


def _suite(file: str, root: str) -> str:
    return printable(named(file, root)) or _NO_FILE


def _counts(cases: Sequence[Element]) -> dict[str, str]:
    return {"tests": str(len(cases)), "failures": _having(cases, "failure"), "errors": _having(cases, "error")}


def _having(cases: Sequence[Element], tag: str) -> str:
    return str(sum(case.find(tag) is not None for case in cases))
