"""The volume of a ConfigMap or a Secret as a kubelet keeps it: files are links through ..data, turned in one step."""

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path


class Files:
    """A folder with files that change together."""

    def __init__(self, folder: Path, content: Mapping[str, bytes]) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        folder.mkdir()
        self.turn(content)
        for name in content:
            (folder / name).symlink_to(Path("..data") / name)

    def turn(self, content: Mapping[str, bytes]) -> None:
        """Other contents (kubelet's AtomicWriter: a new folder, ..data renamed over, the old folder removed)."""
        data = self._folder / "..data"
        old = data.resolve() if data.exists() else None
        new = self._folder / f"..2026_11_25_{next(self._numbers)}"
        new.mkdir()
        for name, text in content.items():
            (new / name).write_bytes(text)
        (self._folder / "..data_tmp").symlink_to(new.name)
        (self._folder / "..data_tmp").rename(data)
        if old is not None:
            shutil.rmtree(old)


class Volume:
    """A folder with one file in it."""

    def __init__(self, folder: Path, name: str, text: str) -> None:
        self._name = name
        self._files = Files(folder, {name: text.encode()})
        self.path = folder / name

    def turn(self, text: str) -> None:
        """Another content."""
        self._files.turn({self._name: text.encode()})
