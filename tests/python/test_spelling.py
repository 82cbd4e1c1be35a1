import pytest

from vsr._spelling import nearest

KNOWN = ("math", "computer_science", "gsm8k", "em", "port", "address")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("mathss", "math"),
        ("Maths", "math"),
        ("computer-sciense", "computer_science"),
        ("Computer Science", "computer_science"),
        ("gsm8kk", "gsm8k"),
        ("prot", "port"),
        ("adress", "address"),
        ("geography", None),
        ("", None),
        ("m" * 1000, None),
    ],
)
def test_the_nearest_word(word: str, meant: str | None) -> None:
    assert nearest(word, KNOWN) == meant


def test_of_very_many_words_the_first_are_looked_at() -> None:
    assert nearest("w199", (f"w{number}" for number in range(10**9))) == "w199"
