"""What an output already holds of a plan: calls that are done, calls that failed, and records that no longer belong."""

import os
from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from vsr.asking.budget import MOST_TOKENS, MOST_USD
from vsr.asking.journal import Journal
from vsr.benchmark.plan import Plan, Question
from vsr.data.prompts import RawChoices
from vsr.data.records import render_prompt, unique_key

OPENING = b'{"task_name":'
"""How every record begins that a run writes."""

# Numbers in records that are there: within limits, so that no sum overflows and a line that is beyond them is named.
Cost = Annotated[float, Meta(ge=0, le=MOST_USD)]
Seconds = Annotated[float, Meta(ge=0, le=1e8)]
Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]
Place = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Line(msgspec.Struct, frozen=True, gc=False):
    """What a run has to know of a record that it finds; responses are not kept.

    Attributes:
        query: the query's text.
        model_name: the LLM.
        call_id: the key of the call; None for records from elsewhere.
        error: why the call failed, if it did.
        error_kind: the same in one word.
        choices: the options of the query.
        cost: USD.
        response_time: seconds.
        output_tokens: length of the answer.
        embedding_id: groups the records of one query.
        ground_truth: what the answer was scored against.
        performance: the score it got.
        unscored: whether that is a filler.
        unparsed: whether it is 0 since the response commits to no answer.
        messages: the conversation that was asked, in the place of the query.
        draw: which of several answers it is; None for the first.
    """

    model_name: str
    query: str = ""
    call_id: str | None = None
    error: str | None = None
    error_kind: str | None = None
    choices: RawChoices = None
    cost: Cost | None = None
    response_time: Seconds | None = None
    output_tokens: Tokens | None = None
    embedding_id: Place | str | None = None
    ground_truth: str | int | float | None = None
    performance: Share | None = None
    unscored: bool | None = None
    unparsed: bool | None = None
    messages: list[dict[str, Any]] | None = None
    draw: Place | None = None

    def score_into(self, measured: "Measured") -> None:
        """Add the quality of an answer to the sums of its model."""
        measured.n_unscored += bool(self.unscored)
        measured.n_unparsed += bool(self.unparsed)
        if self.performance is not None and not self.unscored:
            measured.quality += self.performance
            measured.n_scored += 1


def open_output(path: str | os.PathLike[str], *, is_read_only: bool = False) -> Journal[Line]:
    """Open the records of a run as a journal.

    Raises:
        BenchmarkError: It cannot be written, is no file of records, or another run has it open.
    """
    return Journal(path, Line, OPENING, is_read_only=is_read_only)


class State(IntEnum):
    """What has become of a call."""

    MISSING = 0
    DONE = 1
    FAILED = 2
    LEFT_OUT = 3


@dataclass
class Measured:
    """Sums over the answered calls of one model, for estimates and reports."""

    n_answers: int = 0
    latency_s: float = 0.0
    output_tokens: int = 0
    cost_usd: float = 0.0
    quality: float = 0.0
    n_scored: int = 0
    n_unparsed: int = 0
    n_unscored: int = 0

    @property
    def mean_latency_s(self) -> float | None:
        """Mean seconds of a call."""
        return self.latency_s / self.n_answers if self.n_answers else None

    @property
    def mean_quality(self) -> float | None:
        """Mean quality of the scored answers."""
        return self.quality / self.n_scored if self.n_scored else None

    def plus(self, other: "Measured") -> "Measured":
        """Return the sums over both."""
        return Measured(
            self.n_answers + other.n_answers,
            self.latency_s + other.latency_s,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.quality + other.quality,
            self.n_scored + other.n_scored,
            self.n_unparsed + other.n_unparsed,
            self.n_unscored + other.n_unscored,
        )


@dataclass
class OutputSummary:
    """The part of a plan that an output already holds.

    Attributes:
        states: one `State` per question, by model.
        n_in_file: unique queries in the query file.
        failures: failed calls by model and kind.
        measured: sums by model.
        embedding_ids: the number that groups the records of each question, -1 where there is none yet.
        taken_ids: which of the numbers below `n_in_file` are in use.
        largest_id: the largest number in use.
        cost_usd: what all records of the plan's models have cost.
        n_repeated: records whose call stands in the file before; the later one goes.
        n_superseded: records of the plan's queries and models under other settings.
        n_foreign: records of the plan's queries and models that do not say how they were made.
        n_others: records of other queries or models.
        n_other_truths: records whose ground truth is not the query file's.
    """

    states: dict[str, bytearray]
    n_in_file: int
    failures: dict[str, Counter[str]] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    embedding_ids: "array[int]" = field(default_factory=lambda: array("q"))
    taken_ids: bytearray = field(default_factory=bytearray)
    largest_id: int = -1
    cost_usd: float = 0.0
    n_repeated: int = 0
    n_superseded: int = 0
    n_foreign: int = 0
    n_others: int = 0
    n_other_truths: int = 0

    @property
    def n_done(self) -> int:
        """Calls of the plan that need not be asked: answered, or failed and left so."""
        return sum(map(self.n_done_of, self.states))

    def n_done_of(self, model: str) -> int:
        """Calls of one model that need not be asked."""
        return self.states[model].count(State.DONE) + self.states[model].count(State.FAILED)

    def missing(self, model: str) -> list[int]:
        """Return the questions that a model is still to be asked."""
        return [index for index, state in enumerate(self.states[model]) if state == State.MISSING]

    def embedding_id(self, index: int, question: Question) -> int:
        """Return the number of a query: the one it has in the file, else its place, else the next that is free."""
        index -= question.draw - 1  # all draws of a query have the number of the first
        number = self.embedding_ids[index]
        if number < 0:
            number = question.place if not self.taken_ids[question.place] else max(self.n_in_file, self.largest_id + 1)
            self.note_id(number, index)
        return number

    def note_id(self, number: int, index: int | None) -> None:
        """Take note of a number in use, and of the question that bears it where that is one of the plan."""
        if index is not None and self.embedding_ids[index] < 0:
            self.embedding_ids[index] = number
        if 0 <= number < self.n_in_file:
            self.taken_ids[number] = 1
        self.largest_id = max(self.largest_id, number)

    def ask_failed_again(self) -> None:
        """Count failed calls as missing."""
        for name, states in self.states.items():
            self.states[name] = states.replace(bytes([State.FAILED]), bytes([State.MISSING]))
            self.failures[name].clear()

    @property
    def n_failed(self) -> int:
        """Calls of the plan that failed."""
        return sum(states.count(State.FAILED) for states in self.states.values())


