import itertools
import re
from collections import Counter
from datetime import datetime, timedelta
from random import Random

import pytest

from vsr.data.categories import CATEGORIES
from vsr.data.prompts import unique_key
from vsr.errors import ConfigError
from vsr.simulation import generate_queries
from vsr.simulation.world import facts, terms
from vsr.simulation.world.facts import Facts
from vsr.simulation.world.generation import TOPICS

QUERIES = generate_queries(4000, seed=3)


def matching(pattern):
    """The queries whose whole text matches, with the groups of the match."""
    found = [(query, match.groups()) for query in QUERIES if (match := re.fullmatch(pattern, query.question.text))]
    assert found
    return found


def chosen(query):
    return query.question.choices["ABCD".index(query.question.answer)]


def day(text):
    return datetime.strptime(text, "%d %B %Y").date()  # noqa: DTZ007


def test_categories_are_even_and_texts_differ():
    queries = generate_queries()
    assert Counter(query.category for query in queries) == dict.fromkeys(CATEGORIES, 40)
    assert len({unique_key(query.question.text) for query in queries}) == len(queries) == 560


def test_same_seed_same_queries():
    assert generate_queries(60, seed=5) == generate_queries(60, seed=5)
    assert set(generate_queries(60, seed=5)) != set(generate_queries(60, seed=6))


def test_every_topic_is_drawn_and_every_category_has_several():
    assert len(TOPICS) >= 80
    assert all(count >= 5 for count in Counter(topic.category for topic in TOPICS).values())
    assert {topic.category for topic in TOPICS} == set(CATEGORIES)


def test_more_queries_than_there_are():
    with pytest.raises(ConfigError, match=r"no new query of \w+ after [0-9,]+ queries; ask for fewer \(--queries\)"):
        generate_queries(60_000)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: getattr(topic.draw, "__name__", "fact"))
def test_every_question_is_well_formed(topic):
    rng = Random(0)
    for _ in range(200):
        question = topic.draw(rng)
        assert question.text[0].isupper() or question.text[0].isdigit()
        assert "{" not in question.text
        match question.metric:
            case "numeric":
                assert not question.choices
                float(question.answer)
            case "exact_match":
                assert not question.choices
                assert re.fullmatch(r"\w+", question.answer)
            case "em_mc":
                assert 2 <= len(question.choices) <= 4
                assert len(set(question.choices)) == len(question.choices)
                assert question.answer in "ABCD"[: len(question.choices)]
            case other:
                pytest.fail(other)


TABLES = {
    f"{module.__name__}.{name}": table
    for module in (facts, terms)
    for name, table in vars(module).items()
    if isinstance(table, Facts)
}


@pytest.mark.parametrize("name", TABLES)
def test_a_fact_asked_backwards_has_one_answer(name):
    table = TABLES[name]
    assert len(set(table.answers.values())) >= 4
    if table.ask_back:
        assert len(set(table.answers.values())) == len(table.answers)


def test_historical_years_differ():
    assert len(set(facts.HISTORICAL_EVENTS.values())) == len(facts.HISTORICAL_EVENTS)


# The answers again, worked out in another way from the text alone.


def test_products():
    for query, (a, b, c) in matching(r"What is (\d+) times (\d+) plus (\d+)\?"):
        assert int(query.question.answer) == sum([int(a)] * int(b)) + int(c)


def test_equations():
    for query, (a, b, c) in matching(r"Solve for x: (\d+)x \+ (\d+) = (-?\d+)"):
        assert int(a) * int(query.question.answer) + int(b) == int(c)


def test_divisors():
    for query, (a, b) in matching(r"Find the greatest common divisor of the integers (\d+) and (\d+)\."):
        divisors = [n for n in range(1, int(a) + 1) if int(a) % n == int(b) % n == 0]
        assert int(query.question.answer) == divisors[-1]


def test_derivatives():
    for query, found in matching(r"Let f\(x\) = (\d)x\^3 \+ (\d)x\^2 \+ (\d)x\. What is the derivative f'\((\d)\)\?"):
        a, b, c, x = map(int, found)
        before, after = (a * t**3 + b * t**2 + c * t for t in (x - 1e-4, x + 1e-4))
        assert float(query.question.answer) == pytest.approx((after - before) / 2e-4, rel=1e-6)


def test_primes():
    for query, _ in matching(r"Which of these integers between \d+ and \d+ is a prime number\?"):
        primes = [n for n in query.question.choices if not any(int(n) % m == 0 for m in range(2, int(n)))]
        assert primes == [chosen(query)]


def test_python_expressions():
    for query, (expression,) in matching(r"What does the Python expression (.*) evaluate to\?"):
        assert int(query.question.answer) == eval(expression)
    for query, (expression,) in matching(r"What string does the Python slice (.*) give\?"):
        assert query.question.answer == eval(expression)


def test_number_systems():
    for query, (bits,) in matching(r"What is the binary number (\d+) in decimal\?"):
        assert int(query.question.answer) == int(bits, 2)
    for query, (value,) in matching(r"Write the decimal number (\d+) in binary, without a prefix\."):
        assert int(query.question.answer, 2) == int(value)


