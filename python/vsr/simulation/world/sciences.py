"""Questions whose answers are computed: mathematics, natural sciences, computers and engineering."""

from random import Random

from vsr.simulation.world import facts
from vsr.simulation.world.questions import Kind, Question, Topic, either, exact, multiple_choice, numeric

# Rounded to what school books use; the questions state them.
_MASSES = {"H": 1, "C": 12, "N": 14, "O": 16, "Na": 23, "S": 32, "Cl": 35.5, "Ca": 40}
_COMPOUNDS = {
    "water, H2O": {"H": 2, "O": 1},
    "carbon dioxide, CO2": {"C": 1, "O": 2},
    "methane, CH4": {"C": 1, "H": 4},
    "ammonia, NH3": {"N": 1, "H": 3},
    "sodium chloride, NaCl": {"Na": 1, "Cl": 1},
    "glucose, C6H12O6": {"C": 6, "H": 12, "O": 6},
    "ethanol, C2H6O": {"C": 2, "H": 6, "O": 1},
    "sulfuric acid, H2SO4": {"H": 2, "S": 1, "O": 4},
    "calcium carbonate, CaCO3": {"Ca": 1, "C": 1, "O": 3},
    "nitric acid, HNO3": {"H": 1, "N": 1, "O": 3},
    "sodium hydroxide, NaOH": {"Na": 1, "O": 1, "H": 1},
    "acetic acid, C2H4O2": {"C": 2, "H": 4, "O": 2},
}
_DNA_PAIRS = str.maketrans("ACGT", "TGCA")
_RNA_PAIRS = str.maketrans("ACGT", "UGCA")
_CROSSES = {("AA", "aa"): 100, ("Aa", "Aa"): 75, ("Aa", "aa"): 50, ("aa", "aa"): 0, ("AA", "Aa"): 100}
_TRAITS = ("purple flowers in peas", "round seeds in peas", "black fur in mice", "red petals in a garden flower")
_WORDS = ("gateway", "router", "python", "kernel", "benchmark", "vector", "cluster", "token", "matrix", "selector")


def _arithmetic(rng: Random) -> Question:
    a, b, c = rng.randint(12, 99), rng.randint(3, 30), rng.randint(10, 500)
    text, value = rng.choice(
        (
            (f"What is {a} times {b} plus {c}?", a * b + c),
            (f"Calculate {c} - {a} * {b}.", c - a * b),
            (f"Work out the product of {a} and {b}.", a * b),
            (f"Compute ({a} + {c}) * {b}.", (a + c) * b),
        )
    )
    return numeric(text, value)


def _percentage(rng: Random) -> Question:
    share, whole = rng.randint(1, 19) * 5, rng.randint(2, 90) * 20
    wording = rng.choice(("What is {}% of {}?", "How much is {} percent of {}?"))
    return numeric(wording.format(share, whole), share * whole / 100)


def _equation(rng: Random) -> Question:
    x, a, b = rng.randint(-12, 25), rng.randint(2, 15), rng.randint(1, 60)
    wording = rng.choice(("Solve for x: {}x + {} = {}", "Which number x satisfies the equation {}x + {} = {}?"))
    return numeric(wording.format(a, b, a * x + b), x)


def _divisor(rng: Random) -> Question:
    common, a, b = rng.randint(2, 24), *rng.choice(((3, 4), (5, 7), (4, 9), (2, 5), (7, 8), (5, 6), (8, 11)))
    return numeric(f"Find the greatest common divisor of the integers {common * a} and {common * b}.", common)


def _derivative(rng: Random) -> Question:
    a, b, c, x = rng.randint(2, 9), rng.randint(2, 9), rng.randint(1, 9), rng.randint(1, 6)
    wording = rng.choice(
        (
            "Let f(x) = {}x^3 + {}x^2 + {}x. What is the derivative f'({})?",
            "What is the slope of the curve y = {}x^3 + {}x^2 + {}x at x = {}?",
        )
    )
    return numeric(wording.format(a, b, c, x), 3 * a * x * x + 2 * b * x + c)