class _Matcher:
    """Looks at each line of an output once and says what it is."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._models = {model.name: model for model in plan.models}
        self._questions = {(question.key, question.draw): index for index, question in enumerate(plan.questions)}

    def place(self, line: Line) -> tuple[str, int | None]:
        """Return what a line is (`call`, `superseded`, `foreign`, `other`) and which question it answers."""
        model = self._models.get(line.model_name)
        key = unique_key(render_prompt(line.query, line.choices, line.messages))
        index = self._questions.get((key, line.draw or 1))
        if model is None or index is None:
            return "other", self._questions.get((key, 1)) if index is None else index
        if line.call_id is None:
            return "foreign", index
        return "call" if line.call_id == self._plan.call_id(model, self._plan.questions[index]) else "superseded", index


def nothing_yet(plan: Plan) -> OutputSummary:
    """Return what a new output holds of a plan."""
    states = {model.name: bytearray(len(plan.questions)) for model in plan.models}
    for name, places in plan.left_out.items():
        for place in places:
            states[name][place] = State.LEFT_OUT
    return OutputSummary(
        states=states,
        n_in_file=plan.n_in_file,
        embedding_ids=array("q", [-1]) * len(plan.questions),
        taken_ids=bytearray(plan.n_in_file),
        failures={model.name: Counter() for model in plan.models},
        measured={model.name: Measured() for model in plan.models},
    )


def summarise_output(journal: Journal[Line], plan: Plan) -> OutputSummary:
    """Find out what an output holds of a plan; nothing is changed.

    Raises:
        BenchmarkError: A line of the output is no record.
    """
    held = nothing_yet(plan)
    look = _Matcher(plan)
    for line in journal.lines():
        kind, index = look.place(line)
        if isinstance(line.embedding_id, int):
            held.note_id(line.embedding_id, None if index is None else plan.first_draw(index))
        if kind == "call" and index is not None:
            state = held.states[line.model_name][index]
            if state == State.MISSING:
                _note_call(held, plan, line, index)
            elif state == State.LEFT_OUT:
                held.n_others += 1
            else:
                held.n_repeated += 1
        elif kind == "superseded":
            held.n_superseded += 1
        elif kind == "foreign":
            held.n_foreign += 1
        else:
            held.n_others += 1
    return held


def held_quality(path: str | os.PathLike[str], plan: Plan) -> npt.NDArray[np.float64]:
    """Return what an output says of a plan's calls: (n_questions, n_models) quality, NaN = nothing.

    Raises:
        BenchmarkError: The output cannot be read, or a line of it is no record.
    """
    quality = np.full((len(plan.questions), len(plan.models)), np.nan)
    if not Path(path).exists():
        return quality
    look = _Matcher(plan)
    columns = {model.name: column for column, model in enumerate(plan.models)}
    with open_output(path, is_read_only=True) as journal:
        for line in journal.lines():
            kind, index = look.place(line)
            if kind == "call" and index is not None and line.performance is not None and not line.unscored:
                quality[index, columns[line.model_name]] = line.performance
    return quality


def _note_call(held: OutputSummary, plan: Plan, line: Line, index: int) -> None:
    held.cost_usd += line.cost or 0.0
    truth = plan.questions[index].query.ground_truth
    if truth is not None and line.ground_truth is not None and str(line.ground_truth) != truth:
        held.n_other_truths += 1
    if line.error:
        held.states[line.model_name][index] = State.FAILED
        held.failures[line.model_name][line.error_kind or "failed"] += 1
        return
    held.states[line.model_name][index] = State.DONE
    measured = held.measured[line.model_name]
    measured.n_answers += 1
    measured.latency_s += line.response_time or 0.0
    measured.output_tokens += line.output_tokens or 0
    measured.cost_usd += line.cost or 0.0
    line.score_into(measured)


def clear(journal: Journal[Line], plan: Plan, held: OutputSummary, *, retry_failed: bool) -> Path | None:
    """Take out of an output what would stand in it twice or mixed.

    Failed calls that are asked again and repeated records go; records of other settings move to a file beside it.

    Returns:
        The file that now holds the records of other settings; None where there were none.
    """
    if not held.n_superseded and not held.n_repeated and not (retry_failed and held.n_failed):
        return None
    look = _Matcher(plan)
    aside = journal.path.with_name(f"{journal.path.stem}.superseded.jsonl") if held.n_superseded else None
    seen = {model.name: bytearray(len(plan.questions)) for model in plan.models}

    def stays(line: Line) -> bool:
        kind, index = look.place(line)
        if kind != "call" or index is None:
            return True
        is_again = bool(seen[line.model_name][index])
        seen[line.model_name][index] = 1
        return not is_again and not (retry_failed and line.error)

    if aside is not None:
        journal.rewrite(lambda line: look.place(line)[0] != "superseded", aside)
    journal.rewrite(stays)
    if retry_failed:
        held.ask_failed_again()
    held.n_superseded = held.n_repeated = 0
    return aside
