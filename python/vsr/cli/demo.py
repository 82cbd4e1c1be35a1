"""`vsr-train demo`: the whole system in a minute, on simulated LLMs."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.evaluation_table import selector_label, write_evaluation
from vsr.cli.options import seed_option
from vsr.cli.sections import command, option
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.demo import DemoQuery
    from vsr.routing import Router

_N_ROUTED = 3


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
    from vsr import jobs
    from vsr.cli.embedding import embed_with_progress
    from vsr.demo import N_QUERIES, SIMULATED_MODELS, generate_queries, simulate, write_queries, write_records
    from vsr.embedding import load_embedder
    from vsr.records import read_records
    from vsr.routing import Router

    with _folder(output_dir) as folder:
        terminal.say("The LLMs of this demo are SIMULATED: no real model is asked.\n")
        count = N_QUERIES if n_queries is None else n_queries
        # Three more than are measured, so that the queries routed at the end are new.
        drawn = generate_queries(count + _N_ROUTED, seed)
        queries, fresh = drawn[:count], drawn[count:]
        records_path = folder / "benchmark_training_data.jsonl"
        write_queries(folder / "queries.jsonl", queries)
        write_records(records_path, simulate(queries, seed=seed))
        n_records = len(queries) * len(SIMULATED_MODELS)
        terminal.say(
            f"1. {len(SIMULATED_MODELS)} simulated LLMs answered {len(queries):,} queries: {n_records:,} records"
        )
        outcomes = jobs.read_outcomes(read_records(records_path))
        embedder = load_embedder("hash")
        vectors = embed_with_progress(embedder, outcomes.queries)
        terminal.say("2. queries embedded by feature hashing, selectors trained and compared on held-out queries\n")
        with terminal.progress("Training", "steps") as show:
            result = jobs.train(
                outcomes,
                vectors,
                embedder.fingerprint,
                folder,
                jobs.TrainingSettings(seed=seed),
                progress=lambda what, done, total: show(done, total, note=what),
            )
        for note in result.notes:
            terminal.warn(note)
        if result.evaluation is not None:
            write_evaluation(result.evaluation)
        labels = {selector.name: selector_label(selector) for selector in result.selectors}
        terminal.say(f"\n3. three new queries, routed by {labels[result.recommended]}\n")
        _route(Router.load(folder, result.recommended, embedder), fresh)
        if output_dir is not None:
            terminal.say("\nWritten:")
            for path in (folder / "queries.jsonl", records_path, *result.paths):
                terminal.say(f"  {path}")


def _route(router: "Router", queries: "Sequence[DemoQuery]") -> None:
    """Route queries without their categories, as most gateways have to."""
    rows = []
    for query in queries:
        choice = router.select(query.prompt)
        rows.append(
            (
                " ".join(query.question.text.split()),
                "" if choice.category_source is None else f"{choice.category} ({choice.category_source})",
                choice.model,
                "" if choice.quality is None else f"{choice.quality:.2f}",
            )
        )
    columns = (Column("query"), Column("category"), Column("model"), Column("quality", "right"))
    terminal.write_table(Table(columns, tuple(rows)))


@contextlib.contextmanager
def _folder(output_dir: Path | None) -> Iterator[Path]:
    if output_dir is not None:
        yield output_dir
    else:
        with tempfile.TemporaryDirectory(prefix="vsr-demo-") as temporary:
            yield Path(temporary)
