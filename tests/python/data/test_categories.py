"""Category names and codes as people write them."""

import pytest

from vsr.data.categories import (
    CATEGORIES,
    MISSING,
    OTHER,
    UnknownCategory,
    category_codes,
    category_names,
    normalise_category,
    unknown_categories,
)


def test_the_order_is_the_documented_one() -> None:
    names = (
        "math physics chemistry biology computer_science history economics health psychology law business philosophy"
    )
    assert " ".join(CATEGORIES) == f"{names} engineering other"


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("math", "math"),
        ("Computer Science", "computer_science"),
        ("COMPUTER-SCIENCE ", "computer_science"),
        (" computer_science", "computer_science"),
        ("Medicine", "health"),
        ("other", "other"),
        ("geography", None),
        ("literature", None),
        ("unknown", None),
        ("", None),
    ],
)
def test_names_as_people_write_them(name: str, normal: str | None) -> None:
    assert normalise_category(name) == normal


def test_codes_and_unknown_ones() -> None:
    names = ["Math", None, "geography", "other", " ", "unknown", "geography"]
    codes = category_codes(names)
    assert codes.tolist() == [0, MISSING, OTHER, OTHER, MISSING, OTHER, OTHER]
    assert category_names(codes) == ("math", None, "other", "other", None, "other", "other")
    assert unknown_categories(names) == (UnknownCategory("geography", 2), UnknownCategory("unknown", 1))
    assert category_codes([]).shape == (0,)
