"""podgate on a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

from tests.support.command import apart


def on_terminal(arguments: list[str | Path], columns: int, environment: dict[str, str]) -> str:
    """What a terminal of so many columns is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = apart(arguments, {"TERM": "xterm-256color", **environment}, stdout=theirs, stderr=subprocess.STDOUT)
    os.close(theirs)
    sent = b""
    try:
        while chunk := os.read(ours, 4096):
            sent += chunk
    except OSError:  # Linux ends a terminal's output like that
        pass
    os.close(ours)
    process.wait(60)
    return sent.decode().replace("\r\n", "\n")