def test_boolean_expressions():
    pattern = r"With a = (\w+), b = (\w+), c = (\w+), what is the value of the boolean expression (.*)\?"
    for query, (a, b, c, expression) in matching(pattern):
        value = eval(expression, {"a": a == "True", "b": b == "True", "c": c == "True"})
        assert chosen(query) == str(value)


def test_dna():
    pairs = {"A": "U", "C": "G", "G": "C", "T": "A"}
    for query, (strand,) in matching(r"Transcribe the DNA template strand (\w+) into mRNA bases\."):
        assert query.question.answer == "".join(pairs[base] for base in strand)


def test_crosses():
    pattern = r".* of the cross (..) x (..) is expected to show the dominant trait\?"
    for query, (mother, father) in matching(pattern):
        children = ["A" in pair for pair in itertools.product(mother, father)]
        assert float(query.question.answer) == 25 * sum(children)


def test_roman_numerals():
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    for query, (numeral,) in matching(r"An old building bears the date (\w+)\. Which year is that\?"):
        numbers = [values[letter] for letter in numeral]
        signed = [-a if a < b else a for a, b in itertools.pairwise([*numbers, 0])]
        assert int(query.question.answer) == sum(signed)


def test_body_mass_is_rounded_without_doubt():
    pattern = r"What is the body mass index of an adult of (\d+) kg and 1\.(\d) m\? Round to one decimal\."
    for query, (kilograms, decimetres) in matching(pattern):
        exact = 100 * int(kilograms) / (10 + int(decimetres)) ** 2
        assert abs(float(query.question.answer) - exact) < 0.0499


def test_weekdays():
    pattern = r"(\d+ \w+ \d+) is a (\w+)\. Which day of the week is it (\d+) days later\?"
    for query, (start, weekday, days) in matching(pattern):
        assert f"{day(start):%A}" == weekday
        assert chosen(query) == f"{day(start) + timedelta(days=int(days)):%A}"


def test_days_between():
    for query, (start, end) in matching(r"How many days is it from (.*) to (.*)\?"):
        assert day(end) - day(start) == timedelta(days=int(query.question.answer))


def test_deadlines():
    pattern = r".* within (\d+) days; the judgment was served on (.*), and the day after is day one\. .*"
    for query, (days, served) in matching(pattern):
        count, last = 0, day(served)
        while count < int(days):
            last += timedelta(days=1)
            count += 1
        assert day(chosen(query)) == last


def test_time_zones():
    pattern = r"It is (\d+):(\d+) in a city at UTC([+-]\d+)\. What time is it in a city at UTC([+-]\d+)\?"
    for query, (hour, minute, first, second) in matching(pattern):
        there = datetime(2024, 1, 5, int(hour), int(minute)) + timedelta(hours=int(second) - int(first))  # noqa: DTZ001
        assert chosen(query) == f"{there:%H:%M}"


def test_alphabet():
    for query, (words,) in matching(r"Which of the words (.*) comes first in the alphabet\?"):
        assert chosen(query) == sorted(words.split(", "))[0]


def test_what_came_first():
    for query, _ in matching(r"Which of these historical events came first: .*\?"):
        years = {name: facts.HISTORICAL_EVENTS[name] for name in query.question.choices}
        assert years[chosen(query)] == min(years.values())


def test_syllogisms():
    """Valid means: no sets of up to three things make the premises true and the conclusion false."""
    worlds = list(itertools.product(range(8), repeat=3))  # which of the sets a, b, c each of three things is in

    def holds(sentence, world):
        quantifier, one, _are, other = sentence.split()
        ones = [bool(thing & bit[other]) for thing in world if thing & bit[one]]
        match quantifier.lower():
            case "all":
                return all(ones)
            case "no":
                return not any(ones)
            case _:
                return any(ones)

    for query, (text,) in matching(r"Is this syllogism valid or invalid\? (.*)\."):
        first, second, conclusion = text.replace("Therefore ", "").split(". ")
        names = sorted(set(re.findall(r"(\w+) are (\w+)", text)[0] + re.findall(r"(\w+) are (\w+)", text)[1]))
        bit = {name: 1 << index for index, name in enumerate(names)}
        refuted = any(holds(first, world) and holds(second, world) and not holds(conclusion, world) for world in worlds)
        assert chosen(query) == ("invalid" if refuted else "valid")


def test_knights_and_knaves():
    pattern = r".*\. (\w+), who lives there with (\w+), says: '(.*)' What is \2\?"
    for query, (speaker, other, said) in matching(pattern):
        claims = {
            "At least one of us is a knave.": lambda a, b: not (a and b),
            "We are both knaves.": lambda a, b: not a and not b,
            f"{other} and I are of the same kind.": lambda a, b: a == b,
            f"{other} and I are of different kinds.": lambda a, b: a != b,
        }
        assert speaker != other
        possible = {b for a, b in itertools.product((True, False), repeat=2) if claims[said](a, b) == a}
        assert possible == {chosen(query) == "a knight"}
