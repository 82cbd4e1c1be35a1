"""Questions whose answers are computed: society, health, law, ideas and everyday life."""

from datetime import date, timedelta
from random import Random

from vsr.simulation.world import facts, terms
from vsr.simulation.world.questions import Kind, Question, Topic, either, multiple_choice, numeric

_ROMAN = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"))
_ROMAN_ONES = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NAMES = ("Ada", "Ben", "Cleo", "Dev", "Eva", "Finn", "Gita", "Hugo", "Ines", "Jon")
_NONSENSE = ("wugs", "daxes", "blickets", "toves", "zorps", "feps", "glorks", "mimsies", "snarks", "borogoves")
_LETTER_WORDS = ("banana", "mississippi", "bookkeeper", "assessment", "committee", "strawberry", "parallel", "tomorrow")
_SORTED_WORDS = (
    "anchor", "basket", "candle", "desert", "engine", "forest", "garden", "hammer", "island", "jacket", "kettle",
    "ladder", "mirror", "needle", "orange", "pencil", "quiver", "ribbon", "saddle", "tunnel", "velvet", "window",
)  # fmt: skip
_DRUGS = ("ibuprofen", "paracetamol", "amoxicillin", "ceftriaxone", "gentamicin")


def _written(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def _some_day(rng: Random) -> date:
    return date(2019, 1, 1) + timedelta(days=rng.randrange(3000))


def _event_year(rng: Random) -> Question:
    event, year = rng.choice(list(facts.HISTORICAL_EVENTS.items()))
    return numeric(rng.choice(("In which year was {}?", "Give the year of {}.")).format(event), year)


def _years_between(rng: Random) -> Question:
    (first, before), (second, after) = sorted(
        rng.sample(list(facts.HISTORICAL_EVENTS.items()), 2), key=lambda event: event[1]
    )
    return numeric(f"By how many calendar years does {first} precede {second}?", after - before)


def _earliest(rng: Random) -> Question:
    events = rng.sample(list(facts.HISTORICAL_EVENTS.items()), 4)
    names = [name for name, _year in sorted(events, key=lambda event: event[1])]
    listed = ", ".join(name.removeprefix("the ") for name, _year in events)
    return multiple_choice(rng, f"Which of these historical events came first: {listed}?", names[0], names[1:])


def _roman(rng: Random) -> Question:
    year = rng.randint(1400, 1999)
    rest, numeral = year, ""
    for value, letters in _ROMAN:
        numeral += letters * (rest // value)
        rest %= value
    wording = rng.choice(("An old building bears the date {}. Which year is that?", "Which year is Roman {}?"))
    return numeric(wording.format(numeral + _ROMAN_ONES[rest]), year)


def _interest(rng: Random) -> Question:
    principal, rate, years = rng.randint(2, 90) * 100, rng.randint(1, 9), rng.randint(2, 12)
    text = f"A deposit of {principal} euros earns {rate}% simple interest a year. "
    return numeric(text + f"How many euros of interest does it earn in {years} years?", principal * rate * years / 100)


def _inflation(rng: Random) -> Question:
    price, rate = rng.randint(2, 60) * 20, rng.randint(1, 5) * 5
    text = f"A basket of goods cost {price} dollars last year; since then inflation was {rate}%. What does it cost now?"
    return numeric(text, price * (100 + rate) / 100)


def _gdp(rng: Random) -> Question:
    people, per_head = rng.randint(2, 80), rng.randint(3, 60) * 1000
    text = (
        f"A country of {people} million people has a gross domestic product of {people * per_head} million dollars. "
        "What is its GDP per capita in dollars?"
    )
    return numeric(text, per_head)


def _unemployment(rng: Random) -> Question:
    workforce, rate = rng.randint(2, 40) * 100, rng.randint(2, 15)
    text = f"Of a labour force of {workforce} thousand people, {workforce * rate // 100} thousand look for work. "
    return numeric(text + "What is the unemployment rate in percent?", rate)


def _dose(rng: Random) -> Question:
    weight_kg, per_kg, times = rng.randint(8, 95), rng.randint(2, 15), rng.randint(2, 4)
    text = (
        f"A patient of {weight_kg} kg gets {per_kg} mg of {rng.choice(_DRUGS)} per kg body weight {times} times a day. "
        "How many mg is that per day?"
    )
    return numeric(text, weight_kg * per_kg * times)


def _body_mass(rng: Random) -> Question:
    # Heights with which no whole weight lies on the border between two rounded results.
    height_m, weight_kg = rng.choice((1.5, 1.7, 1.8, 1.9)), rng.randint(45, 120)
    text = f"What is the body mass index of an adult of {weight_kg} kg and {height_m} m? Round to one decimal."
    return numeric(text, round(weight_kg / height_m**2, 1))


def _infusion(rng: Random) -> Question:
    rate, hours = rng.randint(3, 25) * 10, rng.randint(2, 12)
    text = f"An infusion of {rate * hours} mL is to run over {hours} hours. "
    return numeric(text + "What flow rate in mL per hour does the nurse set?", rate)


def _calories(rng: Random) -> Question:
    carbohydrate, protein, fat = rng.randint(10, 90), rng.randint(5, 50), rng.randint(2, 40)
    text = (
        f"A meal has {carbohydrate} g carbohydrate and {protein} g protein at 4 kcal per g, and {fat} g fat at "
        "9 kcal per g. How many kcal does it have?"
    )
    return numeric(text, 4 * (carbohydrate + protein) + 9 * fat)


def _z_score(rng: Random) -> Question:
    mean, deviation, z = rng.randint(8, 60) * 5, rng.randint(2, 15), rng.choice((-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2, 3))
    text = f"A test has mean {mean} and standard deviation {deviation}. What is the z-score of a participant with "
    return numeric(f"{text}{mean + z * deviation:g} points?", z)


def _intelligence(rng: Random) -> Question:
    z = rng.choice((-2, -1.6, -1.2, -1, -0.6, 0.4, 0.8, 1, 1.4, 2, 2.2, 3))
    text = f"An intelligence test has a mean of 100 and a standard deviation of 15. Which IQ lies {abs(z):g} standard "
    return numeric(f"{text}deviations {'above' if z > 0 else 'below'} the mean?", 100 + 15 * z)


def _reinforcement(rng: Random) -> Question:
    ratio, rewards, rest = rng.randint(3, 25), rng.randint(2, 20), rng.randint(0, 2)
    animal = rng.choice(("rat", "pigeon", "monkey"))
    text = (
        f"On a fixed-ratio schedule FR-{ratio}, a {animal} presses a lever {ratio * rewards + rest} times. "
        "How many reinforcements does it get?"
    )
    return numeric(text, rewards)


def _reaction(rng: Random) -> Question:
    mean = rng.randint(220, 600)
    low, high = rng.randint(5, 90), rng.randint(5, 90)
    times = f"{mean - low} ms, {mean - high} ms and {mean + low + high} ms"
    return numeric(f"In three trials a participant reacts after {times}. What is the mean reaction time in ms?", mean)


def _deadline(rng: Random) -> Question:
    start, days = _some_day(rng), rng.choice((7, 10, 14, 20, 28, 30, 45, 60, 90))
    last = start + timedelta(days=days)
    wrong = [_written(last + timedelta(days=shift)) for shift in (-2, -1, 1, 2, 7)]
    matter = rng.choice(("An appeal", "An objection", "A reply to the complaint", "A claim for damages"))
    text = (
        f"{matter} must be filed within {days} days; the judgment was served on {_written(start)}, and the day after "
        "is day one. What is the last day for filing?"
    )
    return multiple_choice(rng, text, _written(last), wrong)


def _negligence(rng: Random) -> Question:
    damages, fault = rng.randint(2, 90) * 1000, rng.randint(1, 9) * 5
    text = (
        f"A plaintiff suffered damages of {damages} dollars and is {fault}% at fault. Under comparative negligence the "
        "award is reduced by that share. How many dollars does the court award?"
    )
    return numeric(text, damages * (100 - fault) / 100)


def _sentence(rng: Random) -> Question:
    years, served = rng.randint(2, 12), rng.randint(1, 20)
    text = (
        f"A convict is sentenced to {years} years in prison and has spent {served} months in custody before the trial, "
        "which count. How many months remain?"
    )
    return numeric(text, 12 * years - served)


def _majority(rng: Random) -> Question:
    judges = rng.randint(2, 20) * 2 + 1
    body = rng.choice(("constitutional court", "appeal panel", "jury", "board of arbitrators", "legislative committee"))
    text = f"A {body} has {judges} members who all vote. How many votes make a simple majority?"
    return numeric(text, judges // 2 + 1)


def _margin(rng: Random) -> Question:
    revenue, margin = rng.randint(2, 90) * 100, rng.randint(2, 16) * 5
    text = f"A company has revenue of {revenue} and total costs of {revenue * (100 - margin) // 100}. "
    return numeric(text + "What is its profit margin in percent?", margin)


def _break_even(rng: Random) -> Question:
    units, contribution, cost = rng.randint(5, 90) * 10, rng.randint(2, 40), rng.randint(3, 60)
    text = (
        f"A product sells for {cost + contribution} euros and costs {cost} euros to make. Fixed costs are "
        f"{units * contribution} euros. How many units must be sold to break even?"
    )
    return numeric(text, units)


def _returns(rng: Random) -> Question:
    spent, percent = rng.randint(2, 60) * 100, rng.randint(2, 30) * 5
    text = f"A marketing campaign cost {spent} dollars and brought back {spent * (100 + percent) // 100} dollars. "
    return numeric(text + "What is the return on investment in percent?", percent)


def _markup(rng: Random) -> Question:
    cost, markup = rng.randint(1, 60) * 4, rng.choice((25, 50, 75, 100, 125, 150))
    text = f"A shop buys a jacket for {cost} euros and adds a markup of {markup}%. What is the retail price in euros?"
    return numeric(text, cost * (100 + markup) / 100)


def _syllogism(rng: Random) -> Question:
    a, b, c = rng.sample(_NONSENSE, 3)
    premises, is_valid = rng.choice(
        (
            (f"All {a} are {b}. All {b} are {c}. Therefore all {a} are {c}.", True),
            (f"No {b} are {c}. All {a} are {b}. Therefore no {a} are {c}.", True),
            (f"All {a} are {b}. Some {c} are {a}. Therefore some {c} are {b}.", True),
            (f"All {a} are {b}. All {c} are {b}. Therefore all {a} are {c}.", False),
            (f"Some {a} are {b}. Some {b} are {c}. Therefore some {a} are {c}.", False),
            (f"All {a} are {b}. No {c} are {a}. Therefore no {c} are {b}.", False),
        )
    )
    return either(f"Is this syllogism valid or invalid? {premises}", is_valid, ("valid", "invalid"))


def _knights(rng: Random) -> Question:
    speaker, other = rng.sample(_NAMES, 2)
    said, other_is_knight = rng.choice(
        (
            ("At least one of us is a knave.", False),
            ("We are both knaves.", True),
            (f"{other} and I are of the same kind.", True),
            (f"{other} and I are of different kinds.", False),
        )
    )
    text = (
        f"On an island knights always tell the truth and knaves always lie. {speaker}, who lives there with {other}, "
        f"says: '{said}' What is {other}?"
    )
    return either(text, other_is_knight, ("a knight", "a knave"))


def _argument_form(rng: Random) -> Question:
    p, q = rng.choice(
        (
            ("it rains", "the street is wet"),
            ("the lamp is lit", "someone is home"),
            ("the bell rings", "the dog barks"),
            ("it is Sunday", "the shop is closed"),
            ("the ice melts", "the sea level rises"),
            ("the fire burns", "there is smoke"),
        )
    )
    forms = {
        "modus ponens": f"{p}; therefore {q}",
        "modus tollens": f"it is not the case that {q}; therefore it is not the case that {p}",
        "affirming the consequent": f"{q}; therefore {p}",
        "denying the antecedent": f"it is not the case that {p}; therefore it is not the case that {q}",
    }
    name = rng.choice(list(forms))
    text = f"What is this form of argument called? If {p}, then {q}; {forms[name]}."
    return multiple_choice(rng, text, name, list(forms))


def _weekday(rng: Random) -> Question:
    start, days = _some_day(rng), rng.randint(3, 60)
    right = _WEEKDAYS[(start.weekday() + days) % 7]
    text = f"{_written(start)} is a {_WEEKDAYS[start.weekday()]}. Which day of the week is it {days} days later?"
    return multiple_choice(rng, text, right, _WEEKDAYS)


def _days_between(rng: Random) -> Question:
    start, days = _some_day(rng), rng.randint(10, 300)
    return numeric(f"How many days is it from {_written(start)} to {_written(start + timedelta(days=days))}?", days)


def _letters(rng: Random) -> Question:
    word = rng.choice(_LETTER_WORDS)
    letter = rng.choice(sorted(set(word)))
    return numeric(f"How many times does the letter '{letter}' occur in the word '{word}'?", word.count(letter))


def _time_zones(rng: Random) -> Question:
    hour, minute = rng.randint(0, 23), rng.choice((0, 15, 30, 45))
    first, second = rng.randint(-8, 0), rng.randint(1, 10)
    arrived = [f"{(hour + second - first + shift) % 24:02}:{minute:02}" for shift in (0, -2, -1, 1, 12)]
    text = f"It is {hour:02}:{minute:02} in a city at UTC{first:+}. What time is it in a city at UTC{second:+}?"
    return multiple_choice(rng, text, arrived[0], arrived[1:])


def _alphabet(rng: Random) -> Question:
    words = rng.sample(_SORTED_WORDS, 4)
    text = f"Which of the words {', '.join(words)} comes first in the alphabet?"
    return multiple_choice(rng, text, min(words), words)


TOPICS = (
    Topic("history", Kind.FACT, 0.5, _event_year),
    Topic("history", Kind.CALCULATION, 0.7, _years_between),
    Topic("history", Kind.REASONING, 0.5, _earliest),
    Topic("history", Kind.CALCULATION, 0.5, _roman),
    Topic("history", Kind.FACT, 0.3, facts.HISTORICAL_PEOPLE.draw),
    Topic("economics", Kind.CALCULATION, 0.5, _interest),
    Topic("economics", Kind.CALCULATION, 0.4, _inflation),
    Topic("economics", Kind.CALCULATION, 0.5, _gdp),
    Topic("economics", Kind.CALCULATION, 0.4, _unemployment),
    Topic("economics", Kind.FACT, 0.4, terms.ECONOMIC_TERMS.draw),
    Topic("economics", Kind.FACT, 0.5, terms.ECONOMISTS.draw),
    Topic("health", Kind.CALCULATION, 0.6, _dose),
    Topic("health", Kind.CALCULATION, 0.7, _body_mass),
    Topic("health", Kind.CALCULATION, 0.3, _infusion),
    Topic("health", Kind.CALCULATION, 0.5, _calories),
    Topic("health", Kind.FACT, 0.5, terms.DEFICIENCIES.draw),
    Topic("health", Kind.FACT, 0.3, terms.SPECIALISTS.draw),
    Topic("health", Kind.FACT, 0.4, terms.CLINICAL_DEVICES.draw),
    Topic("psychology", Kind.CALCULATION, 0.5, _z_score),
    Topic("psychology", Kind.CALCULATION, 0.5, _intelligence),
    Topic("psychology", Kind.CALCULATION, 0.5, _reinforcement),
    Topic("psychology", Kind.CALCULATION, 0.4, _reaction),
    Topic("psychology", Kind.FACT, 0.4, terms.PSYCHOLOGISTS.draw),
    Topic("psychology", Kind.FACT, 0.4, terms.BIASES.draw),
    Topic("psychology", Kind.FACT, 0.3, terms.PHOBIAS.draw),
    Topic("law", Kind.REASONING, 0.6, _deadline),
    Topic("law", Kind.CALCULATION, 0.5, _negligence),
    Topic("law", Kind.CALCULATION, 0.4, _sentence),
    Topic("law", Kind.CALCULATION, 0.3, _majority),
    Topic("law", Kind.FACT, 0.4, terms.LEGAL_LATIN.draw),
    Topic("law", Kind.FACT, 0.4, terms.LEGAL_TERMS.draw),
    Topic("business", Kind.CALCULATION, 0.5, _margin),
    Topic("business", Kind.CALCULATION, 0.5, _break_even),
    Topic("business", Kind.CALCULATION, 0.5, _returns),
    Topic("business", Kind.CALCULATION, 0.4, _markup),
    Topic("business", Kind.FACT, 0.3, terms.ABBREVIATIONS.draw),
    Topic("business", Kind.FACT, 0.4, terms.BUSINESS_TERMS.draw),
    Topic("philosophy", Kind.REASONING, 0.6, _syllogism),
    Topic("philosophy", Kind.REASONING, 0.7, _knights),
    Topic("philosophy", Kind.REASONING, 0.5, _argument_form),
    Topic("philosophy", Kind.FACT, 0.4, terms.PHILOSOPHERS.draw),
    Topic("philosophy", Kind.FACT, 0.4, terms.SCHOOLS_OF_THOUGHT.draw),
    Topic("philosophy", Kind.FACT, 0.5, terms.FALLACIES.draw),
    Topic("other", Kind.REASONING, 0.5, _weekday),
    Topic("other", Kind.CALCULATION, 0.7, _days_between),
    Topic("other", Kind.REASONING, 0.6, _letters),
    Topic("other", Kind.REASONING, 0.5, _time_zones),
    Topic("other", Kind.REASONING, 0.3, _alphabet),
    Topic("other", Kind.FACT, 0.2, facts.CAPITALS.draw),
    Topic("other", Kind.FACT, 0.3, facts.BOOKS.draw),
)
