"""The Go originals: programs of this folder, built once and kept in the cache of the end-to-end tests."""

import hashlib
from pathlib import Path

from tests.e2e.harness.components import built_once, machine
from tests.e2e.harness.gobuild import Say, go_build

HERE = Path(__file__).resolve().parent


def original(name: str, cache: Path, say: Say) -> Path:
    """The program that asks an original, after building it where it is missing. Raises BuildError.

    dockerd (moby) needs other versions of the libraries that the others ask, so that it is a module of its own.
    """
    own = (HERE / name / "go.mod").is_file()
    module = HERE / name if own else HERE
    sources = [module / "go.mod", module / "go.sum", *_go_files(HERE / name), *_go_files(HERE / "internal")]
    key = hashlib.sha256()
    for file in sources:
        key.update(file.relative_to(HERE).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    target = cache / f"oracle-{name}-{machine()}-{key.hexdigest()[:16]}"
    with built_once(target, say) as folder:
        if folder is not None:
            output = ["-o", str(folder / name)]
            go_build(["build", *output, "." if own else f"./{name}"], f"the oracle {name}", say, folder=module)
    return target / name


def _go_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.go"))
