"""The time-out of the query, and what a review gets of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.admission.times import DEFAULT_TIMEOUT, LONGEST_TIMEOUT, timeout_of, times_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        # k8s.io/apimachinery writes time.Duration.String(), and the API server has rounded up to whole seconds
        ("1s", 1.0),
        ("10s", 10.0),
        ("30s", 30.0),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("1m0s", 30.0),
        ("1h0m0s", 30.0),
        ("1m", 30.0),
        # no duration, or none to work with
        ("", DEFAULT_TIMEOUT),
        ("0s", DEFAULT_TIMEOUT),
        ("-1s", DEFAULT_TIMEOUT),
        ("10", DEFAULT_TIMEOUT),
        ("ten", DEFAULT_TIMEOUT),
        ("1e9s", DEFAULT_TIMEOUT),
        ("nans", DEFAULT_TIMEOUT),
        ("infs", DEFAULT_TIMEOUT),
        ("999999999999s", DEFAULT_TIMEOUT),
        ("\uff15s", DEFAULT_TIMEOUT),
        ("10s\n", DEFAULT_TIMEOUT),
        ("10s10s", DEFAULT_TIMEOUT),
    ],
)
def test_the_timeout_of_the_query(text: str, seconds: float):
    assert timeout_of(text) == seconds


@given(st.text(max_size=12))
def test_any_text_gives_a_timeout_within_bounds(text: str):
    assert 0 < timeout_of(text) <= LONGEST_TIMEOUT


@given(st.floats(0.001, 30), st.floats(0, 30), st.floats(0, 1e6))
def test_a_review_ends_before_the_answer_and_the_answer_comes_within_the_timeout(
    timeout: float, margin: float, started: float
):
    times = times_of(started, timeout, margin)
    assert started < times.deadline <= times.answer_by <= started + timeout + 1e-6
    # the margin is kept wherever half of the time is left beside it
    if margin <= timeout / 2:
        assert times.answer_by <= started + timeout - margin + 1e-6
    # and never takes more than half
    assert times.answer_by - started >= timeout / 2 - 1e-6
