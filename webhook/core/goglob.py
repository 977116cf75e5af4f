"""File name patterns as Go's filepath.Match reads them (not on Windows), matched without backtracking.

Patterns come from users' secrets, so what one can cost is bounded: all its positions are followed at once, one bit
each, a name is read once, and a pattern only as far as the name could fill it.

    *       any run of characters but /           [a-c]   one of these; [^a-c] none of these
    ?       any one character but /               \\x      x itself

Go tells a malformed pattern from one that does not match; whoever asks here takes both for no match.

Source: path/filepath/match.go of Go 1.26.
"""

from dataclasses import dataclass, field
from typing import Final

_META: Final = frozenset("*?[\\")
_LONGEST_NAME: Final = 1024
"""Longer names match no pattern, where Go would go on: nothing that is asked for here (labels of hosts, DNS ends them
at 63) is that long, and the work grows with the square of a name's length."""


class _NoMatch(Exception):
    """The pattern breaks off, a class in it is empty, or it wants more characters than there are."""


@dataclass(slots=True)
class _Class:
    """A character class. `ascii` has a bit for each ASCII character in one of the ranges."""

    negated: bool
    ascii: int = 0
    ranges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, low: str, high: str) -> None:
        self.ranges.append((low, high))
        if low <= high and ord(low) < 128:
            self.ascii |= (2 << min(ord(high), 127)) - (1 << ord(low))

    def holds(self, character: str) -> bool:
        if character.isascii():
            return bool(self.ascii >> ord(character) & 1) != self.negated
        return any(low <= character <= high for low, high in self.ranges) != self.negated


@dataclass(slots=True)
class _Positions:
    """A pattern taken apart. Bit i of each number stands for its i-th part that is not a star.

    `literal`: where a character stands itself; `any_one`: where a question mark does; `loops`: the parts (or the end)
    with a star before them.
    """

    length: int = 0
    literal: dict[str, int] = field(default_factory=dict)
    any_one: int = 0
    classes: list[tuple[int, _Class]] = field(default_factory=list)
    loops: int = 0

    def at(self, character: str) -> int:
        """The parts that take a character."""
        mask = self.literal.get(character, 0)
        if character != "/":
            mask |= self.any_one
        for bit, members in self.classes:
            if members.holds(character):
                mask |= bit
        return mask


def glob_matches(pattern: str, name: str) -> bool:
    """Whether the pattern matches the whole name; False for a malformed pattern. Names are taken by characters.

    Bytes that are not UTF-8 are expected as surrogateescape has them. Raises nothing.
    """
    if _META.isdisjoint(pattern):
        return pattern == name
    if len(name) > _LONGEST_NAME:
        return False
    try:
        positions = _read(pattern, len(name))
    except _NoMatch:
        return False
    if not positions.loops and positions.length < len(name):
        return False
    masks = {character: positions.at(character) for character in set(name)}
    reached = 1
    for character in name:
        stays = 0 if character == "/" else reached & positions.loops
        reached = (reached & masks[character]) << 1 | stays
        if not reached:
            return False
    return bool(reached >> positions.length & 1)


def _read(pattern: str, longest: int) -> _Positions:
    """The pattern's positions. Raises _NoMatch where it is malformed, or has more than `longest` of them."""
    positions = _Positions()
    at = 0
    while at < len(pattern):
        bit, character = 1 << positions.length, pattern[at]
        at += 1
        if character == "*":
            positions.loops |= bit
            continue
        if positions.length == longest:
            raise _NoMatch
        positions.length += 1
        if character == "?":
            positions.any_one |= bit
        elif character == "[":
            members, at = _read_class(pattern, at)
            positions.classes.append((bit, members))
        else:
            if character == "\\":
                character = _there(pattern, at)
                at += 1
            positions.literal[character] = positions.literal.get(character, 0) | bit
    return positions


def _read_class(pattern: str, at: int) -> tuple[_Class, int]:
    """The class whose [ is just before; a ] may only end it after the first range."""
    negated = pattern.startswith("^", at)
    at += negated
    members = _Class(negated)
    while not members.ranges or not pattern.startswith("]", at):
        low, at = _read_bound(pattern, at)
        high = low
        if pattern[at] == "-":
            high, at = _read_bound(pattern, at + 1)
        members.add(low, high)
    return members, at + 1


def _read_bound(pattern: str, at: int) -> tuple[str, int]:
    """One end of a range, after which the pattern must go on."""
    character = _there(pattern, at)
    if character in "-]":
        raise _NoMatch
    if character == "\\":
        at += 1
        character = _there(pattern, at)
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8
        raise _NoMatch
    _there(pattern, at + 1)
    return character, at + 1


def _there(pattern: str, at: int) -> str:
    if at >= len(pattern):
        raise _NoMatch
    return pattern[at]
