"""What a query of the demo is: a text with a known answer, and how hard it is for whom."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from vsr.data.prompts import option_label, render_prompt

TASK_NAME = "demo"
N_CHOICES = 4


class Kind(StrEnum):
    """What it takes to answer; LLMs are good at one and bad at another."""

    CALCULATION = "calculation"
    FACT = "fact"
    REASONING = "reasoning"


@dataclass(frozen=True)
class Question:
    """A text and its answer.

    Attributes:
        text: the question.
        answer: the right answer as it is scored: a number, a text, or the letter of the right choice.
        metric: name of the scoring rule.
        choices: the options, empty unless the metric is `em_mc`.
    """

    text: str
    answer: str
    metric: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topic:
    """One sort of question, of which many can be drawn.

    Attributes:
        category: one of `vsr.data.categories.CATEGORIES`.
        kind: what it takes to answer.
        difficulty: from 0 (easy) to 1 (hard).
        draw: makes a question.
    """

    category: str
    kind: Kind
    difficulty: float
    draw: Callable[[Random], Question]


@dataclass(frozen=True)
class DemoQuery:
    """A query of the demo, with what a simulated LLM needs to be right or wrong about it.

    Attributes:
        question: text, answer and choices.
        category: one of `vsr.data.categories.CATEGORIES`.
        kind: what it takes to answer.
        difficulty: from 0 (easy) to 1 (hard), for every LLM alike.
    """

    question: Question
    category: str
    kind: Kind
    difficulty: float

    @property
    def prompt(self) -> str:
        """What an LLM is asked: the text and its choices."""
        return render_prompt(self.question.text, self.question.choices)

    def to_json(self) -> dict[str, object]:
        """Give the fields of a line of a query file."""
        fields: dict[str, object] = {
            "task_name": TASK_NAME,
            "query": self.question.text,
            "category": self.category,
            "ground_truth": self.question.answer,
            "metric": self.question.metric,
        }
        return fields | {"choices": list(self.question.choices)} if self.question.choices else fields


def number(value: float) -> str:
    """Write a number without needless digits: 3, 0.25."""
    return f"{value:.10g}"


def numeric(text: str, value: float) -> Question:
    """Make a question whose answer is a number."""
    return Question(text, number(value), "numeric")


def exact(text: str, answer: str) -> Question:
    """Make a question whose answer is one text."""
    return Question(text, answer, "exact_match")


def multiple_choice(rng: Random, text: str, right: str, wrong: Sequence[str]) -> Question:
    """Make a multiple-choice question of the right answer and up to three of the wrong ones, in random order.

    Args:
        rng: draws the wrong answers and the order.
        text: the question.
        right: the right answer.
        wrong: wrong answers; repetitions and the right one itself are left out.
    """
    others = sorted(set(wrong) - {right})
    options = [right, *rng.sample(others, min(N_CHOICES - 1, len(others)))]
    rng.shuffle(options)
    return Question(text, option_label(options.index(right)), "em_mc", tuple(options))


def either(text: str, is_first: bool, options: tuple[str, str]) -> Question:
    """Make a question with two answers in a fixed order, of which the first or the second is right."""
    return Question(text, "A" if is_first else "B", "em_mc", options)
