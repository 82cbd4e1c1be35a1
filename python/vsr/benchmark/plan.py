"""What a run has to ask: which queries, which models, and how a call is recognised when the run is taken up again."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from random import Random

import msgspec
import numpy as np
import numpy.typing as npt

from vsr.asking.models import AskedModel, AskedModels, asked_models
from vsr.benchmark.rescoring import score_line
from vsr.config import RouterConfig
from vsr.data.categories import normalise_category
from vsr.data.prompts import unique_key
from vsr.data.records import Query
from vsr.errors import BenchmarkError

CONCISE_LINE = "Reply with the final answer alone, without explanation."

# Part of every call's key: raised when the way a request is built changes its answers.
_KEY_VERSION = 1


@dataclass(frozen=True)
class Question:
    """A unique query as it is asked.

    Attributes:
        query: the line of the query file.
        prompt: what is sent: the query, its choices, the wish for a bare answer where there is one.
        key: under which two queries are one (`vsr.data.prompts.unique_key` of the rendered query).
        place: its place among the unique queries of the file.
        draw: which of several answers of every model this asks for, from 1.
    """

    query: Query
    prompt: str
    key: str
    place: int
    draw: int = 1


@dataclass(frozen=True)
class Plan:
    """Every query and every model of a run, and with them every call.

    Attributes:
        questions: what is asked, in the order of the file, the draws of a query one after the other.
        asked: who is asked.
        n_in_file: unique queries in the file, of which `questions` may be a part.
        n_repeated: lines whose query stood in the file before.
        is_concise: whether the bare answer is asked for.
        n_draws: how many answers every model gives to every query.
        left_out: places in `questions` that a model is not asked, by its name.
        score: writes into the line of an answer what it is worth.
        probabilities: (n_questions, n_models) float64 with which each call was drawn; None where all are made.
    """

    questions: tuple[Question, ...]
    asked: AskedModels
    n_in_file: int
    n_repeated: int = 0
    is_concise: bool = False
    n_draws: int = 1
    left_out: Mapping[str, frozenset[int]] = field(default_factory=dict, repr=False)
    score: Callable[[bytes], bytes] = score_line
    probabilities: npt.NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    _settings: Mapping[str, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out what of the settings is part of the keys of calls."""
        object.__setattr__(self, "_settings", {model.name: _settings_digest(model) for model in self.models})

    @property
    def models(self) -> tuple[AskedModel, ...]:
        """The models in the order of the configuration."""
        return self.asked.models

    @property
    def n_queries(self) -> int:
        """How many different queries are asked."""
        return len(self.questions) // self.n_draws

    def first_draw(self, index: int) -> int:
        """Return the first of the questions that ask the same query."""
        return index - (self.questions[index].draw - 1)

    @property
    def n_calls(self) -> int:
        """How many calls the whole plan has."""
        return sum(self.n_calls_of(model.name) for model in self.models)

    def n_calls_of(self, model: str) -> int:
        """How many of them are one model's."""
        return len(self.questions) - len(self.left_out.get(model, ()))

    def probability(self, model: AskedModel, index: int) -> float | None:
        """Return with which probability a call was drawn; None where all are made."""
        if self.probabilities is None:
            return None
        return float(self.probabilities[index, [each.name for each in self.models].index(model.name)])

    def only(self, name: str) -> "Plan":
        """Return the plan for one model alone.

        Raises:
            BenchmarkError: It is not among the models.
        """
        chosen = tuple(model for model in self.models if model.name == name)
        if not chosen:
            names = ", ".join(model.name for model in self.models)
            raise BenchmarkError(f"--only-model {name} is not in the configuration; its models are {names}.")
        return replace(self, asked=replace(self.asked, models=chosen))

    def call_id(self, model: AskedModel, question: Question) -> str:
        """Return the key of a call: the same prompt, model and settings have the same, whatever else changes."""
        digest = blake2b(self._settings[model.name], digest_size=16)
        digest.update(question.prompt.encode("utf-8", "surrogatepass"))
        if question.draw > 1:  # the first draw is the call of a run that asks once
            digest.update(b"\0%d" % question.draw)
        return digest.hexdigest()


