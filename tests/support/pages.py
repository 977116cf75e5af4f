"""HTML read as a browser's parser would meet it: elements with their attributes and texts, in a tree that is whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

EMPTY = {"meta", "input", "rect", "wbr"}


@dataclass
class Element:
    """An element; `texts` are its own, `children` in their order among them as elements alone."""

    name: str
    attributes: dict[str, str]
    parts: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it."""
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    def all(self, name: str = "", class_: str = "") -> Iterator["Element"]:
        """The elements in it, of a name or a class."""
        for part in self.parts:
            if isinstance(part, Element):
                if (not name or part.name == name) and (not class_ or class_ in part.classes):
                    yield part
                yield from part.all(name, class_)

    def one(self, name: str = "", class_: str = "") -> "Element":
        """The only one."""
        (found,) = self.all(name, class_)
        return found

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()


class _Parser(HTMLParser):
    """Fails where an end tag is missing or misplaced: podgate leaves none out."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {key: value or "" for key, value in attrs})
        assert len(element.attributes) == len(attrs), f"an attribute of {tag} stands there twice"
        self._open[-1].parts.append(element)
        if tag not in EMPTY:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in EMPTY
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].parts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def ended(self) -> Element:
        self.close()
        assert self._open == [self.root]
        return self.root


def parse(text: str) -> Element:
    """The document; AssertionError where it is not whole."""
    parser = _Parser()
    parser.feed(text)
    return parser.ended()
