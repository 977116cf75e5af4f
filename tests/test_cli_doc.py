"""The pages about the command line are those that the commands make."""

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from webhook.cli import podgate
from webhook.cli_doc import man, page

ROOT = Path(__file__).parents[1]
MAN = ROOT / "docs" / "man" / "podgate.1"


def test_the_page_is_up_to_date():
    """Made anew by: python -m webhook.cli_doc > docs/cli.md."""
    assert (ROOT / "docs" / "cli.md").read_text() == page()


def test_the_man_page_is_up_to_date():
    """Made anew by: python -m webhook.cli_doc man > docs/man/podgate.1."""
    assert MAN.read_text() == man()


def test_every_option_says_what_it_does():
    for name, command in podgate.commands.items():
        assert command.help, name
        for param in command.params:
            assert not isinstance(param, click.Option) or param.help or param.show_default, (name, param.name)
            for option in param.opts if isinstance(param, click.Option) else ():
                assert f"{option}" in page()


def test_the_man_page_can_be_shown():
    program = shutil.which("mandoc") or shutil.which("groff") or shutil.which("man")
    if program is None:
        pytest.skip("neither mandoc, groff nor man is installed")
    arguments = {"mandoc": ["-T", "lint"], "groff": ["-man", "-ww", "-Tutf8", "-z"], "man": ["--warnings", "-l"]}
    command = [program, *arguments[Path(program).name], str(MAN)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