def _prime(rng: Random) -> Question:
    low = rng.randint(2, 40) * 10
    numbers = range(low, low + 30)
    primes = [n for n in numbers if all(n % divisor for divisor in range(2, n))]
    composites = [str(n) for n in numbers if n not in primes and n % 2]
    text = f"Which of these integers between {low} and {low + 30} is a prime number?"
    return multiple_choice(rng, text, str(rng.choice(primes)), composites)


def _rectangle(rng: Random) -> Question:
    a, b = rng.randint(3, 40), rng.randint(3, 40)
    return rng.choice(
        (
            numeric(f"A rectangle has sides of length {a} and {b}. What is its area?", a * b),
            numeric(f"A rectangle is {a} wide and {b} high. What is its perimeter?", 2 * (a + b)),
        )
    )


def _acceleration(rng: Random) -> Question:
    mass_kg, acceleration = rng.randint(2, 90), rng.randint(2, 12)
    text = f"A body of mass {mass_kg} kg accelerates at {acceleration} m/s^2. What force in newtons acts on it?"
    return numeric(text, mass_kg * acceleration)


def _kinetic_energy(rng: Random) -> Question:
    mass_kg, speed = rng.randint(1, 30) * 2, rng.randint(2, 20)
    text = f"What is the kinetic energy in joules of a {mass_kg} kg object that moves at {speed} m/s?"
    return numeric(text, mass_kg * speed * speed / 2)


def _speed_units(rng: Random) -> Question:
    metres_per_s = rng.randint(2, 60)
    return rng.choice(
        (
            numeric(f"A train travels at {metres_per_s * 3.6:g} km/h. What is its speed in m/s?", metres_per_s),
            numeric(f"Convert a velocity of {metres_per_s} m/s to km/h.", metres_per_s * 3.6),
        )
    )


def _wavelength(rng: Random) -> Question:
    length_m, frequency_hz = rng.randint(2, 40), rng.randint(3, 60)
    text = f"A wave of frequency {frequency_hz} Hz travels at {length_m * frequency_hz} m/s. "
    return numeric(text + "What is its wavelength in metres?", length_m)


def _molar_mass(rng: Random) -> Question:
    name, atoms = rng.choice(list(_COMPOUNDS.items()))
    moles = rng.randint(2, 9)
    masses = ", ".join(f"{element} = {_MASSES[element]:g}" for element in atoms)
    text = f"How many grams do {moles} mol of {name} weigh? Use the molar masses {masses} g/mol."
    return numeric(text, moles * sum(_MASSES[element] * count for element, count in atoms.items()))


def _atoms(rng: Random) -> Question:
    name, atoms = rng.choice(list(_COMPOUNDS.items()))
    molecules = rng.randint(2, 20)
    return numeric(f"How many atoms are there in {molecules} formula units of {name}?", molecules * sum(atoms.values()))


def _ph(rng: Random) -> Question:
    ph = rng.randint(1, 6)
    acid = rng.choice(("hydrochloric acid", "nitric acid", "hydrobromic acid", "perchloric acid"))
    text = f"What is the pH of {acid} solution with a hydrogen ion concentration of {10**-ph:.{ph}f} mol/L?"
    return numeric(text, ph)


def _dilution(rng: Random) -> Question:
    factor, volume_ml, concentration = rng.randint(2, 10), rng.randint(1, 20) * 10, rng.randint(1, 6)
    text = (
        f"A chemist dilutes {volume_ml} mL of a {factor * concentration} mol/L stock solution with water to "
        f"{volume_ml * factor} mL. What is the new concentration in mol/L?"
    )
    return numeric(text, concentration)


def _atomic_number(rng: Random) -> Question:
    element, protons = rng.choice(list(facts.ATOMIC_NUMBERS.items()))
    wording = rng.choice(("What is the atomic number of {}?", "How many protons does an atom of {} have?"))
    return numeric(wording.format(element), protons)


def _dna(rng: Random) -> Question:
    strand = "".join(rng.choices("ACGT", k=rng.randint(5, 9)))
    return rng.choice(
        (
            exact(f"Which bases pair with those of the DNA strand {strand}, in order?", strand.translate(_DNA_PAIRS)),
            exact(f"Transcribe the DNA template strand {strand} into mRNA bases.", strand.translate(_RNA_PAIRS)),
        )
    )


