"""The cache: how long, how much, and for whom."""

import gc
import json
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.registry.conftest import Clock
from tests.support import images as build
from webhook.core.errors import Exchange, RegistryError
from webhook.core.manifest import Document
from webhook.registry.cache import Cache, Key, Store
from webhook.registry.options import Hooks

KEY = Key("open", "reg.example", "team/app", "tag", "1")
names = st.sampled_from("abcdefgh")


def store(capacity: int, clock: Clock | None = None) -> Store[bytes]:
    return Store("test", capacity, len, Hooks(clock=clock or Clock()))


def test_a_value_is_there_until_its_time_is_up():
    clock = Clock()
    kept = store(10_000, clock)
    kept.put(KEY, b"x", 60.0)
    clock.now += 59.9
    assert kept.get(KEY) == b"x"
    clock.now += 0.1
    assert kept.get(KEY) is None


def test_each_viewer_has_his_own():
    kept = store(10_000)
    kept.put(KEY.seen_by("ann"), b"secret")
    assert kept.get(KEY, KEY.seen_by("anonymous"), KEY.seen_by("eve")) is None
    assert kept.get(KEY, KEY.seen_by("ann")) == b"secret"


def test_what_is_larger_than_the_whole_is_not_kept_and_drives_nothing_out():
    kept = store(5_000)
    kept.put(KEY, b"x")
    kept.put(KEY._replace(name="2"), bytes(6_000))
    assert kept.get(KEY) == b"x"


@given(st.lists(st.tuples(names, st.integers(0, 3_000), st.booleans()), max_size=60))
def test_it_never_holds_more_than_its_bytes_and_the_last_used_stay(steps: list[tuple[str, int, bool]]):
    """The design: `LRU bounded in bytes`."""
    kept = store(5_000)
    used: list[str] = []
    for name, size, put in steps:
        key = KEY._replace(name=name)
        if put:
            kept.put(key, bytes(size))
            used = [other for other in used if other != name] + [name]
        elif kept.get(key) is not None:
            used = [other for other in used if other != name] + [name]
        assert 0 <= kept.size <= 5_000
    there = [name for name in used if kept.get(KEY._replace(name=name)) is not None]
    assert there == used[len(used) - len(there) :]


def index(entries: int) -> Callable[[int], Document]:
    def make(number: int) -> Document:
        content = build.index(
            [
                {
                    "mediaType": build.OCI_MANIFEST,
                    "digest": f"sha256:{number:060x}{entry:04x}",
                    "size": 7,
                    "platform": {"os": "linux", "architecture": f"arch{entry}"},
                }
                for entry in range(entries)
            ],
            annotations={"number": str(number)},
        )
        return Document(build.OCI_INDEX, content.digest, content.body)

    return make


def manifest(number: int) -> Document:
    layers = [{"mediaType": build.OCI_LAYER, "digest": f"sha256:{number:060x}{n:04x}", "size": n} for n in range(8)]
    content = build.manifest(build.config("linux/amd64", text=str(number)))
    value = {**content.json, "layers": layers}
    return Document(build.OCI_MANIFEST, f"sha256:{number:064x}", json.dumps(value).encode())


def fault(number: int) -> RegistryError:
    return RegistryError(
        "denied", f"reg.example answers {number}", Exchange(f"https://reg.example/{number}", 403, "b" * 99)
    )


def read(value: object) -> object:
    """Looks into a document, so that it keeps what it read."""
    if isinstance(value, Document):
        return value.index if value.kind == "index" else value.manifest
    return value


@pytest.mark.parametrize(
    ("make", "of"),
    [
        (index(0), "documents"),
        (index(2), "documents"),
        (index(40), "documents"),
        (manifest, "documents"),
        (fault, "failures"),
        (lambda number: f"sha256:{number:064x}", "tags"),
    ],
)
def test_the_real_size_is_counted(make: Callable[[int], object], of: str):
    """tracemalloc's word for it: what the cache believes to hold is no less than what it holds."""
    cache = Cache(1 << 30, Hooks(clock=Clock()))
    part: Store[object] = getattr(cache, of)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(120):
        value = make(number)
        read(value)
        part.put(KEY._replace(viewer=f"{number:064x}", repository=f"team/app{number}", name=f"v{number}"), value, 60.0)
    del value
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert held <= cache.size <= 4 * held


def test_large_documents_are_handed_out_unread():
    cache = Cache(64 << 20, Hooks(clock=Clock()))
    large = Document(build.OCI_INDEX, "sha256:" + "0" * 64, b'{"manifests":[]}'.ljust(1 << 20))
    cache.remember(KEY, large)
    found = cache.document(KEY)
    assert found == large
    assert found is not cache.document(KEY)
    assert cache.size < 2 << 20
