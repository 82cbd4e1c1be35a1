"""`vsr-train demo`: the whole system in a minute, on simulated LLMs."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from vsr.cli import terminal
from vsr.cli.options import seed_option
from vsr.cli.sections import command, option


@command("demo")
@option(
    "--queries",
    "n_queries",
    type=click.IntRange(min=2),
    metavar="N",
    show_default="420",
    help="How many queries to generate, spread over the 14 categories.",
)
@option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep every file here; without it they are gone when the demo ends.",
)
@seed_option
def demo(n_queries: int | None, output_dir: Path | None, seed: int) -> None:
    """Show the whole system in a minute, without network or weights.

    Simulated LLMs of different skills answer generated queries whose answers are known; the records train the
    selectors. No real LLM is asked, and the figures say nothing about any real LLM.
    """
    from vsr.demo import N_QUERIES, SIMULATED_MODELS, generate_queries, simulate, write_queries, write_records

    with _folder(output_dir) as folder:
        terminal.say("The LLMs of this demo are SIMULATED: no real model is asked.\n")
        queries = generate_queries(N_QUERIES if n_queries is None else n_queries, seed)
        records_path = folder / "benchmark_training_data.jsonl"
        write_queries(folder / "queries.jsonl", queries)
        write_records(records_path, simulate(queries, seed=seed))
        n_records = len(queries) * len(SIMULATED_MODELS)
        terminal.say(f"{n_records:,} records of {len(SIMULATED_MODELS)} simulated LLMs on {len(queries):,} queries.")
        if output_dir is not None:
            terminal.say(f"Written: {folder / 'queries.jsonl'}, {records_path}")


@contextlib.contextmanager
def _folder(output_dir: Path | None) -> Iterator[Path]:
    if output_dir is not None:
        yield output_dir
    else:
        with tempfile.TemporaryDirectory(prefix="vsr-demo-") as temporary:
            yield Path(temporary)