def _codons(rng: Random) -> Question:
    n_codons = rng.randint(10, 400)
    text = (
        f"The open reading frame of a gene has {3 * n_codons} bases, including the start codon and one stop codon. "
        "How many amino acids does the protein have when it is made?"
    )
    return numeric(text, n_codons - 1)


def _bacteria(rng: Random) -> Question:
    start, minutes, n_doublings = rng.randint(1, 30) * 10, rng.choice((15, 20, 30, 40)), rng.randint(2, 6)
    text = (
        f"A culture of {start} bacteria doubles every {minutes} minutes. "
        f"How many bacteria are there after {minutes * n_doublings} minutes?"
    )
    return numeric(text, start * 2**n_doublings)


def _cross(rng: Random) -> Question:
    parents, share = rng.choice(list(_CROSSES.items()))
    text = (
        f"The allele A for {rng.choice(_TRAITS)} is dominant. What percentage of the offspring of the cross "
        f"{parents[0]} x {parents[1]} is expected to show the dominant trait?"
    )
    return numeric(text, share)


def _binary(rng: Random) -> Question:
    value = rng.randint(17, 255)
    return rng.choice(
        (
            numeric(f"What is the binary number {value:b} in decimal?", value),
            numeric(f"Convert the hexadecimal number 0x{value:X} to decimal.", value),
            exact(f"Write the decimal number {value} in binary, without a prefix.", f"{value:b}"),
        )
    )


