"""What the cases have in common with the other tests of the command line."""

from tests.support.command import new_user, podgate

__all__ = ["new_user", "podgate"]
