"""How durations and quantities are written in settings."""

import pytest

from webhook.settings_values import quantity, seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("5s", 5),
        ("250ms", 0.25),
        ("1m30s", 90),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1us", 1e-6),
        ("+2s", 2),
        (0, 0),
    ],
)
def test_durations_are_those_of_go(text: object, value: float):
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        (7, 7),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Ki", 1536),
        (".5Ki", 512),
        ("2.", 2),
        ("3M", 3000000),
        ("1Ei", 1 << 60),
    ],
)
def test_quantities_are_those_of_kubernetes(text: object, value: int):
    assert quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", "K", "1K", "1kb", "1 Ki", "0.5", "1.2345Ki", "1e3", "\u0661", True, 1.0, None, [], "-1"]
)
def test_what_is_no_quantity(text: object):
    with pytest.raises(ValueError, match="must be a quantity of bytes, such as 32Mi"):
        quantity(text)