def make_plan(
    queries: Iterable[Query],
    config: RouterConfig,
    *,
    query_limit: int | None = None,
    seed: int = 0,
    is_concise: bool = False,
    metric: str | None = None,
    n_draws: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Plan:
    """Work out what has to be asked.

    Args:
        queries: lines of a query file; repeated queries are asked once.
        config: who is asked.
        query_limit: at most so many queries, spread over the categories; a larger limit keeps those of a smaller one.
        seed: decides which queries a limit takes.
        is_concise: add a line that asks for the bare answer.
        metric: scores all answers by this rule, whatever the file says.
        n_draws: how many answers every model gives to every query.
        environment: where the providers' own keys are looked for; the process's by default.

    Raises:
        BenchmarkError: There is nothing to ask, or nobody, or one that always answers the same would be asked again.
    """
    asked = asked_models(config, os.environ if environment is None else environment)
    if n_draws > 1:
        _require_chance(asked.models)
    unique: dict[str, Question] = {}
    n_lines = 0
    for query in queries:
        n_lines += 1
        rendered = query.prompt
        key = unique_key(rendered)
        if key not in unique:
            # A conversation is asked as it is.
            is_bare = is_concise and query.messages is None
            prompt = f"{rendered}\n\n{CONCISE_LINE}" if is_bare else rendered
            wanted = query if metric is None else replace(query, metric=metric)
            unique[key] = Question(wanted, prompt, key, len(unique))
    if not unique:
        raise BenchmarkError("there is nothing to ask: the query file holds no query.")
    questions = tuple(unique.values())
    if query_limit is not None and query_limit < len(questions):
        questions = spread(questions, query_limit, seed)
    n_repeated = n_lines - len(unique)
    if n_draws > 1:
        questions = tuple(replace(each, draw=draw) for each in questions for draw in range(1, n_draws + 1))
    return Plan(questions, asked, len(unique), n_repeated, is_concise, n_draws)


def spread(questions: Sequence[Question], n: int, seed: int) -> tuple[Question, ...]:
    """Draw questions so that every category has its share and at least one, as far as the number goes.

    Args:
        questions: what there is.
        n: how many to draw.
        seed: decides which.

    Returns:
        The drawn questions in their old order. More of them with the same seed include fewer of them.
    """
    rng = Random(seed)  # noqa: S311 a sample, no secret
    by_category: dict[str, list[Question]] = {}
    for question in questions:
        category = normalise_category(question.query.category) if question.query.category else None
        by_category.setdefault(category or "", []).append(question)
    ranked: list[tuple[float, int, float, Question]] = []
    for members in by_category.values():
        rng.shuffle(members)
        # The first of every category comes before all others, large categories first; then each at its own pace.
        ranked += [
            (rank / len(members), -len(members) if rank == 0 else 0, rng.random(), question)
            for rank, question in enumerate(members)
        ]
    ranked.sort(key=lambda entry: entry[:3])
    return tuple(sorted((entry[3] for entry in ranked[:n]), key=lambda question: question.place))


def _require_chance(models: Iterable[AskedModel]) -> None:
    """Refuse models that answer the same every time.

    Raises:
        BenchmarkError: One of them has a temperature of 0.
    """
    fixed = [model.name for model in models if model.temperature == 0]
    if fixed:
        raise BenchmarkError(
            f"several answers to a query need chance, but the temperature of {', '.join(fixed)} is 0. Set "
            "model_config.MODEL.temperature to what it is in production, or ask once."
        )


def _settings_digest(model: AskedModel) -> bytes:
    settings = (
        _KEY_VERSION,
        model.name,
        model.targets[0].model_id,
        model.max_tokens,
        model.temperature,
        model.use_reasoning,
    )
    return blake2b(msgspec.json.encode(settings), digest_size=16).digest()
