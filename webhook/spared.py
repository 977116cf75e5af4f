"""Parts of libraries that are imported along with what is used, and that nobody here uses.

The kubernetes package imports its synchronous half beside the asynchronous one, kopf models of the former, and httpx
its command line with rich and pygments, where these are installed. Together they take an eighth of an idle process's
memory.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def spared(package: str, *parts: str) -> Iterator[None]:
    """Around an import that leads to these modules of a package, of which none is of use: those that are not there yet
    are empty meanwhile. Whoever imports one of them later gets it."""
    names = [f"{package}.{part}" for part in parts]
    empty = {name: ModuleType(name) for name in names if name not in sys.modules}
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name, module in empty.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
            part = name.rpartition(".")[2]
            if getattr(sys.modules.get(package), part, None) is module:
                delattr(sys.modules[package], part)
