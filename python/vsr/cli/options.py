"""Flags that several commands share: each group is one decorator, and one frozen dataclass that the command gets.

A flag that would do nothing beside the others is a usage error (exit code 2), never ignored.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.sections import GENERAL, option
from vsr.data.messages import TEXTS, Text
from vsr.embedding.models import DEFAULT_MAX_TOKENS, DEFAULT_MODEL, DTYPES, EMBEDDING_MODELS, is_weightless

if TYPE_CHECKING:
    from vsr.choice.objective import Objective
    from vsr.choice.target import Target
    from vsr.data.outcomes import Outcomes
    from vsr.embedding import Embedder, Fingerprint

_Command = Callable[..., object]  # a command's function before click makes a command of it
_Decorator = Callable[[_Command], _Command]

EMBEDDING = "Embedding"
OBJECTIVE = "Objective"


class FiniteRange(click.FloatRange):
    """A number within limits; NaN, which passes every comparison of click's, is refused."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class _ThreadCount(click.IntRange):
    """How many threads; mostly from the environment, where no help stands beside it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """Read the number."""
        try:
            number: int = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is no number of threads; expected a whole number of 1 or more.", param, ctx)
        return number


SHARE = FiniteRange(0.0, 1.0)


@dataclass(frozen=True)
class EmbeddingOptions:
    """Which embedder makes the vectors, as the flags say; None where a flag was not given."""

    model: str | None = None
    dim: int | None = None
    path: Path | None = None
    prompt: str | None = None
    dtype: str | None = None
    max_tokens: int | None = None
    file: Path | None = None
    use_fallback: bool = False
    cache_dir: Path | None = None
    threads: int | None = None
    device: str | None = None
    text: Text | None = None

    def __post_init__(self) -> None:
        """Refuse combinations in which a flag would do nothing.

        Raises:
            click.UsageError: A flag has no effect beside the others.
        """
        if self.use_fallback and self.model not in (None, "hash"):
            raise click.UsageError(
                f"--use-fallback means --embedding-model hash and contradicts --embedding-model {self.model}: give one."
            )
        if self.file is not None:
            self._refuse(
                "--embedding-file brings ready vectors", ("model", "dim", "use_fallback", "text", *_WEIGHTS_ONLY)
            )
        elif self.is_weightless:
            self._refuse(f"the {self.name} embedder has no model files", _WEIGHTS_ONLY)

    @property
    def is_weightless(self) -> bool:
        """Whether the flags ask for an embedder without model files."""
        return is_weightless(self.name)

    @property
    def name(self) -> str:
        """Registry name of the embedder; without meaning where `file` is given."""
        return "hash" if self.use_fallback else self.model or DEFAULT_MODEL

    def load(self) -> "Embedder":
        """Load the embedder that the flags describe; only without `file`.

        Raises:
            EmbeddingError: The model is not to be had, damaged, or does not fit a flag.
        """
        from vsr.embedding import load_embedder

        if not self.is_weightless and self.path is None:
            _announce_hub(self.name)
        return load_embedder(
            self.name,
            self.path,
            self.dim,
            self.prompt,
            dtype=self.dtype or DTYPES[0],
            max_tokens=self.max_tokens or DEFAULT_MAX_TOKENS,
            cache_dir=self.cache_dir,
            device=self.device or "cpu",
        )

    def load_as(self, fingerprint: "Fingerprint") -> "Embedder":
        """Load the embedder that an artefact names; flags say where it is and how it runs, and may not contradict.

        Raises:
            EmbeddingError: The model is not to be had, has changed, or is not what a flag asks for.
            click.UsageError: A flag has no effect on the hash embedder.
        """
        from vsr.embedding import load_from_fingerprint
        from vsr.errors import EmbeddingError

        if is_weightless(fingerprint.name):
            self._refuse("these artefacts need no embedding model", _WEIGHTS_ONLY)
        trained = {
            "model": (self.name if self.model or self.use_fallback else None, fingerprint.name),
            "dim": (self.dim, fingerprint.width),
            "prompt": (self.prompt, fingerprint.prompt_name),
            "dtype": (self.dtype, fingerprint.dtype),
            "text": (self.text, fingerprint.text),
        }
        for field, (asked, recorded) in trained.items():
            if asked is not None and asked != recorded:
                shown = "none" if recorded is None else recorded
                raise EmbeddingError(
                    f"{_EMBEDDING_FLAGS[field]} {asked}: these artefacts were trained with {shown}. "
                    "Leave the flag out, or train again"
                )
        if fingerprint.revision is not None and self.path is None:
            _announce_hub(fingerprint.name)
        return load_from_fingerprint(
            fingerprint,
            self.path,
            max_tokens=self.max_tokens,
            cache_dir=self.cache_dir,
            device=self.device or "cpu",
        )

    @property
    def names_embedder(self) -> bool:
        """Whether a flag says which embedder it is to be."""
        return any(
            getattr(self, field) not in (None, False) for field in ("model", "dim", "use_fallback", *_WEIGHTS_ONLY)
        )

    def _refuse(self, because: str, fields: tuple[str, ...]) -> None:
        for field in fields:
            if getattr(self, field) not in (None, False):
                raise click.UsageError(f"{_EMBEDDING_FLAGS[field]} has no effect here: {because}. Leave it out.")


def _announce_hub(name: str) -> None:
    """Say where a model is looked for; the bars of the hub's client move where ours do."""
    terminal.say(f"Looking for {name} in the Hugging Face cache, then on the hub.")
    if not terminal.bars_may_move():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # it is read when the client is imported


