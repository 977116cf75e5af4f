"""A ConfigMap's volume as a kubelet keeps it: files are links through ..data, which is turned in one step."""

import itertools
import shutil
from pathlib import Path


class Volume:
    """A folder with one file in it."""

    def __init__(self, folder: Path, name: str, text: str) -> None:
        self._folder = folder
        self._name = name
        self._numbers = itertools.count()
        folder.mkdir()
        self.path = folder / name
        self.turn(text)
        self.path.symlink_to(Path("..data") / name)

    def turn(self, text: str) -> None:
        """Another content (kubelet's AtomicWriter: a new folder, ..data renamed over, the old folder removed)."""
        data = self._folder / "..data"
        old = data.resolve() if data.exists() else None
        new = self._folder / f"..2026_11_25_{next(self._numbers)}"
        new.mkdir()
        (new / self._name).write_text(text)
        (self._folder / "..data_tmp").symlink_to(new.name)
        (self._folder / "..data_tmp").rename(data)
        if old is not None:
            shutil.rmtree(old)
