"""A cache folder that others had their hands in: what is spoilt is absent, and nothing else is touched."""

import errno
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from webhook.registry.kept_folder import KeptFolder

LIMIT = 1 << 20


class Folder:
    """A cache folder and the runs that use it."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self.notes: list[str] = []

    def open(self, *, writing: bool = True, limit: int = LIMIT) -> KeptFolder:
        return KeptFolder(self.parent, limit, self.notes.append, writing=writing)

    def file(self, *parts: str) -> Path:
        kept = self.open()
        try:
            return kept.path / kept.name(*parts)
        finally:
            kept.close()

    def put(self, body: bytes, *parts: str) -> Path:
        kept = self.open()
        kept.write(kept.name(*parts), body)
        kept.close()
        return self.file(*parts)

    def get(self, *parts: str) -> bytes | None:
        kept = self.open()
        try:
            return kept.read(kept.name(*parts))
        finally:
            kept.close()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "home" / "cache")


def test_what_is_written_is_there_and_for_its_owner_alone(folder: Folder):
    path = folder.put(b"body", "a", "b")
    assert folder.get("a", "b") == b"body"
    assert folder.get("ab") is None
    assert folder.get("a", "", "b") is None
    assert [oct(one.stat().st_mode & 0o777) for one in (path.parent, path, path.parent / "key")] == [
        "0o700",
        "0o600",
        "0o600",
    ]
    folder.put(b"another", "a", "b")
    assert folder.get("a", "b") == b"another"
    assert sorted(path.parent.iterdir()) == sorted([path, path.parent / "key"])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(1 << 40)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(4096))


SPOILERS: list[Callable[[Path], None]] = [
    _cut,
    _flip,
    _link,
    _fifo,
    _folder,
    _huge,
    _empty,
    _garbage,
]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_spoilt_file_is_absent_and_the_next_one_takes_its_place(folder: Folder, spoil: Callable[[Path], None]):
    path = folder.put(b"body", "a")
    spoil(path)
    assert folder.get("a") is None
    folder.put(b"new", "a")
    if spoil is _folder:
        assert len(folder.notes) == 1
    else:
        assert folder.get("a") == b"new"


@pytest.mark.parametrize("spoil", SPOILERS)
def test_with_a_spoilt_key_nothing_from_before_counts_and_it_goes_on(folder: Folder, spoil: Callable[[Path], None]):
    path = folder.put(b"body", "a")
    spoil(path.parent / "key")
    assert folder.get("a") is None
    folder.put(b"new", "a")
    if spoil not in (_folder, _flip):
        assert folder.get("a") == b"new"
    if spoil is _link:
        assert (path.parent / "elsewhere").exists()


def test_a_file_under_another_ones_name_is_absent(folder: Folder):
    """Or what one login saw could be shown to another by renaming a file."""
    path = folder.put(b"of ann", "ann")
    path.rename(folder.file("bob"))
    assert folder.get("bob") is None


def test_a_folder_of_another_users_is_not_used(folder: Folder):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    path = folder.put(b"body", "a")
    os.chown(path, 65534, -1)
    assert folder.get("a") is None
    assert folder.notes == []
    os.chown(path.parent, 65534, -1)
    assert folder.get("a") is None
    assert folder.notes == [f"the cache folder {path.parent} is not used: it belongs to another user"]


def test_a_folder_that_is_a_link_is_not_used(folder: Folder, tmp_path: Path):
    (tmp_path / "target").mkdir()
    folder.parent.mkdir(parents=True)
    (folder.parent / "images").symlink_to(tmp_path / "target")
    folder.put(b"body", "a")
    assert not list((tmp_path / "target").iterdir())
    assert all("is not used: " in note for note in folder.notes)


@pytest.mark.parametrize("name", ["file", "file/below", "nul\0"])
def test_a_folder_that_cannot_be(folder: Folder, tmp_path: Path, name: str):
    (tmp_path / "file").write_text("")
    folder.parent = tmp_path / name
    kept = folder.open()
    kept.write(kept.name("a"), b"body")
    assert kept.read(kept.name("a")) is None
    assert kept.derived("logins") == kept.derived("logins")
    assert len(folder.notes) == 1


def test_a_full_disk_is_noted_once(folder: Folder):
    kept = folder.open()
    kept.write(kept.name("before"), b"body")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
    try:
        kept.write(kept.name("a"), b"body" * 100)
        kept.write(kept.name("b"), b"body" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert folder.notes == [f"the cache folder {kept.path} is not written to: {os.strerror(errno.EFBIG)}"]
    assert kept.read(kept.name("before")) == b"body"
    kept.close()
    assert not list(kept.path.glob(".*"))


def test_only_old_files_of_podgates_own_go(folder: Folder):
    kept = folder.open(limit=10_000)
    foreign, abandoned, recent = (kept.path / name for name in ("notes.txt", f".{'0' * 32}.part", f".{'1' * 32}.part"))
    for path in (foreign, abandoned, recent):
        path.write_bytes(b"x" * 20_000)
    os.utime(abandoned, (0, 0))
    names = [kept.name(str(number)) for number in range(9)]
    for age, name in enumerate(names):
        kept.write(name, b"x" * 1_500)
        if (kept.path / name).exists():
            os.utime(kept.path / name, (time.time() - 900 + age,) * 2)
    kept.close()
    there = [name for name in names if (kept.path / name).exists()]
    assert there == names[-len(there) :]
    assert 4 <= len(there) <= 6
    assert foreign.exists()
    assert recent.exists()
    assert not abandoned.exists()


WRITES = """
import sys
from pathlib import Path
from webhook.registry.kept_folder import KeptFolder
kept = KeptFolder(Path(sys.argv[1]), 1 << 16, print)
print("ready", flush=True)
sys.stdin.readline()
for turn in range(50):
    for number in range(8):
        kept.write(kept.name(str(number)), f"{number} {turn} ".encode() * 300)
        found = kept.read(kept.name(str(number)))
        assert found is None or found.startswith(f"{number} ".encode()), found
kept.close()
"""


def test_several_processes_at_once(folder: Folder):
    """They start without a key, write the same names, make room all the time, and one of them is killed."""
    run = [sys.executable, "-c", WRITES, str(folder.parent)]
    writers = [
        subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    writers[0].kill()
    outputs = [writer.communicate(timeout=60) for writer in writers]
    assert [writer.returncode for writer in writers[1:]] == [0, 0], outputs
    assert all(out == "" for out, _ in outputs), outputs
    found = [folder.get(str(number)) for number in range(8)]
    assert any(found)
    assert all(body is None or body.startswith(b"%d " % number) for number, body in enumerate(found))


def test_closing_waits_for_a_thread_that_writes(folder: Folder):
    kept = folder.open()
    threads = [threading.Thread(target=kept.write, args=(kept.name(str(n)), b"x" * 100_000)) for n in range(8)]
    for thread in threads:
        thread.start()
    kept.close()
    for thread in threads:
        thread.join()
    assert folder.notes == []
    assert not list(kept.path.glob(".*"))
