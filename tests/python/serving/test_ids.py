import pytest

from vsr.serving.ids import DecisionIds

MODELS = ("cicero", "darwin", "newton")


def test_an_id_is_known_with_its_model_and_its_age():
    now = [1_800_000_000.0]
    ids = DecisionIds(b"key", lambda: now[0])
    given = ids.new("darwin")
    now[0] += 90.0
    assert len(given) == 32
    assert ids.model_of(given, MODELS) == "darwin"
    assert ids.model_of(given, ("cicero", "newton")) is None
    assert ids.age_s(given) == 90.0
    assert DecisionIds(b"key").model_of(given, MODELS) == "darwin"
    assert DecisionIds(b"another key").model_of(given, MODELS) is None


def test_ids_of_one_second_are_told_apart():
    ids = DecisionIds(b"key", lambda: 1_800_000_000.0)
    assert len({ids.new("darwin") for _ in range(20_000)}) == 20_000


def test_a_changed_digit_anywhere_makes_it_nobodys():
    ids = DecisionIds(b"key")
    given = ids.new("darwin")
    for at, digit in enumerate(given):
        changed = given[:at] + ("0" if digit != "0" else "1") + given[at + 1 :]
        assert ids.model_of(changed, MODELS) is None


@pytest.mark.parametrize("odd", ["", "x", "0" * 31, "0" * 34, "é" * 32, "0f " * 16])
def test_what_is_no_id_is_nobodys(odd):
    assert DecisionIds(b"key").model_of(odd, MODELS) is None


def test_an_id_has_one_spelling():
    ids = DecisionIds(b"key")
    given = next(each for each in iter(lambda: ids.new("darwin"), None) if each.upper() != each)
    assert ids.model_of(given.upper(), MODELS) is None
    assert ids.model_of(f" {given}", MODELS) is None
