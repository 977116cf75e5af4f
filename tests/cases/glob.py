"""Patterns of cases."""

import re


def glob_fits(text: str, pattern: str) -> bool:
    """Whether a text is the pattern, where * stands for anything (and brackets, as in [::1], for themselves)."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
