"""Flags that several commands share: each group is one decorator, and one frozen dataclass that the command gets.

A flag that would do nothing beside the others is a usage error (exit code 2), never ignored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from vsr.cli.sections import GENERAL, option

_Command = Callable[..., object]  # a command's function before click makes a command of it
_Decorator = Callable[[_Command], _Command]

EMBEDDING_MODELS = ("qwen3", "gemma", "bert", "hash")
DEFAULT_EMBEDDING_MODEL = "qwen3"


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
            self._refuse("--embedding-file brings ready vectors", ("model", "dim", "use_fallback", *_WEIGHTS_ONLY))
        elif self.uses_hash:
            self._refuse("the hash embedder has no model files", _WEIGHTS_ONLY)

    @property
    def uses_hash(self) -> bool:
        """Whether the flags ask for the hash embedder."""
        return self.use_fallback or self.model == "hash"

    @property
    def name(self) -> str:
        """Registry name of the embedder: "qwen3", "gemma", "bert" or "hash"; without meaning where `file` is given."""
        return "hash" if self.uses_hash else self.model or DEFAULT_EMBEDDING_MODEL

    def _refuse(self, because: str, fields: tuple[str, ...]) -> None:
        for field in fields:
            if getattr(self, field) not in (None, False):
                raise click.UsageError(f"{_EMBEDDING_FLAGS[field]} has no effect here: {because}. Leave it out.")


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
}


@dataclass(frozen=True)
class ObjectiveOptions:
    """What a good choice is, as the flags say; None where a flag was not given."""

    quality_weight: float | None = None
    cost_share: float | None = None

    def __post_init__(self) -> None:
        """Refuse combinations in which a flag would do nothing.

        Raises:
            click.UsageError: `cost_share` beside a quality weight of 1.
        """
        if self.quality_weight == 1.0 and self.cost_share is not None:
            raise click.UsageError("--cost-share has no effect with --quality-weight 1: quality alone counts then.")


def embedding_options(command: _Command) -> _Command:
    """Add the embedding flags; the command gets them as `embedding: EmbeddingOptions`."""
    declarations = (
        _embedding_option(
            "model",
            type=click.Choice(EMBEDDING_MODELS),
            show_default=DEFAULT_EMBEDDING_MODEL,
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
            type=click.Choice(("float32", "bfloat16")),
            show_default="float32",
            help="Number format of the weights.",
        ),
        _embedding_option(
            "max_tokens",
            type=click.IntRange(min=1),
            metavar="N",
            show_default="2048",
            help="Cut longer texts; the number cut is reported.",
        ),
        _embedding_option(
            "file",
            type=click.Path(path_type=Path),
            metavar="FILE.npy",
            help="Ready vectors instead of a model: one row per unique query in order of first appearance.",
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
            type=click.IntRange(min=1),
            metavar="N",
            envvar="VSR_NUM_THREADS",
            show_envvar=True,
            show_default="one per core",
            help="Threads for all computing.",
        ),
    )
    return _collected(command, "embedding", "embedding_", EmbeddingOptions, declarations)


def objective_options(quality_weight_default: str) -> _Decorator:
    """Add the flags of the objective; the command gets them as `objective: ObjectiveOptions`.

    Args:
        quality_weight_default: What the help says of a missing `--quality-weight`.
    """
    share = click.FloatRange(0.0, 1.0)
    declarations = (
        option(
            "--quality-weight",
            "objective_quality_weight",
            section=OBJECTIVE,
            type=share,
            metavar="0..1",
            show_default=quality_weight_default,
            help="1: quality alone; 0.5: quality and efficiency equally; 0: the fastest model always.",
        ),
        option(
            "--cost-share",
            "objective_cost_share",
            section=OBJECTIVE,
            type=share,
            metavar="0..1",
            show_default="0",
            help="Share of cost in efficiency; the rest is latency.",
        ),
    )
    return lambda command: _collected(command, "objective", "objective_", ObjectiveOptions, declarations)


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


EMBEDDING = "Embedding"
OBJECTIVE = "Objective"


def _embedding_option(field: str, **settings: Any) -> _Decorator:
    return option(_EMBEDDING_FLAGS[field], f"embedding_{field}", section=EMBEDDING, **settings)


def _collected(
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
