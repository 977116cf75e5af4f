"""Lines for people: laid out once, for the terminal that there is, and nothing in them that a runner of CI obeys."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from webhook.core.text import wrapped
from webhook.report.layout import laid_out, paragraphs

WORDS = st.text("abc", min_size=1, max_size=30)
SENTENCES = st.lists(WORDS, min_size=1, max_size=20).map(" ".join)
IMAGES = st.tuples(SENTENCES, st.lists(SENTENCES, max_size=3))


@given(SENTENCES, st.lists(IMAGES, max_size=3), SENTENCES)
def test_a_denial_is_had_back_as_it_was(headline: str, images: list[tuple[str, list[str]]], end: str):
    lines = [headline]
    for image, places in images:
        lines += [f"- {image}", *(f"  on {place}" for place in places)]
    lines.append(f"To mend it: {end}")
    assert list(paragraphs("\n".join(wrapped(lines)))) == lines


def test_a_denial_is_broken_once_on_a_terminal_of_any_width():
    told = (
        "Deployment web cannot run on any of the 5000 nodes it may be scheduled to, whatever they are called and for.",
        '- container "app": image reg.example/team/a-service-with-a-long-name:1.4.2-rc.1 is for amd64 and s390x',
        "  on arm-0000, arm-0001, arm-0002 and 4997 more (linux/arm64): the pull would be refused: no match for it",
    )
    message = "\n".join(wrapped(told))
    for width in (60, 80, 100):
        for whole in paragraphs(message):
            lines = list(laid_out(f"    {whole}", width, "  "))
            assert max(map(len, lines)) <= width
            for line, following in pairwise(lines):
                assert len(line) + 1 + len(following.split()[0]) > width  # or it would have had room
