"""Whose files can be imported: one entry a program, and the module that reads them, loaded when it is asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vsr.importing.imported import Imported

Reader = Callable[[Path, str | None], "Iterator[Imported]"]
"""Reads one file; the second argument names the score that is taken where the program has several."""


@dataclass(frozen=True)
class Format:
    """Files of one program.

    Attributes:
        name: after `--from`.
        title: the program, and which of its files, for people.
        module: `vsr.importing.MODULE` has `read(path, score)`, which gives what `vsr.importing.imported` defines.
        files: what its files are called, for folders.
        gives: what becomes of them.
        has_scores: whether a file can hold several scores of one answer.
    """

    name: str
    title: str
    module: str
    files: tuple[str, ...]
    gives: str = "records"
    has_scores: bool = False

    @property
    def read(self) -> Reader:
        """Load the reader."""
        reader: Reader = import_module(f"vsr.importing.{self.module}").read
        return reader


_TABLES = ("*.csv", "*.csv.gz", "*.parquet", "*.jsonl", "*.jsonl.gz", "*.json")

FORMATS = {
    each.name: each
    for each in (
        Format(
            "lm-eval",
            "lm-evaluation-harness, samples of --log_samples",
            "lm_evaluation_harness",
            ("samples_*.jsonl", "samples_*.jsonl.gz"),
            has_scores=True,
        ),
        Format("inspect", "Inspect, .eval and .json logs", "inspect_logs", ("*.eval", "*.json"), has_scores=True),
        Format("promptfoo", "promptfoo, results as .json or .jsonl", "promptfoo", ("*.json", "*.jsonl")),
        Format("litellm", "LiteLLM, spend logs and standard logs", "litellm_logs", _TABLES),
        Format("openai", "requests and answers in OpenAI's form", "openai_requests", _TABLES),
        Format("llmrouter", "LLMRouter, routing data", "llmrouter", _TABLES),
        Format("routerbench", "RouterBench, wide or long tables", "routerbench", _TABLES),
        Format("llmrouterbench", "LLMRouterBench, results/bench", "llmrouterbench", ("*.json",)),
        Format("routellm", "RouteLLM, battles", "routellm", _TABLES, gives="preference pairs"),
    )
}
"""By name, in the order of the help."""
