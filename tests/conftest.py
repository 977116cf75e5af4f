"""What all tests share."""

import logging
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from webhook.observability import logs

# A law is not a matter of time: a slow machine must not make it fail.
settings.register_profile("untimed", deadline=None)
# Ten times as many examples: HYPOTHESIS_PROFILE=thorough make test
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "untimed"))

# A shell's script makes what it starts in the background deaf to SIGINT, and nohup to SIGHUP; that would pass on to all
# processes that are started here.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Logging is the process's own: it is put back as it was."""
    names = (*logs.LIBRARIES, *logs.SILENT, *logs.OWN)
    root = logging.getLogger()
    before = (root.handlers[:], root.level, {name: logging.getLogger(name).level for name in names})
    yield
    root.handlers[:], level, levels = before
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)
