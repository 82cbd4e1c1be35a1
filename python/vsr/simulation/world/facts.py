"""Small facts that nobody disputes, as tables: a question about a subject, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from vsr.simulation.world.questions import Question, multiple_choice


@dataclass(frozen=True)
class Facts:
    """A table of facts that makes multiple-choice questions; the wrong choices are other answers of the table.

    Attributes:
        ask: wordings of the question, with `{}` for the subject.
        answers: the answer to each subject.
        ask_back: wordings with `{}` for the answer, where each answer has only one subject.
    """

    ask: tuple[str, ...]
    answers: Mapping[str, str]
    ask_back: tuple[str, ...] = ()

    def draw(self, rng: Random) -> Question:
        """Ask about one line of the table."""
        subject = rng.choice(list(self.answers))
        answer = self.answers[subject]
        wording = rng.choice(self.ask + self.ask_back)
        if wording in self.ask_back:
            return multiple_choice(rng, wording.format(answer), subject, list(self.answers))
        return multiple_choice(rng, wording.format(subject), answer, list(self.answers.values()))


SI_UNITS = Facts(
    ("What is the SI unit of {}?", "In which SI unit does a physicist measure {}?"),
    {
        "force": "newton",
        "energy": "joule",
        "power": "watt",
        "pressure": "pascal",
        "electric charge": "coulomb",
        "electric potential difference": "volt",
        "electrical resistance": "ohm",
        "capacitance": "farad",
        "inductance": "henry",
        "magnetic flux": "weber",
        "magnetic flux density": "tesla",
        "frequency": "hertz",
        "luminous flux": "lumen",
        "illuminance": "lux",
        "radioactive activity": "becquerel",
        "electrical conductance": "siemens",
    },
    ("Which physical quantity is measured in the unit {}?",),
)

ELEMENT_SYMBOLS = Facts(
    ("What is the chemical symbol of {}?", "How is the element {} abbreviated in the periodic table?"),
    {
        "sodium": "Na",
        "potassium": "K",
        "iron": "Fe",
        "lead": "Pb",
        "gold": "Au",
        "silver": "Ag",
        "tin": "Sn",
        "tungsten": "W",
        "mercury": "Hg",
        "copper": "Cu",
        "antimony": "Sb",
        "calcium": "Ca",
        "chlorine": "Cl",
        "zinc": "Zn",
        "magnesium": "Mg",
        "manganese": "Mn",
        "phosphorus": "P",
        "sulfur": "S",
        "silicon": "Si",
        "nickel": "Ni",
    },
    ("Which chemical element has the symbol {}?",),
)

ATOMIC_NUMBERS: Mapping[str, int] = {
    "hydrogen": 1,
    "helium": 2,
    "lithium": 3,
    "carbon": 6,
    "nitrogen": 7,
    "oxygen": 8,
    "fluorine": 9,
    "neon": 10,
    "sodium": 11,
    "magnesium": 12,
    "aluminium": 13,
    "silicon": 14,
    "phosphorus": 15,
    "sulfur": 16,
    "chlorine": 17,
    "argon": 18,
    "potassium": 19,
    "calcium": 20,
    "iron": 26,
    "copper": 29,
    "zinc": 30,
    "silver": 47,
    "tin": 50,
    "gold": 79,
    "mercury": 80,
    "lead": 82,
    "uranium": 92,
}

ORGANS = Facts(
    ("Which organ of the human body {}?", "Name the human organ that {}."),
    {
        "produces insulin": "pancreas",
        "stores bile": "gallbladder",
        "filters the blood to make urine": "kidney",
        "makes bile": "liver",
        "pumps blood through the body": "heart",
        "exchanges oxygen and carbon dioxide with the air": "lung",
        "absorbs most nutrients from food": "small intestine",
        "stores urine": "bladder",
        "holds the retina": "eye",
        "contains the cochlea": "ear",
    },
)

ORGANELLES = Facts(
    ("Which part of a cell {}?", "In cell biology, which structure {}?"),
    {
        "makes most of the ATP": "mitochondrion",
        "builds proteins from amino acids": "ribosome",
        "carries out photosynthesis": "chloroplast",
        "holds most of the DNA of an animal cell": "nucleus",
        "packages and ships proteins": "Golgi apparatus",
        "breaks down waste with digestive enzymes": "lysosome",
        "gives a plant cell its rigid shape": "cell wall",
    },
)

ANIMAL_CLASSES = Facts(
    ("To which group of animals does the {} belong?", "A zoologist classifies the {} as which kind of animal?"),
    {
        "dolphin": "mammal",
        "bat": "mammal",
        "platypus": "mammal",
        "penguin": "bird",
        "ostrich": "bird",
        "kiwi": "bird",
        "frog": "amphibian",
        "salamander": "amphibian",
        "newt": "amphibian",
        "salmon": "fish",
        "seahorse": "fish",
        "eel": "fish",
        "crocodile": "reptile",
        "turtle": "reptile",
        "gecko": "reptile",
        "scorpion": "arachnid",
        "tick": "arachnid",
        "butterfly": "insect",
        "beetle": "insect",
        "lobster": "crustacean",
        "shrimp": "crustacean",
    },
)

DATA_STRUCTURES = Facts(
    ("Which data structure {}?", "In programming, which data structure {}?"),
    {
        "gives back the item that was put in last": "stack",
        "gives back the item that was put in first": "queue",
        "finds a value by its key in constant time on average": "hash table",
        "always gives back the smallest item first": "priority queue",
        "stores a pointer to the next item in every item": "linked list",
        "keeps at most two children per node": "binary tree",
        "stores items in adjacent memory and finds one by its index": "array",
    },
)

COMPLEXITIES = Facts(
    ("What is the worst-case running time of {} on n items?", "How does the worst-case cost of {} grow with n?"),
    {
        "binary search in a sorted array": "O(log n)",
        "linear search in an unsorted array": "O(n)",
        "merge sort": "O(n log n)",
        "heapsort": "O(n log n)",
        "bubble sort": "O(n^2)",
        "insertion sort": "O(n^2)",
        "reading an array element by its index": "O(1)",
        "pushing onto a linked stack": "O(1)",
    },
)

PORTS: Mapping[str, int] = {"HTTP": 80, "HTTPS": 443, "SSH": 22, "DNS": 53, "SMTP": 25, "POP3": 110, "IMAP": 143}

COMPONENTS = Facts(
    ("Which device {}?", "An engineer needs a device that {}. Which one is it?"),
    {
        "turns mechanical energy into electrical energy": "generator",
        "changes an AC voltage to another AC voltage": "transformer",
        "turns alternating current into direct current": "rectifier",
        "turns direct current into alternating current": "inverter",
        "stores electric charge": "capacitor",
        "lets current pass in one direction only": "diode",
        "melts to protect a circuit from too much current": "fuse",
        "stores energy in its rotation": "flywheel",
        "moves heat from one fluid to another without mixing them": "heat exchanger",
    },
)

INSTRUMENTS = Facts(
    ("Which instrument measures {}?", "On a test bench, with which instrument is {} measured?"),
    {
        "rotational speed": "tachometer",
        "wind speed": "anemometer",
        "air pressure": "barometer",
        "electric current": "ammeter",
        "voltage": "voltmeter",
        "electrical resistance": "ohmmeter",
        "mechanical strain": "strain gauge",
        "humidity": "hygrometer",
        "temperature": "thermocouple",
        "the waveform of a signal": "oscilloscope",
    },
    ("What does an engineer measure with this instrument: {}?",),
)

ALLOYS = Facts(
    ("Which alloy is made mainly of {}?", "Which material results from alloying {}?"),
    {
        "copper and tin": "bronze",
        "copper and zinc": "brass",
        "iron and carbon": "steel",
        "mercury and silver": "amalgam",
    },
)

HISTORICAL_EVENTS: Mapping[str, int] = {
    "the Battle of Hastings": 1066,
    "the sealing of Magna Carta": 1215,
    "the fall of Constantinople": 1453,
    "the first voyage of Columbus to the Americas": 1492,
    "the publication of Luther's 95 theses": 1517,
    "the defeat of the Spanish Armada": 1588,
    "the Great Fire of London": 1666,
    "the Lisbon earthquake": 1755,
    "the Boston Tea Party": 1773,
    "the American Declaration of Independence": 1776,
    "the storming of the Bastille": 1789,
    "the Battle of Trafalgar": 1805,
    "the Battle of Waterloo": 1815,
    "the opening of the Suez Canal": 1869,
    "the eruption of Krakatoa": 1883,
    "the opening of the Eiffel Tower": 1889,
    "the first modern Olympic Games": 1896,
    "the Wright brothers' first powered flight": 1903,
    "the San Francisco earthquake": 1906,
    "the sinking of the Titanic": 1912,
    "the opening of the Panama Canal": 1914,
    "the October Revolution in Russia": 1917,
    "the Treaty of Versailles": 1919,
    "the discovery of Tutankhamun's tomb": 1922,
    "the discovery of penicillin by Fleming": 1928,
    "the Wall Street Crash": 1929,
    "the attack on Pearl Harbor": 1941,
    "the founding of the United Nations": 1945,
    "the independence of India": 1947,
    "the launch of Sputnik 1": 1957,
    "the first human space flight by Gagarin": 1961,
    "the assassination of John F. Kennedy": 1963,
    "the first landing of humans on the Moon": 1969,
    "the Chernobyl disaster": 1986,
    "the fall of the Berlin Wall": 1989,
    "the reunification of Germany": 1990,
    "the dissolution of the Soviet Union": 1991,
}

HISTORICAL_PEOPLE = Facts(
    ("Who {}?", "Which historical figure {}?"),
    {
        "was the first president of the United States": "George Washington",
        "crowned himself Emperor of the French in 1804": "Napoleon Bonaparte",
        "led the Indian Salt March of 1930": "Mahatma Gandhi",
        "was the first person to walk on the Moon": "Neil Armstrong",
        "was Queen of England when the Spanish Armada sailed": "Elizabeth I",
        "led a Carthaginian army with elephants over the Alps": "Hannibal",
        "conquered the Persian Empire as King of Macedon": "Alexander the Great",
        "painted the ceiling of the Sistine Chapel": "Michelangelo",
        "travelled from Venice to the court of Kublai Khan": "Marco Polo",
        "ruled Egypt and was an ally of Mark Antony": "Cleopatra",
        "was burnt at the stake in Rouen in 1431": "Joan of Arc",
        "founded the Mongol Empire in 1206": "Genghis Khan",
        "was president of the United States during most of its Civil War": "Abraham Lincoln",
        "led the Bolsheviks in the October Revolution": "Vladimir Lenin",
        "was the first Roman emperor": "Augustus",
    },
)

CAPITALS = Facts(
    ("What is the capital of {}?", "Which city is the seat of government and capital of {}?"),
    {
        "France": "Paris",
        "Germany": "Berlin",
        "Italy": "Rome",
        "Spain": "Madrid",
        "Portugal": "Lisbon",
        "Austria": "Vienna",
        "Poland": "Warsaw",
        "Hungary": "Budapest",
        "Greece": "Athens",
        "Norway": "Oslo",
        "Sweden": "Stockholm",
        "Denmark": "Copenhagen",
        "Finland": "Helsinki",
        "Ireland": "Dublin",
        "Iceland": "Reykjavik",
        "Canada": "Ottawa",
        "Australia": "Canberra",
        "New Zealand": "Wellington",
        "Japan": "Tokyo",
        "South Korea": "Seoul",
        "Thailand": "Bangkok",
        "Vietnam": "Hanoi",
        "Egypt": "Cairo",
        "Kenya": "Nairobi",
        "Morocco": "Rabat",
        "Ghana": "Accra",
        "Peru": "Lima",
        "Argentina": "Buenos Aires",
        "Cuba": "Havana",
        "Turkey": "Ankara",
        "Iraq": "Baghdad",
    },
    ("Of which country is {} the capital?",),
)

BOOKS = Facts(
    ("Who wrote {}?", "Which author is known for {}?"),
    {
        "Hamlet": "William Shakespeare",
        "Don Quixote": "Miguel de Cervantes",
        "War and Peace": "Leo Tolstoy",
        "Crime and Punishment": "Fyodor Dostoevsky",
        "Pride and Prejudice": "Jane Austen",
        "Moby-Dick": "Herman Melville",
        "the Divine Comedy": "Dante Alighieri",
        "Les Misérables": "Victor Hugo",
        "Faust": "Johann Wolfgang von Goethe",
        "One Hundred Years of Solitude": "Gabriel García Márquez",
        "Nineteen Eighty-Four": "George Orwell",
        "Ulysses": "James Joyce",
        "The Trial": "Franz Kafka",
        "Frankenstein": "Mary Shelley",
        "Great Expectations": "Charles Dickens",
        "Jane Eyre": "Charlotte Brontë",
    },
    ("Which of these books is by {}?",),
)
