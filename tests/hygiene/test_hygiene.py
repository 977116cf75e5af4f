"""The checks of the tree find what they are for, each tried with something that is wrong."""

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.hygiene import __main__ as command
from tests.hygiene import advisories, licences, tree, wheel
from tests.hygiene.finding import tracked


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one file."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "a.txt").write_text("nothing at /var/lib/x or https://a.example/home/b\n")
    subprocess.run(["git", "add", "a.txt"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND (GPL-2.0 OR AGPL-3.0)", False),
        ("MIT OR", True),
        ("(MIT", False),
        ("MIT MIT", False),
        ("", False),
    ],
)
def test_expressions_of_licences(expression, fits):
    """SPDX specification, annex D: AND binds more strongly than OR."""
    assert licences._fits(expression, licences.ALLOWED) is fits


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ({"license_expression": "MIT", "license": "GPL"}, "MIT"),
        ({"classifier": ["License :: OSI Approved :: MIT License", "Environment :: Console"]}, "MIT"),
        ({"classifier": ["License :: OSI Approved :: BSD License", "License :: Other"]}, "BSD-3-Clause AND Other"),
        ({"license": "3-Clause BSD License\nmore"}, "BSD-3-Clause"),
        ({}, ""),
    ],
)
def test_a_licence_is_read_from_whatever_there_is(metadata: dict[str, Any], licence):
    assert licences.licence_of("x", lambda _: metadata) == licence


def test_a_licence_that_may_not_be_shipped_is_found():
    found = licences.check(lambda name: {"license_expression": "GPL-3.0" if name in ("httpx", "ruff") else "MIT"})
    assert found.state == "failed"
    (line,) = found.lines
    assert line.startswith("httpx ")
    assert line.endswith("(shipped): GPL-3.0")


def test_the_licences_of_today_may_be_used():
    assert licences.check().state == "ok"


AFFECTED: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": "Some_Package"}}


@pytest.mark.parametrize(
    ("affected", "version", "is_found"),
    [
        ({"versions": ["1.0"]}, "1.0", True),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2"}]}]}, "1.1", True),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2"}]}]}, "1.2", False),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "1.2"}]}]}, "1.2", True),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "1.2"}]}]}, "1.3", False),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "1.1"}, {"introduced": "1.2"}]}]}, "1.2", True),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "soon"}]}]}, "1.2", True),
        ({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, "1.2", False),
    ],
)
def test_an_advisory_is_about_versions(tmp_path, affected: dict[str, Any], version, is_found):
    """OSV schema, "Evaluation"."""
    advisory = {
        "id": "PYSEC-1",
        "modified": "2026-01-02T00:00:00Z",
        "summary": "bad",
        "affected": [AFFECTED | affected],
    }
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("PYSEC-1.json", json.dumps(advisory))
    found = advisories.by_export(tmp_path / "all.zip", {"some-package": version, "other": "1.0"})
    assert found.state == ("failed" if is_found else "ok")
    assert ("some-package" in found.lines[0]) is is_found


def test_advisories_that_are_withdrawn_or_of_others_count_for_nothing(tmp_path):
    of_npm: dict[str, Any] = {
        "affected": [{"package": {"ecosystem": "npm", "name": "some-package"}, "versions": ["1.0"]}]
    }
    withdrawn: dict[str, Any] = {"affected": [AFFECTED | {"versions": ["1.0"]}], "withdrawn": "2026-01-01T00:00:00Z"}
    for number, advisory in enumerate((of_npm, withdrawn)):
        (tmp_path / f"{number}.json").write_text(json.dumps({"id": f"X-{number}", **advisory}))
    assert advisories.by_export(tmp_path, {"some-package": "1.0"}).state == "ok"


@pytest.mark.parametrize(
    ("code", "said", "state"),
    [
        (0, "Found no known vulnerabilities and no adverse project statuses in 123 packages", "ok"),
        (1, "httpx 0.28.1 has 1 known vulnerability:\n- PYSEC-1: client error (Connect) is timed out", "failed"),
        (2, "error: Request failed after 3 retries\n  cause: client error (Connect)\n  cause: dns error", "skipped"),
        (2, "error: unexpected argument", "failed"),
        (101, "", "failed"),
    ],
)
def test_what_osv_knows_is_told_from_an_osv_that_cannot_be_asked(code, said, state):
    """How `uv audit` ends, and what it says."""
    assert advisories.by_osv(code, said, 123).state == state


def test_an_export_without_advisories_proves_nothing(tmp_path):
    assert advisories.check({advisories.VARIABLE: str(tmp_path)}).state == "failed"


DAY = """
import time
from pathlib import Path
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

class CustomBuildHook(BuildHookInterface):
    def initialize(self, version, build_data):
        Path(self.root, "built.py").write_text(time.strftime("DAY = %j"))
"""


def test_a_wheel_that_says_when_it_was_built_is_found(tmp_path):
    project = "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
    project += "[project]\nname = 'some'\nversion = '1'\n[tool.hatch.build]\nartifacts = ['built.py']\n"
    project += (
        "[tool.hatch.build.hooks.custom]\npath = 'day.py'\n[tool.hatch.build.targets.wheel]\ninclude = ['*.py']\n"
    )
    (tmp_path / "pyproject.toml").write_text(project)
    (tmp_path / "day.py").write_text(DAY)
    for words in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    found = wheel.check(tmp_path)
    assert found.state == "failed"
    assert "some-1-py2.py3-none-any.whl: other bytes the second time" in found.lines


def test_a_path_of_a_machine_is_found(repository):
    assert tree.machine_paths(repository).state == "ok"
    there = "/home/" + "somebody"  # in two parts, for this file is looked at as well
    (repository / "a.txt").write_text(f"see {there}/notes.txt\n")
    assert tree.machine_paths(repository).lines == (f"a.txt:1: {there}",)
    assert tracked(repository) == [Path("a.txt")]


def test_the_tree_has_no_path_of_a_machine():
    assert tree.machine_paths().state == "ok"


def test_a_check_that_is_not_there_is_refused(capsys):
    assert command.main(["nothing"]) == 2
    assert "no check nothing; there are: lock, licences" in capsys.readouterr().err


def test_a_check_that_does_not_come_to_its_end_has_failed(tmp_path, monkeypatch, capsys):
    """An export that is no zip archive, and then a check that finds nothing wrong."""
    (tmp_path / "all.zip").write_text("<html>not found</html>")
    monkeypatch.setenv(advisories.VARIABLE, str(tmp_path / "all.zip"))
    assert command.main(["advisories", "paths"]) == 1
    said = capsys.readouterr().out
    assert "FAILED  advisories: " in said
    assert "BadZipFile: File is not a zip file" in said
    assert "1 ok, 1 failed, 0 skipped" in said
