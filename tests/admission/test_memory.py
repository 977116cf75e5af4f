"""Memory that is free goes back to the system: in processes of their own, since a C library is told once."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")

PROGRAM = """
import asyncio, sys
from webhook.app.memory import give_back, keep_large_blocks_apart

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) >> 10

def burst(size, count):
    kept, passing = [], [bytes(16 << 20)]
    passing.clear()  # a large block has been freed: by itself glibc maps only larger ones apart from now on
    for _ in range(count):
        passing.append(b"x" * size)
        kept.append(b"y" * (1000 + size % 2))
    return kept

if "apart" in sys.argv:
    keep_large_blocks_apart()
start = resident()
first = burst(256 << 10, 400)
large_left = resident() - start
start = resident()
second = burst(4000, 20_000)[::50]
small_left = resident() - start

async def trim():
    task = asyncio.create_task(give_back(0.01))
    await asyncio.sleep(0.2)
    task.cancel()

asyncio.run(trim())
print(large_left, small_left, resident() - start)
"""


def left(*words: str) -> tuple[int, ...]:
    """MiB that stay after a burst of large blocks, and after one of small ones before and after they are given back."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


def test_a_burst_of_large_blocks_leaves_nothing_and_one_of_small_ones_not_for_long():
    kept_apart, small, given_back = left("apart")
    assert kept_apart <= 5
    assert given_back <= small / 2
    assert left()[0] >= 50  # the same burst, had nothing been done