def _python(rng: Random) -> Question:
    word, n, m = rng.choice(_WORDS), rng.randint(2, 9), rng.randint(20, 99)
    return rng.choice(
        (
            numeric(f"What does the Python expression len('{word}') * {n} evaluate to?", len(word) * n),
            numeric(f"In Python, what is sum(range({m}))?", sum(range(m))),
            numeric(f"What does print({m} // {n} + {m} % {n}) write in Python 3?", m // n + m % n),
            exact(f"What string does the Python slice '{word}'[::-1] give?", word[::-1]),
        )
    )


def _boolean(rng: Random) -> Question:
    a, b, c = (rng.random() < 0.5 for _ in range(3))
    expression, value = rng.choice(
        (
            ("a and (b or not c)", a and (b or not c)),
            ("not (a and b) or c", not (a and b) or c),
            ("(a or b) and not c", (a or b) and not c),
            ("a != (b and c)", a != (b and c)),
        )
    )
    return either(
        f"With a = {a}, b = {b}, c = {c}, what is the value of the boolean expression {expression}?",
        value,
        ("True", "False"),
    )


def _bits(rng: Random) -> Question:
    prefix, n = rng.randint(20, 30), rng.randint(2, 64)
    return rng.choice(
        (
            numeric(f"How many addresses does an IPv4 subnet with the prefix /{prefix} contain?", 2 ** (32 - prefix)),
            numeric(f"How many bytes are {n} KiB?", n * 1024),
            numeric(f"How many different values can an unsigned integer of {n % 15 + 2} bits hold?", 2 ** (n % 15 + 2)),
        )
    )


def _port(rng: Random) -> Question:
    protocol, port = rng.choice(list(facts.PORTS.items()))
    return numeric(f"On which port does a server listen for {protocol} by default?", port)


def _gears(rng: Random) -> Question:
    teeth, ratio, speed = rng.randint(8, 30), rng.randint(2, 6), rng.randint(2, 30) * 60
    text = (
        f"A gear with {teeth} teeth turns at {speed} rpm and drives a gear with {teeth * ratio} teeth. "
        "At how many rpm does the driven gear turn?"
    )
    return numeric(text, speed / ratio)


def _resistors(rng: Random) -> Question:
    ohm, n = rng.randint(2, 40) * 60, rng.randint(2, 6)
    return rng.choice(
        (
            numeric(f"What is the resistance in ohms of {n} resistors of {ohm} ohms in parallel?", ohm / n),
            numeric(f"{n} resistors of {ohm} ohms each are connected in series. How many ohms in total?", n * ohm),
        )
    )


def _torque(rng: Random) -> Question:
    force_n, arm_cm = rng.randint(2, 40) * 10, rng.randint(2, 20) * 10
    text = f"A force of {force_n} N pulls at right angles on a lever of {arm_cm} cm. What is the torque in N m?"
    return numeric(text, force_n * arm_cm / 100)


def _stress(rng: Random) -> Question:
    area_mm2, stress_mpa = rng.randint(2, 40) * 10, rng.randint(5, 120)
    text = (
        f"A steel bar with a cross-section of {area_mm2} mm^2 carries a tensile load of {area_mm2 * stress_mpa} N. "
        "What is the stress in MPa (N/mm^2)?"
    )
    return numeric(text, stress_mpa)


def _efficiency(rng: Random) -> Question:
    input_w, percent = rng.randint(2, 50) * 100, rng.randint(10, 19) * 5
    text = f"A motor draws {input_w} W of electrical power and delivers {input_w * percent // 100} W at its shaft. "
    return numeric(text + "What is its efficiency in percent?", percent)


TOPICS = (
    Topic("math", Kind.CALCULATION, 0.3, _arithmetic),
    Topic("math", Kind.CALCULATION, 0.3, _percentage),
    Topic("math", Kind.CALCULATION, 0.4, _equation),
    Topic("math", Kind.CALCULATION, 0.5, _divisor),
    Topic("math", Kind.CALCULATION, 0.7, _derivative),
    Topic("math", Kind.REASONING, 0.6, _prime),
    Topic("math", Kind.CALCULATION, 0.2, _rectangle),
    Topic("physics", Kind.CALCULATION, 0.4, _acceleration),
    Topic("physics", Kind.CALCULATION, 0.6, _kinetic_energy),
    Topic("physics", Kind.CALCULATION, 0.5, _speed_units),
    Topic("physics", Kind.CALCULATION, 0.5, _wavelength),
    Topic("physics", Kind.FACT, 0.4, facts.SI_UNITS.draw),
    Topic("chemistry", Kind.CALCULATION, 0.6, _molar_mass),
    Topic("chemistry", Kind.CALCULATION, 0.4, _atoms),
    Topic("chemistry", Kind.CALCULATION, 0.5, _ph),
    Topic("chemistry", Kind.CALCULATION, 0.6, _dilution),
    Topic("chemistry", Kind.FACT, 0.3, _atomic_number),
    Topic("chemistry", Kind.FACT, 0.3, facts.ELEMENT_SYMBOLS.draw),
    Topic("biology", Kind.REASONING, 0.6, _dna),
    Topic("biology", Kind.CALCULATION, 0.7, _codons),
    Topic("biology", Kind.CALCULATION, 0.5, _bacteria),
    Topic("biology", Kind.REASONING, 0.5, _cross),
    Topic("biology", Kind.FACT, 0.3, facts.ORGANS.draw),
    Topic("biology", Kind.FACT, 0.5, facts.ORGANELLES.draw),
    Topic("biology", Kind.FACT, 0.3, facts.ANIMAL_CLASSES.draw),
    Topic("computer_science", Kind.CALCULATION, 0.5, _binary),
    Topic("computer_science", Kind.REASONING, 0.5, _python),
    Topic("computer_science", Kind.REASONING, 0.5, _boolean),
    Topic("computer_science", Kind.CALCULATION, 0.6, _bits),
    Topic("computer_science", Kind.FACT, 0.4, _port),
    Topic("computer_science", Kind.FACT, 0.4, facts.DATA_STRUCTURES.draw),
    Topic("computer_science", Kind.FACT, 0.5, facts.COMPLEXITIES.draw),
    Topic("engineering", Kind.CALCULATION, 0.5, _gears),
    Topic("engineering", Kind.CALCULATION, 0.5, _resistors),
    Topic("engineering", Kind.CALCULATION, 0.5, _torque),
    Topic("engineering", Kind.CALCULATION, 0.5, _stress),
    Topic("engineering", Kind.CALCULATION, 0.4, _efficiency),
    Topic("engineering", Kind.FACT, 0.4, facts.COMPONENTS.draw),
    Topic("engineering", Kind.FACT, 0.4, facts.INSTRUMENTS.draw),
    Topic("engineering", Kind.FACT, 0.3, facts.ALLOYS.draw),
)
