"""Damage: new inputs made of old ones, by bytes, and inside JSON by its structure.

An input depends on target, seed and its number alone, so that a run can go on anywhere and a failure can be made again.
"""

import base64
import random
from collections.abc import Iterator, Sequence
from typing import Any

from tests.fuzz import jsontext, parts
from tests.fuzz.jsontext import Members, Raw, Tree
from tests.oracles.inputs.common import mutated

ODD_TEXTS = [
    "", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud83d", "\ufeff", "\u202ea", "\u2028", "\x1b[31m", "a\nb", "\r\n",
    "\x7f\x85", "%00",
    "..", "../../etc/passwd", "-", "null", "true", "0", "-1", "1e9", "~", "*", "**", "[", "[a-", "\\", "$(x)",
    "${x}", "{{x}}", "'",
    '"', "<b>", "\u017f", "\u212a", "\u0130", "x" * 64, "f" * 64, "x" * 300, "a/" * 200, "\U0001f600" * 90,
    "é" * 256, "unknown", "linux", "windows",
    "amd64", "arm64", "sha256:" + "0" * 64, "http://", "https://user:pw@reg.example/v2", "169.254.169.254",
    "[::1]:0", "e30=", "PT1S", "10s",
]  # fmt: skip
ODD_TOKENS = [
    "0", "-0", "-1", "1", "1.0", "1.5", "1e3", "1E400", "-1e999", "2147483648", "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809", "18446744073709551616", "1" * 400, "0." + "0" * 400 + "1", "null", "true", "false",
    "{}", "[]", '""', "[[]]",
    "[null]", '{"":null}', "NaN", "Infinity", "01", "+1", "0x1", "'a'", "", ",", '"\\ud800"', '"\\u0000"', '"\\x"',
    "/**/1",
]  # fmt: skip
ODD_BYTES = [
    b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\r",
    b"\n", b"\r\n\r\n", b"\t",
    b"\x0b", b"\x1f\x8b\x08", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b";", b"=", b"%", b"#", b"&", b"*",
    b"!", b"- ", b"---\n", b"? ",
    b"<<: ", b"&a ", b"*a", b"!!binary ", b"!!float ", b"|\n", b"'", b"9" * 30, parts.LINE,
]  # fmt: skip
DEEP = (2, 9, 60, 130, 1100, 5000)
"""Levels that something is wrapped in: those about the bounds that parsers have."""

LARGEST = 1 << 18
"""Bytes of an input: more of the same finds nothing new, and takes the time of many others."""


class Mutator:
    """Makes inputs out of seeds. `seeds`: at least one."""

    def __init__(self, name: str, seeds: Sequence[bytes], seed: int) -> None:
        self._name = name
        self._seeds = [parts.split(one) for one in seeds]
        self._seed = seed
        pieces = [piece for one in self._seeds for piece in one]
        self._runs = [piece for piece in pieces if piece]
        trees = [tree for piece in self._runs if (tree := jsontext.read(piece)) is not None]
        values = [_value(*slot) for tree in trees for slot in jsontext.slots(tree)]
        self._values = [jsontext.write(value) for value in values if not isinstance(value, str)][:4000]
        self._texts = sorted({value for value in values if isinstance(value, str)})
        self._keys = sorted({str(key) for tree in trees for key in _keys(tree)})

    def made(self, number: int) -> bytes:
        """The input of a number."""
        rng = random.Random(f"{self._name}/{self._seed}/{number}")
        chosen = list(rng.choice(self._seeds))
        for _ in range(1 + min(int(rng.expovariate(0.7)), 7)):
            before = list(chosen)
            self._damage(rng, chosen)
            if sum(map(len, chosen)) > LARGEST:
                return parts.joined(before)
        return parts.joined(chosen)

    def _damage(self, rng: random.Random, chosen: list[bytes]) -> None:
        place = rng.randrange(len(chosen))
        kind = rng.random()
        if kind < 0.03:  # a part of another input, or none, or the same twice
            other = rng.choice(self._seeds)
            chosen[place : place + 1] = rng.choice([[rng.choice(other)], [], [chosen[place]] * 2])
            chosen[:] = chosen or [b""]
            return
        tree = jsontext.read(chosen[place]) if kind < 0.85 else None
        if tree is None:
            chosen[place] = self._bytes(rng, chosen[place])
            return
        self._inside(rng, tree)
        chosen[place] = jsontext.write(tree)

    def _inside(self, rng: random.Random, tree: Tree) -> None:
        """One thing somewhere in a tree becomes another."""
        found = jsontext.slots(tree)
        if not found:
            return
        node, number = rng.choice(found)
        items = node.pairs if isinstance(node, Members) else node
        kind = rng.randrange(12)
        if kind == 0:
            del items[number]
        elif kind == 1 and isinstance(node, Members):
            items.insert(rng.randrange(len(items) + 1), [self._key(rng, items[number][0]), items[number][1]])
        elif kind == 1 or (kind == 2 and rng.random() < 0.3):
            items[number:number] = [items[number]] * rng.choice((1, 2, 40, 300))
        elif kind == 2 and isinstance(node, Members):
            items[number] = [self._key(rng, items[number][0]), items[number][1]]
        elif kind == 3:
            elsewhere = jsontext.write(
                _value(*rng.choice(found))
            )  # as text: what holds this place must not come into it
            _put(node, number, Raw(elsewhere.decode("utf-8", "surrogatepass")))
        else:
            _put(node, number, self._instead(rng, _value(node, number)))

    def _instead(self, rng: random.Random, value: Tree) -> Tree:
        """A value for a value: as often of the same type as of another."""
        kind = rng.randrange(10)
        if isinstance(value, str) and kind < 6:
            return self._text(rng, value)
        if kind < 3:
            return Raw(rng.choice(ODD_TOKENS))
        if kind < 5:
            return rng.choice(ODD_TEXTS)
        if kind < 7 and self._values:
            return Raw(rng.choice(self._values).decode("utf-8", "surrogatepass"))
        if kind == 7:
            return [value]
        if kind == 8:
            return Members([[self._key(rng, ""), value]])
        depth = rng.choice(DEEP)
        opened, closed = rng.choice([("[", "]"), ('{"a":', "}"), ('{"spec":', "}"), ('{"manifests":[', "]}")])
        return Raw(opened * depth + "1" + closed * depth)

    def _text(self, rng: random.Random, text: str) -> str:
        inner: Tree = jsontext.read(text.encode("utf-8", "surrogatepass"))
        if inner is not None and rng.random() < 0.8:
            self._inside(rng, inner)
            return jsontext.write(inner).decode("utf-8", "surrogatepass")
        if len(text) > 7 and rng.random() < 0.3 and (decoded := _decoded(text)) is not None:
            return base64.b64encode(self._bytes(rng, decoded)).decode()
        kind = rng.randrange(5)
        if kind == 0 and self._texts:
            return rng.choice(self._texts)
        if kind == 1:
            odd, at = rng.choice(ODD_TEXTS), rng.randrange(len(text) + 1)
            return text[:at] + odd + text[at:]
        return str(mutated(rng, text, rng.choice((1, 1, 2, 4))))

    def _key(self, rng: random.Random, key: str) -> str:
        kind = rng.randrange(6)
        if kind < 2 and self._keys:
            return rng.choice(self._keys)
        if kind == 2:
            return key.swapcase() or "A"
        return key if kind == 3 else rng.choice(ODD_TEXTS) if kind == 4 else mutated(rng, key)

    def _bytes(self, rng: random.Random, data: bytes) -> bytes:
        """Something happens at one place of some bytes."""
        at = rng.randrange(len(data) + 1)
        size = min(int(rng.expovariate(0.15)) + 1, 400)
        kind = rng.randrange(9)
        if kind == 0 and rng.random() < 0.3:
            return data[:at]
        if kind == 1:
            return str(mutated(rng, data.decode("latin-1"))).encode()
        if kind == 2:
            return _lines_moved(rng, data)
        gone, come = {
            0: (size, b""),
            3: (0, rng.choice(ODD_BYTES)),
            4: (1, bytes([rng.randrange(256)])),
            5: (0, data[at : at + size]),
            6: (rng.choice((0, size)), self._run(rng, 4 * size)),
            7: (1, data[at : at + 1] * rng.choice((2, 50, 2000))),
            8: (size, rng.choice(ODD_TEXTS).encode("utf-8", "surrogatepass")),
        }[kind]
        return data[:at] + come + data[at + gone :]

    def _run(self, rng: random.Random, size: int) -> bytes:
        """Some bytes of a seed."""
        other = rng.choice(self._runs or [b"x"])
        start = rng.randrange(len(other))
        return other[start : start + size]


def _lines_moved(rng: random.Random, data: bytes) -> bytes:
    """A line is replaced by another, goes on with it, or moves to the right."""
    lines = data.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one] = rng.choice([lines[other], lines[one] + lines[other], b"  " + lines[one]])
    return b"\n".join(lines)


def _value(node: Any, number: int) -> Tree:
    return node.pairs[number][1] if isinstance(node, Members) else node[number]


def _put(node: Any, number: int, value: Tree) -> None:
    if isinstance(node, Members):
        node.pairs[number] = [node.pairs[number][0], value]
    else:
        node[number] = value


def _keys(tree: Tree) -> Iterator[str]:
    return (node.pairs[number][0] for node, number in jsontext.slots(tree) if isinstance(node, Members))


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None
