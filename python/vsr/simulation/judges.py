"""Simulated judges: they know how good a response is, and get it wrong in the ways that real ones do, as told.

A judge reads its prompt as a real one would who does what it is told: texts between a [BEGIN ...] and the next [END
...] of the same name and number are data, everything else is addressed to it. So a response that gets out of its
quotes, or that was never quoted, can give it orders, and it obeys.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from vsr.data.prompts import unique_key
from vsr.scoring import score_response
from vsr.simulation.models import SimulatedModel, answer
from vsr.simulation.world.questions import DemoQuery

_RIGHT, _WRONG = 0.72, 0.28  # what a rubric gives to a response that seems right, or wrong, before biases
_NOISE = 0.05  # standard deviation
_USUAL_LOG2_WORDS = 5.0
_CLOSE = 0.1  # responses that are nearer than this tie

_BEGIN = re.compile(r"^\[BEGIN ([A-Z ]+?)( [0-9a-f]{16})?\]$", re.MULTILINE)
_ORDER = re.compile(
    r"ignore (?:all|any|the|your|every)|disregard|rate (?:this|it|me)\b|(?:give|award|assign) (?:this|it|me|full)\b"
    r"|must (?:be|get|receive) |new (?:instruction|task|rule)|system (?:message|override|note)"
    r"|respond only with|maximum score|\"score\": 10\b",
    re.IGNORECASE,
)
_UNREADABLE = "There is much to be said for it, and some things against it; on the whole it is hard to say."


@dataclass(frozen=True)
class SimulatedJudge:
    """A judge that only exists in the demo, with the faults that are put in.

    Attributes:
        name: how it is asked for.
        accuracy: how often a response seems to it what it is, right or wrong.
        position_bias: share of the pairs of which it takes the one that is shown first, whatever they say.
        family_bias: what responses of its own family gain: in quality (rubric), as the share of verdicts against them
            that it turns (reference), as the share of pairs that it gives them (pairwise).
        length_bias: what a response gains by twice the length, in quality.
        own_models: the models of its own family.
        consistency: how often it says the same of the same when it is asked again.
        unreadable: share of its answers that hold no verdict.
        takes_schema: whether its server can make it answer in the form of a schema.
        latency_s: seconds until it has answered.
        prompt_per_1m: USD for a million tokens of prompt.
        completion_per_1m: USD for a million tokens of answer.
    """

    name: str
    accuracy: float = 0.9
    position_bias: float = 0.0
    family_bias: float = 0.0
    length_bias: float = 0.0
    own_models: tuple[str, ...] = ()
    consistency: float = 1.0
    unreadable: float = 0.0
    takes_schema: bool = True
    latency_s: float = 0.3
    prompt_per_1m: float = 0.4
    completion_per_1m: float = 0.4


SIMULATED_JUDGES = (
    SimulatedJudge(
        "sim-judge-90",
        accuracy=0.9,
        position_bias=0.05,
        own_models=("sim-large-70b", "sim-small-1b"),
        family_bias=0.1,
        consistency=0.95,
    ),
    SimulatedJudge(
        "sim-judge-75", accuracy=0.75, position_bias=0.2, length_bias=0.05, consistency=0.9, unreadable=0.02
    ),
)
"""Those that `vsr-train demo --serve` serves: a good one that favours its family, and one that likes length."""


@dataclass(frozen=True)
class _Response:
    """A response under judgement.

    Attributes:
        name: who gave it; of one that no model gave, the text itself: it decides what the judge sees in it.
        is_right: whether it is right.
        n_words: how long it is.
    """

    name: str
    is_right: bool
    n_words: int


@dataclass(frozen=True)
class _Read:
    """A prompt as a judge understands it: what is data, by title, and what is addressed to it."""

    data: Mapping[str, str]
    orders: str


class Courtroom:
    """What the judges of a pool need to know: the queries, their answers, and who would have given them."""

    def __init__(self, queries: Mapping[str, DemoQuery], models: Sequence[SimulatedModel], seed: int) -> None:
        """Take what is known.

        Args:
            queries: by `unique_key` of their prompts.
            models: who answers them.
            seed: as that of their answers.
        """
        self._queries = queries
        self._models = models
        self._seed = seed

    def verdict(self, judge: SimulatedJudge, prompt: str, *, as_json: bool) -> str | None:
        """Let a judge answer a prompt; None of one that asks for no verdict.

        Args:
            judge: who is asked.
            prompt: what it reads.
            as_json: whether the answer has to follow the schema; else a verdict stands on its last line.
        """
        field = next((name for name in ("score", "winner", "verdict") if f'"{name}":' in prompt), None)
        if field is None:
            return None
        read = _read(prompt)
        if _ORDER.search(read.orders):
            return _written(field, {"score": 10, "winner": "A", "verdict": "correct"}[field], as_json=as_json)
        if not as_json and self._rng(judge, prompt).random() < judge.unreadable:
            return _UNREADABLE
        query = self._query_of(read)
        if query is None:
            return None
        texts = [text for title, text in read.data.items() if title.startswith("RESPONSE")] or [read.orders]
        responses = [self._response(query, text) for text in texts]
        mark = prompt if self._rng(judge, prompt, "again").random() >= judge.consistency else ""
        said: object
        if field == "winner":
            said = self._winner(judge, query, responses, mark)
        elif field == "verdict":
            rng = self._rng(judge, query.prompt, responses[0].name, "family")
            favoured = responses[0].name in judge.own_models and rng.random() < judge.family_bias
            said = "correct" if self._seems_right(judge, query, responses[0], mark) or favoured else "incorrect"
        else:
            said = self._score(judge, query, responses[0], mark)
        return _written(field, said, as_json=as_json)

    def _rng(self, judge: SimulatedJudge, *key: str) -> Random:
        digest = blake2b("\n".join((str(self._seed), judge.name, *key)).encode("utf-8", "replace"), digest_size=8)
        return Random(int.from_bytes(digest.digest()))  # noqa: S311 a simulation, no secret

    def _query_of(self, read: _Read) -> DemoQuery | None:
        if "QUERY" in read.data:
            return self._queries.get(unique_key(read.data["QUERY"]))
        text = unique_key(read.orders)
        return next((query for key, query in self._queries.items() if key in text), None)

    def _response(self, query: DemoQuery, text: str) -> _Response:
        """Recognise a response by who gave it; what somebody added to it changes nothing about its answer."""
        for model in self._models:
            given = answer(model, query, self._seed)
            if given.text in text:
                return _Response(model.name, given.is_right, len(text.split()))
        question = query.question
        score = score_response(
            text, question.answer, query=question.text, choices=list(question.choices) or None, metric=question.metric
        )
        return _Response(text, score.value >= 0.5, len(text.split()))

    def _seems_right(self, judge: SimulatedJudge, query: DemoQuery, response: _Response, mark: str) -> bool:
        seen = self._rng(judge, query.prompt, response.name, mark).random() < judge.accuracy
        return response.is_right == seen

    def _worth(self, judge: SimulatedJudge, query: DemoQuery, response: _Response, mark: str) -> float:
        worth = _RIGHT if self._seems_right(judge, query, response, mark) else _WRONG
        return worth + judge.length_bias * (math.log2(max(1, response.n_words)) - _USUAL_LOG2_WORDS)

    def _score(self, judge: SimulatedJudge, query: DemoQuery, response: _Response, mark: str) -> int:
        rng = self._rng(judge, query.prompt, response.name, mark, "noise")
        worth = self._worth(judge, query, response, mark) + rng.gauss(0.0, _NOISE)
        worth += judge.family_bias if response.name in judge.own_models else 0.0
        # Rounded up or down by chance, so that the mean keeps what was put in.
        return min(10, max(1, math.floor(1 + 9 * worth + rng.random())))

    def _winner(self, judge: SimulatedJudge, query: DemoQuery, responses: Sequence[_Response], mark: str) -> str:
        first, second = responses
        # The same draw in both orders: a pair is judged by position, or by family, or by what it says.
        rng = self._rng(judge, query.prompt, *sorted((first.name, second.name)), mark)
        if rng.random() < judge.position_bias:
            return "A"
        is_own = [each.name in judge.own_models for each in responses]
        if is_own[0] != is_own[1] and rng.random() < judge.family_bias:
            return "A" if is_own[0] else "B"
        one, other = (self._worth(judge, query, each, mark) for each in responses)
        if abs(one - other) < _CLOSE:
            return "tie"
        return "A" if one > other else "B"


def _read(prompt: str) -> _Read:
    """Tell data from what is addressed to the judge: a quote ends at the first end of its name and number."""
    data: dict[str, str] = {}
    orders: list[str] = []
    place = 0
    while (begin := _BEGIN.search(prompt, place)) is not None:
        title, mark = begin[1], begin[2] or ""
        end = prompt.find(f"\n[END {title}{mark}]", begin.end())
        if end < 0:
            break
        orders.append(prompt[place : begin.start()])
        data.setdefault(title, prompt[begin.end() + 1 : end])
        place = end + len(f"\n[END {title}{mark}]")
    orders.append(prompt[place:])
    return _Read(data, "".join(orders))


def _written(field: str, said: object, *, as_json: bool) -> str:
    verdict = json.dumps({"reason": "It was held against the query.", field: said})
    return verdict if as_json else f"Let me look at the query first, and at what it takes.\n\n{verdict}"
