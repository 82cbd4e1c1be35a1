"""Flags that several commands share: each group is one decorator, and one frozen dataclass that the command gets.

A flag that would do nothing beside the others is a usage error (exit code 2), never ignored.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.objective_options import ObjectiveOptions, objective_options
from vsr.cli.option_groups import SHARE, Command, Decorator, FiniteRange, collected
from vsr.cli.sections import GENERAL, option
from vsr.data.messages import TEXTS, Text
from vsr.embedding.models import DEFAULT_MAX_TOKENS, DEFAULT_MODEL, DTYPES, EMBEDDING_MODELS, is_weightless

if TYPE_CHECKING:
    from vsr.embedding import Embedder, Fingerprint

__all__ = [
    "SHARE",
    "EmbeddingOptions",
    "FiniteRange",
    "ObjectiveOptions",
    "collected",
    "embedding_options",
    "json_option",
    "objective_options",
    "seed_option",
]

EMBEDDING = "Embedding"


class _ThreadCount(click.IntRange):
    """How many threads; mostly from the environment, where no help stands beside it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """Read the number."""
        try:
            number: int = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is no number of threads; expected a whole number of 1 or more.", param, ctx)
        return number


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


def embedding_options(command: Command) -> Command:
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


def seed_option(command: Command) -> Command:
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


def json_option(command: Command) -> Command:
    """Add `--json`; the command gets it as `as_json: bool`."""
    text = "Print one JSON object to stdout instead of text."
    return option("--json", "as_json", section=GENERAL, is_flag=True, help=text)(command)


def _embedding_in_force(**fields: Any) -> EmbeddingOptions:
    options = EmbeddingOptions(**fields)
    if options.threads is not None:
        from vsr._threads import set_n_threads

        set_n_threads(options.threads)
    return options


def _embedding_option(field: str, **settings: Any) -> Decorator:
    return option(_EMBEDDING_FLAGS[field], f"embedding_{field}", section=EMBEDDING, **settings)
