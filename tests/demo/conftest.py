"""A user without a past, for the demo."""

from tests.support.command import new_user, podgate

__all__ = ["new_user", "podgate"]  # pytest looks for fixtures here