# What only an embedder with weights and a tokenizer has.
_WEIGHTS_ONLY = ("path", "prompt", "dtype", "max_tokens", "cache_dir", "device")
_EMBEDDING_FLAGS = {
    "model": "--embedding-model",
    "dim": "--embedding-dim",
    "path": "--embedding-path",
    "prompt": "--embedding-prompt",
    "dtype": "--embedding-dtype",
    "max_tokens": "--embedding-max-tokens",
    "file": "--embedding-file",
    "use_fallback": "--use-fallback",
    "cache_dir": "--cache-dir",
    "threads": "--threads",
    "device": "--device",
    "text": "--text",
}


@dataclass(frozen=True)
class ObjectiveOptions:
    """What a good choice is, as the flags say; None where a flag was not given."""

    quality_weight: float | None = None
    cost_share: float | None = None
    target_cost: float | None = None
    target_latency: float | None = None
    target_share: tuple[str, float] | None = None

    def __post_init__(self) -> None:
        """Refuse combinations in which a flag would do nothing.

        Raises:
            click.UsageError: `cost_share` beside a quality weight of 1, or a target beside a weight or another target.
        """
        targets = list(self.targets())
        weights = [f"--{name.replace('_', '-')}" for name in _WEIGHTS if getattr(self, name) is not None]
        if len(targets) > 1:
            raise click.UsageError(f"{' and '.join(targets)} are two targets: give one.")
        if targets and weights:
            raise click.UsageError(f"{targets[0]} finds the objective and contradicts {weights[0]}: give one.")
        if self.quality_weight == 1.0 and self.cost_share is not None:
            raise click.UsageError("--cost-share has no effect with --quality-weight 1: quality alone counts then.")

    def over(self, stored: "Objective") -> "Objective":
        """Give the objective: what the flags say, and the stored one where they say nothing."""
        given = {name: getattr(self, name) for name in _WEIGHTS if getattr(self, name) is not None}
        return replace(stored, **given)

    def targets(self) -> dict[str, object]:
        """Flags of targets that were given, with their values."""
        given = {f"--{name.replace('_', '-')}": getattr(self, name) for name in _TARGETS}
        return {flag: value for flag, value in given.items() if value is not None}

    @property
    def target(self) -> "Target | None":
        """The target, where a flag gives one."""
        from vsr.choice.target import Target

        if self.target_cost is not None:
            return Target("cost", self.target_cost)
        if self.target_latency is not None:
            return Target("latency", self.target_latency)
        return None if self.target_share is None else Target("share", self.target_share[1], self.target_share[0])

    def to_train_with(self, outcomes: "Outcomes") -> "Objective":
        """Give the objective of a training on some outcomes: what the flags say, else the default.

        Raises:
            TrainingError: A weight was given to what nobody measured.
        """
        from vsr.choice.objective import Objective
        from vsr.errors import TrainingError

        target = self.target
        if target is not None:
            return target.start
        objective = self.over(Objective())
        counts = self.quality_weight is not None and objective.quality_weight < 1.0 and objective.cost_share < 1.0
        if counts and not any(math.isfinite(seconds) for seconds in outcomes.latency_s.flat):
            raise TrainingError(
                f"--quality-weight {objective.quality_weight:g} weighs latency, but no record has one. "
                "Give --quality-weight 1, or measure latency"
            )
        return objective


_WEIGHTS = ("quality_weight", "cost_share")
_TARGETS = ("target_cost", "target_latency", "target_share")


