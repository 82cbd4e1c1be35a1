"""The simulated LLMs of the demo: what each is good at, how fast and how dear it is, and what it answers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random

from vsr.data.prompts import option_label
from vsr.simulation.world.questions import DemoQuery, Kind, number

_DIFFICULTY_LOGITS = 3.0  # how much the whole range of difficulty moves the log-odds of a right answer
_TOKENS_PER_WORD = 1.4
_JITTER = 0.15  # standard deviation of the logarithm of the latency


@dataclass(frozen=True)
class SimulatedModel:
    """An LLM that only exists in the demo.

    Attributes:
        name: how the gateway calls it.
        base_skill: chance of a right answer to a query of middling difficulty, in (0, 1).
        category_skills: the same for the categories where it differs.
        kind_logits: what a kind of query adds to the log-odds of a right answer.
        first_token_s: seconds before it begins to answer.
        tokens_per_s: speed from then on.
        words: how many words it writes around its answer.
        prompt_per_1m: USD for a million tokens of prompt.
        completion_per_1m: USD for a million tokens of answer.
    """

    name: str
    base_skill: float
    category_skills: Mapping[str, float] = field(default_factory=dict)
    kind_logits: Mapping[Kind, float] = field(default_factory=dict)
    first_token_s: float = 0.2
    tokens_per_s: float = 80.0
    words: int = 30
    prompt_per_1m: float = 0.1
    completion_per_1m: float = 0.1

    def skill(self, category: str, kind: Kind, difficulty: float) -> float:
        """Give the chance of a right answer.

        Args:
            category: one of `vsr.data.categories.CATEGORIES`.
            kind: what it takes to answer.
            difficulty: from 0 (easy) to 1 (hard).
        """
        chance = self.category_skills.get(category, self.base_skill)
        logit = math.log(chance / (1.0 - chance)) + self.kind_logits.get(kind, 0.0)
        return 1.0 / (1.0 + math.exp(_DIFFICULTY_LOGITS * (difficulty - 0.5) - logit))


@dataclass(frozen=True)
class SimulatedAnswer:
    """What a simulated LLM gives back.

    Attributes:
        text: the response.
        is_right: whether it commits to the right answer.
        latency_s: seconds until its last token.
        input_tokens: length of the prompt.
        output_tokens: length of the response.
        cost_usd: price of both.
    """

    text: str
    is_right: bool
    latency_s: float
    input_tokens: int
    output_tokens: int
    cost_usd: float


# One that is good at everything and slow, one that is quick and weak, and three that beat the first on their own field:
# the chance lies between categories (which a table can use) and between kinds of query within them (which it cannot).
SIMULATED_MODELS = (
    SimulatedModel(
        "sim-large-70b",
        base_skill=0.76,
        first_token_s=0.9,
        tokens_per_s=28.0,
        words=45,
        prompt_per_1m=0.9,
        completion_per_1m=0.9,
    ),
    SimulatedModel(
        "sim-small-1b",
        base_skill=0.42,
        kind_logits={Kind.FACT: 0.4, Kind.REASONING: -0.4},
        first_token_s=0.05,
        tokens_per_s=220.0,
        words=15,
        prompt_per_1m=0.04,
        completion_per_1m=0.04,
    ),
    SimulatedModel(
        "sim-maths-8b",
        base_skill=0.45,
        category_skills={"math": 0.85, "physics": 0.75, "engineering": 0.75, "computer_science": 0.8},
        kind_logits={Kind.CALCULATION: 2.4, Kind.FACT: -1.0},
        words=35,
    ),
    SimulatedModel(
        "sim-medic-8b",
        base_skill=0.38,
        category_skills={"health": 0.88, "biology": 0.90, "chemistry": 0.84, "psychology": 0.78},
        kind_logits={Kind.FACT: 0.6, Kind.CALCULATION: -1.0},
    ),
    SimulatedModel(
        "sim-scholar-8b",
        base_skill=0.50,
        category_skills={"history": 0.80, "law": 0.78, "philosophy": 0.88, "other": 0.80, "psychology": 0.70},
        kind_logits={Kind.FACT: 2.2, Kind.CALCULATION: -2.0},
    ),
)


def answer(model: SimulatedModel, query: DemoQuery, seed: int = 0) -> SimulatedAnswer:
    """Let a simulated LLM answer a query: the same three arguments give the same answer, in any order of calls."""
    key = f"{seed}\n{model.name}\n{query.prompt}"
    rng = Random(int.from_bytes(blake2b(key.encode(), digest_size=8).digest()))  # noqa: S311 (a demo, no secret)
    is_right = rng.random() < model.skill(query.category, query.kind, query.difficulty)
    text = _response(rng, query, is_right, model.words)
    input_tokens, output_tokens = n_tokens(query.prompt), n_tokens(text)
    return SimulatedAnswer(
        text=text,
        is_right=is_right,
        latency_s=(model.first_token_s + output_tokens / model.tokens_per_s) * math.exp(rng.gauss(0.0, _JITTER)),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=(input_tokens * model.prompt_per_1m + output_tokens * model.completion_per_1m) / 1e6,
    )


def n_tokens(text: str) -> int:
    """Estimate how many tokens a text has."""
    return math.ceil(_TOKENS_PER_WORD * len(text.split()))


_THOUGHTS = (
    "Let me look at the question step by step.",
    "First I note what is given and what is asked for.",
    "The wording leaves little room for another reading.",
    "I go through the details before I commit to a result.",
    "Similar questions are solved in the same way.",
    "I have checked this against what I know.",
    "Nothing else in the text changes that.",
)


_WORDS_PER_THOUGHT = 9


def _response(rng: Random, query: DemoQuery, is_right: bool, words: int) -> str:
    question = query.question
    if question.metric == "exact_match":
        return question.answer if is_right else _wrong_text(rng, question.answer)
    n_thoughts = round(rng.uniform(0.5, 1.5) * words / _WORDS_PER_THOUGHT)
    thoughts = rng.sample(_THOUGHTS, min(n_thoughts, len(_THOUGHTS)))
    if question.choices:
        letters = [option_label(index) for index in range(len(question.choices))]
        letter = question.answer if is_right else rng.choice([each for each in letters if each != question.answer])
        wording = rng.choice(("The answer is ({0}).", "The answer is {0}) {1}", "Therefore **{0}** is correct."))
        committed = wording.format(letter, question.choices[letters.index(letter)])
    else:
        value = question.answer if is_right else _wrong_number(rng, float(question.answer))
        committed = rng.choice(("The answer is {}.", "#### {}", "So we get \\boxed{{{}}}.")).format(value)
    return "\n".join((" ".join(thoughts), committed)) if thoughts else committed


def _wrong_number(rng: Random, right: float) -> str:
    # Whole steps away, never a hundred times as much: 0.5 and 50 are equal to a scorer that sees a percentage.
    shift = rng.choice((-10, -5, -2, -1, 1, 2, 3, 7, 10, 20))
    return number(right + shift)


def _wrong_text(rng: Random, right: str) -> str:
    """Exchange two different neighbours, or repeat a letter where all are equal."""
    places = [place for place in range(len(right) - 1) if right[place] != right[place + 1]]
    if not places:
        return right + right[-1]
    place = rng.choice(places)
    return right[:place] + right[place + 1] + right[place] + right[place + 2 :]
