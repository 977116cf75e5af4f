"""Prints the image's bill of materials, CycloneDX 1.6, from the lock file: `python image/sbom.py > sbom.cdx.json`.

uv exports the locked packages, with their files' hashes and what depends on what, as CycloneDX 1.5. This makes a 1.6 of
it that says more of podgate itself, and that is the same whenever and wherever it is made: its serial number comes from
its content, and it has no time but SOURCE_DATE_EPOCH. What the base image holds is not in it; Debian's packages are
described in the image itself (/var/lib/dpkg/status.d).
"""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXPORT = ("export", "--quiet", "--frozen", "--no-dev", "--all-extras", "--format", "cyclonedx1.5")


def exported(uv: str) -> dict[str, Any]:
    """What `uv` makes of the lock file; raises CalledProcessError where it cannot."""
    done = subprocess.run([uv, *EXPORT], cwd=ROOT, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def bill(document: dict[str, Any], project: dict[str, Any], epoch: int | None) -> dict[str, Any]:
    """The bill of 1.6: `document` is uv's, `project` the table of that name in pyproject.toml.

    `epoch` is the time that it bears, in seconds since 1970; None: none.
    """
    names = {component["bom-ref"]: component["purl"] for component in document["components"]}
    purl = f"pkg:pypi/{project['name']}@{project['version']}"
    names[document["metadata"]["component"]["bom-ref"]] = purl
    metadata: dict[str, Any] = {
        "tools": {"components": [_tool(tool) for tool in document["metadata"]["tools"]]},
        "component": {
            "type": "application", "bom-ref": purl, "name": project["name"], "version": project["version"],
            "description": project["description"], "licenses": [{"license": {"id": project["license"]}}], "purl": purl,
        },
    }  # fmt: skip
    if epoch is not None:
        metadata["timestamp"] = datetime.fromtimestamp(epoch, UTC).isoformat()
    rest = {
        "metadata": metadata,
        "components": [{**component, "bom-ref": component["purl"]} for component in document["components"]],
        "dependencies": [_renamed(each, names) for each in document["dependencies"]],
    }
    content = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).digest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "serialNumber": uuid.UUID(bytes=content[:16], version=4).urn, "version": 1, **rest,
    }  # fmt: skip


def _tool(tool: dict[str, str]) -> dict[str, Any]:
    """A tool as 1.6 has it: a component, whose vendor is its supplier."""
    named = {"name": tool["name"], "version": tool["version"]}
    return {"type": "application", **named, "supplier": {"name": tool["vendor"]}}


def _renamed(dependency: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """References by package URL: uv's own are numbered, and would change with every package that is added."""
    on = sorted(names[each] for each in dependency.get("dependsOn", ()))
    return {"ref": names[dependency["ref"]], **({"dependsOn": on} if on else {})}


def main() -> None:
    """Prints the bill; the only argument is the uv to ask, by default that of the environment."""
    uv = sys.argv[1] if len(sys.argv) > 1 else str(Path(sys.executable).with_name("uv"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    document = bill(exported(uv), project, int(epoch) if epoch else None)
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