class _ModelShare(click.ParamType[tuple[str, float]]):
    """A model and its share, `MODEL=0.3`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:  # noqa: ANN401
        """Read both."""
        model, equals, number = str(value).rpartition("=")
        if not equals or not model:
            self.fail(f"{value!r} is no share of a model; expected MODEL=0.3.", param, ctx)
        share: float = SHARE(number, param, ctx)
        return model, share


def embedding_options(command: _Command) -> _Command:
    """Add the embedding flags; the command gets them as `embedding: EmbeddingOptions`, with `--threads` in force."""
    declarations = (
        _embedding_option(
            "model",
            type=click.Choice(tuple(EMBEDDING_MODELS)),
            show_default=DEFAULT_MODEL,
            help="Embedding model; hash needs no weights.",
        ),
        _embedding_option("use_fallback", is_flag=True, help="Use the hash embedder: no download, no weights."),
        _embedding_option("path", type=click.Path(path_type=Path), metavar="DIR", help="Local folder of the model."),
        _embedding_option(
            "dim",
            type=click.IntRange(min=1),
            metavar="N",
            show_default="768 or the model's width, whichever is smaller",
            help="Width of the vectors.",
        ),
        _embedding_option("prompt", metavar="NAME", help="One of the model's own prompts, put before every text."),
        _embedding_option(
            "dtype",
            type=click.Choice(DTYPES),
            show_default=DTYPES[0],
            help="What the network multiplies, whatever its files hold; int8 is fastest, bfloat16 needs avx512_bf16.",
        ),
        _embedding_option(
            "max_tokens",
            type=click.IntRange(min=1),
            metavar="N",
            show_default=str(DEFAULT_MAX_TOKENS),
            help="Cut longer texts; the number cut is reported.",
        ),
        _embedding_option(
            "text",
            type=click.Choice(TEXTS),
            show_default=TEXTS[0],
            help="What of a conversation is embedded: the user's last message, all of theirs, or everything.",
        ),
        _embedding_option(
            "file",
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="Ready vectors instead of a model: a .npy of one row per unique query in order of first appearance, "
            "or the folder of embed --engine ray.",
        ),
        _embedding_option(
            "cache_dir",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Keep vectors here, so that a second run need not compute them.",
        ),
        _embedding_option(
            "device", type=click.Choice(("cpu", "cuda")), show_default="cpu", help="Where the model runs."
        ),
        _embedding_option(
            "threads",
            type=_ThreadCount(min=1),
            metavar="N",
            envvar="VSR_NUM_THREADS",
            show_envvar=True,
            show_default="one per core",
            help="Threads for all computing.",
        ),
    )
    return collected(command, "embedding", "embedding_", _embedding_in_force, declarations)


def objective_options(
    quality_weight_default: str = "0.9", cost_share_default: str = "0", *, with_targets: bool = False
) -> _Decorator:
    """Add the flags of the objective; the command gets them as `objective: ObjectiveOptions`.

    Args:
        quality_weight_default: What the help says of a missing `--quality-weight`.
        cost_share_default: The same of `--cost-share`.
        with_targets: Whether a target can take the place of the weights.
    """
    declarations: tuple[_Decorator, ...] = (
        option(
            "--quality-weight",
            "objective_quality_weight",
            section=OBJECTIVE,
            type=SHARE,
            metavar="0..1",
            show_default=quality_weight_default,
            help="Weight of quality: 1 is quality alone, 0.5 half quality and half efficiency, 0 efficiency alone.",
        ),
        option(
            "--cost-share",
            "objective_cost_share",
            section=OBJECTIVE,
            type=SHARE,
            metavar="0..1",
            show_default=cost_share_default,
            help="Share of cost in efficiency; the rest is latency.",
        ),
    )
    if with_targets:
        declarations += _target_options()
    return lambda command: collected(command, "objective", "objective_", ObjectiveOptions, declarations)


def _target_options() -> tuple[_Decorator, ...]:
    """Flags that say what choices may need, instead of weights."""
    return (
        option(
            "--target-cost",
            "objective_target_cost",
            section=OBJECTIVE,
            type=FiniteRange(min=0.0),
            metavar="USD",
            help="Instead of weights: find those whose choices cost at most this per query, on average.",
        ),
        option(
            "--target-latency",
            "objective_target_latency",
            section=OBJECTIVE,
            type=FiniteRange(min=0.0),
            metavar="S",
            help="The same for a mean latency of this many seconds.",
        ),
        option(
            "--target-share",
            "objective_target_share",
            section=OBJECTIVE,
            type=_ModelShare(),
            metavar="MODEL=0..1",
            help="Find the penalty with which MODEL is chosen for at most this share of the queries.",
        ),
    )


def seed_option(command: _Command) -> _Command:
    """Add `--seed`; the command gets it as `seed: int`."""
    return option(
        "--seed",
        section=GENERAL,
        type=click.IntRange(0, 2**63 - 1),
        metavar="N",
        default=0,
        show_default=True,
        help="Start of every random draw: same seed, same result.",
    )(command)


def json_option(command: _Command) -> _Command:
    """Add `--json`; the command gets it as `as_json: bool`."""
    text = "Print one JSON object to stdout instead of text."
    return option("--json", "as_json", section=GENERAL, is_flag=True, help=text)(command)


def _embedding_in_force(**fields: Any) -> EmbeddingOptions:
    options = EmbeddingOptions(**fields)
    if options.threads is not None:
        from vsr._threads import set_n_threads

        set_n_threads(options.threads)
    return options


def _embedding_option(field: str, **settings: Any) -> _Decorator:
    return option(_EMBEDDING_FLAGS[field], f"embedding_{field}", section=EMBEDDING, **settings)


def collected(
    command: _Command,
    name: str,
    prefix: str,
    group: Callable[..., object],
    declarations: tuple[_Decorator, ...],
) -> _Command:
    """Put the declared options on a command that takes them as one argument `name`."""

    @wraps(command)
    def with_group(*args: object, **values: object) -> object:
        fields = {key.removeprefix(prefix): values.pop(key) for key in tuple(values) if key.startswith(prefix)}
        return command(*args, **{name: group(**fields)}, **values)

    decorated: _Command = with_group
    for declare in reversed(declarations):  # the decorator that is applied last comes first in the help
        decorated = declare(decorated)
    return decorated
