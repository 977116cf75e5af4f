"""HTML that cannot be broken out of: all text is escaped unless it is markup already, by type and not by care.

Names come from whoever may write a manifest, and the page is opened by whoever may change the cluster.
"""

import re
from html import escape
from typing import Final

from webhook.report.lines import quiet_markup

_LONGEST: Final = 1000
"""Characters of one foreign text: more than any reference or name that is valid has."""
_SEAMS: Final = re.compile("(?<=/)(?=.)|(?<!@sha256)(?=[:@])")
"""Where a reference or a platform is best broken: after a slash, before a tag or a digest."""
_EMPTY: Final = frozenset({"input", "meta", "rect", "wbr"})
"""Elements without an end tag (a rect, of SVG, has one that is left out by `/>`)."""


class Html(str):
    """Markup. Only this module makes it of text."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | int | bool) -> Html:
    """An element. Children and the values of attributes are escaped, save children that are Html.

    An underscore at the end of an attribute's name is dropped (`class_`), others become hyphens; a value of True stands
    for an attribute without one, of False or "" for none at all.
    """
    opened = "".join([name, *(_attribute(key, value) for key, value in attributes.items())])
    if name in _EMPTY:
        return Html(f"<{opened}{'/' if name == 'rect' else ''}>")
    return Html(f"<{opened}>{joined(*children)}</{name}>")


def joined(*children: str) -> Html:
    """Markup and texts, one after the other."""
    return Html(
        "".join(child if isinstance(child, Html) else quiet_markup(escape(child, quote=False)) for child in children)
    )


def foreign(text: str, *, element: str = "code") -> Html:
    """A name that users, registries or clusters gave: a person sees what it is made of, and nothing of it acts.

    What is not printable (line breaks, controls that turn the direction of writing, zero-width characters) is shown by
    its number; a text that is too long loses its middle, since the end (a tag, a digest) tells more.
    """
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    first, *rest = _SEAMS.split(printable(text))
    return tag(element, first, *(part for seam in rest for part in (tag("wbr"), seam)), class_="name")


def printable(text: str) -> str:
    """A text with what is not printable shown by its number."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else f"[U+{ord(each):04X}]" for each in text)


def _attribute(key: str, value: str | int | bool) -> str:  # noqa: FBT001  # the value of an attribute, not a switch
    if value is False or value == "":
        return ""
    name = key.removesuffix("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{quiet_markup(escape(str(value)))}"'
