"""`python -m webhook` and the console scripts: all are `podgate`."""

import sys


def main() -> None:
    """Runs the command line. That loading it takes a moment is no reason for a trace where somebody is quick."""
    try:
        from webhook.cli import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
