"""What the image is built from: the Dockerfile, the scripts, the list of tools, the bill of materials."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from image.sbom import bill, exported

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = [line.split() for line in DOCKERFILE.replace("\\\n", " ").splitlines() if re.match(r"[A-Z]+ ", line)]
SCRIPTS = sorted(path for path in [*ROOT.glob("*/*.sh"), ROOT / ".ci" / "run"] if path.is_file())


def checked(program: str, *words: str | Path, stdin: str = "") -> str:
    """What a linter of the environment says; skips where it is not to be had for this platform."""
    found = shutil.which(program, path=str(BIN))
    if found is None:
        pytest.skip(f"{program} has no package for this platform")
    done = subprocess.run([found, *words], cwd=ROOT, input=stdin, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_hadolint_has_nothing_to_say():
    assert checked("hadolint", "Dockerfile") == ""
    assert "DL3007" in checked("hadolint", "-", stdin="FROM debian:latest\n")


def test_every_rule_that_is_passed_over_says_why():
    lines = DOCKERFILE.splitlines()
    for number, line in enumerate(lines):
        if "hadolint ignore" in line:
            assert lines[number - 1].startswith("# ")


def test_shellcheck_has_nothing_to_say():
    assert {path.name for path in SCRIPTS} >= {"run", "bases.sh", "build.sh"}
    assert checked("shellcheck", *SCRIPTS) == ""
    assert "SC2086" in checked("shellcheck", "-", stdin="#!/bin/sh\necho $1\n")


def test_tools_are_those_of_the_lock_file():
    words = "export --quiet --frozen --only-group image --no-emit-project --no-annotate --no-header"
    done = subprocess.run(
        [BIN / "uv", *words.split(), "--format", "requirements.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ROOT / "image" / "tools.txt").read_text() == done.stdout, "make image/tools.txt"


def test_labels_are_those_of_the_project():
    assert ["ARG", f"VERSION={PROJECT['version']}"] in INSTRUCTIONS
    assert f'image.description="{PROJECT["description"]}"' in DOCKERFILE
    assert f'image.licenses="{PROJECT["license"]}"' in DOCKERFILE


def test_the_context_has_what_is_copied_and_no_more():
    copied = {
        word for name, *words in INSTRUCTIONS if name == "COPY" and "--from=build" not in words for word in words[:-1]
    }
    first, *rest = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert first == "*"
    assert {line[1:] for line in rest if line.startswith("!")} == copied
    assert all((ROOT / path).exists() for path in copied)


def test_the_last_stage_runs_nothing_and_is_nobody():
    last = INSTRUCTIONS[max(number for number, words in enumerate(INSTRUCTIONS) if words[0] == "FROM") :]
    assert {words[0] for words in last} <= {"FROM", "ARG", "LABEL", "COPY", "ENV", "USER", "EXPOSE", "ENTRYPOINT"}
    assert ["USER", "65532:65532"] in last
    assert ["ENTRYPOINT", '["podgate"]'] in last


# the bill of materials


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return exported(str(BIN / "uv"))


def test_the_bill_is_valid(document: dict[str, Any]):
    """By the schema itself, with the files of one package for all: the validator takes long for addresses.

    The others are of the same form.
    """
    made = bill(document, PROJECT, 1790000000)
    first, *rest = made["components"]
    for component in rest:
        files = component.pop("externalReferences")
        assert files
        for file in files:
            assert file.keys() == first["externalReferences"][0].keys()
            assert file["type"] == "distribution"
            assert re.fullmatch(r"https://[!-~]+", file["url"])
            assert [digest["alg"] for digest in file["hashes"]] == ["SHA-256"]
            assert re.fullmatch(r"[0-9a-f]{64}", file["hashes"][0]["content"])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made)) is None
    made["components"] = [{}]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made)) is not None


def test_the_bill_says_the_same_each_time(document: dict[str, Any]):
    made = bill(document, PROJECT, 1790000000)
    assert made == bill(exported(str(BIN / "uv")), PROJECT, 1790000000)
    assert made["metadata"]["timestamp"] == "2026-09-21T14:13:20+00:00"
    assert "timestamp" not in bill(document, PROJECT, None)["metadata"]


def test_the_bill_has_all_that_the_image_installs(document: dict[str, Any]):
    made = bill(document, PROJECT, None)
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    locked = {package["name"]: package for package in lock["package"]}
    wanted: set[str] = set()
    todo = [each["name"] for extra in locked["podgate"]["optional-dependencies"].values() for each in extra]
    todo += [each["name"] for each in locked["podgate"]["dependencies"]]
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += [each["name"] for each in locked[name].get("dependencies", ())]
    components = {each["name"]: each for each in made["components"]}
    # Packages for other systems than Linux, and for older Pythons, are locked, and are in the bill with their marker.
    assert wanted == components.keys()
    for name, component in components.items():
        assert component["version"] == locked[name]["version"]
        digests = {digest["content"] for file in component["externalReferences"] for digest in file["hashes"]}
        assert digests >= {wheel["hash"].removeprefix("sha256:") for wheel in locked[name]["wheels"]}
    references = {each["ref"] for each in made["dependencies"]}
    assert references == {each["bom-ref"] for each in made["components"]} | {made["metadata"]["component"]["bom-ref"]}


def test_the_image_installs_what_the_bill_is_of():
    """Both leave out what only developers need, and take every extra."""
    (synced,) = re.findall(r"uv sync (.*?) --python-platform", DOCKERFILE)
    words = set(synced.split())
    assert {"--frozen", "--no-dev", "--all-extras", "--no-build"} <= words
