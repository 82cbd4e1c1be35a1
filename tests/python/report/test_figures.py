import pytest

from vsr.report import figures


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0.0, "free"), (1.5, "$1.50"), (0.1134, "$0.113"), (0.00012, "$0.000120"), (3.14e-7, "$3.1e-07")],
)
def test_money_keeps_three_digits_that_say_something(value, said):
    assert figures.usd(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0.0, "0.00 s"), (4.2e-5, "42 µs"), (0.012, "12 ms"), (1.234, "1.23 s")]
)
def test_small_times_have_smaller_units(value, said):
    assert figures.seconds(value) == said


def test_what_is_there_is_never_no_per_cent():
    assert figures.share(0.001) == "<1\u202f%"
    assert figures.share(0.0) == "0\u202f%"
    assert figures.share(0.426) == "43\u202f%"


def test_nothing_has_no_sign():
    assert figures.points(-0.0001) == "0.0"
    assert figures.points(0.0125) == "+1.2"
    assert figures.points(-0.02) == "−2.0"
    assert figures.change(0.999, 1.0) == "no change"
    assert figures.change(0.6, 1.0) == "−40\u202f%"
    assert figures.change(1.0, 0.0) == ""


def test_shares_add_up_the_rest():
    said = figures.shares({"a": 0.5, "b": 0.3, "c": 0.15, "d": 0.05}, most=2)
    assert said == "a 50\u202f%, b 30\u202f%, 2 more 20\u202f%"
