"""`vsr-train categorize`: add categories to queries that have none."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.options import EmbeddingOptions, embedding_options
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vsr.benchmark.categorize import CategorizeReport, Neighbours

TOO_MANY_FAILED = 3
_MOST_WITHOUT = 0.2


@command("categorize")
@option("--input", "source", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Queries or records.")
@option("--output", "target", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The new file.")
@option("--from-api", "api", metavar="URL", help="Ask the router's classifier, for example http://localhost:8080.")
@option(
    "--from-labelled",
    "labelled",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take the categories of the most similar labelled queries of this file.",
)
@embedding_options
def categorize(source: Path, target: Path, api: str | None, labelled: Path | None, embedding: EmbeddingOptions) -> int:
    """Add a category to every query that has none; those that are there stay.

    With neither --from-api nor --from-labelled, the labelled queries of the input itself are the pattern.
    """
    from vsr.benchmark import categorize as job

    if api is not None:
        if labelled is not None:
            raise click.UsageError("--from-api and --from-labelled are two sources: give one.")
        if embedding != EmbeddingOptions(threads=embedding.threads):
            raise click.UsageError("The embedding flags have no effect with --from-api: nothing is embedded.")
        router = job.RouterApi(api, target.with_name(f"{target.name}.answers"))
        with terminal.progress("Asking the router", "queries") as show:
            report = job.categorize(source, target, router, show)
        router.forget()
        if router.n_from_before:
            terminal.say(f"{router.n_from_before:,} answers were there from an earlier run.")
    else:
        if embedding.file is not None:
            raise click.UsageError("--embedding-file has no effect here: labelled and other queries are embedded anew.")
        neighbours = _neighbours(source if labelled is None else labelled, embedding)
        report = job.categorize(source, target, neighbours, lambda _done, _total: None)
    return _written(report, target)


def _neighbours(path: Path, embedding: EmbeddingOptions) -> "Neighbours":
    from vsr.benchmark.categorize import Neighbours
    from vsr.cli.embedding import embed_with_progress
    from vsr.data.messages import TEXTS
    from vsr.data.records import read_queries, unique_key

    labelled = [query for query in read_queries(path) if query.category]
    # The first of each: a query must not find its double when it is asked how well the others tell its category.
    queries = list({unique_key(query.prompt): query for query in reversed(labelled)}.values())[::-1]
    embedder = embedding.load()

    def embed(texts: Sequence[str]) -> "NDArray[np.float32]":
        return embed_with_progress(embedder, texts, embedding.text or TEXTS[0]).vectors

    neighbours = Neighbours(embed, [query.prompt for query in queries], [query.category or "" for query in queries])
    accuracy = neighbours.accuracy()
    if accuracy is None:
        terminal.warn(f"{path} has one labelled query: every other one gets its category; label more")
        return neighbours
    terminal.say(
        f"{len(queries):,} labelled queries of {path} are the pattern; told by the others, {accuracy.n_right:,} of "
        f"{accuracy.n:,} get their own category ({accuracy.n_right / accuracy.n:.0%}; always the commonest one: "
        f"{accuracy.n_commonest / accuracy.n:.0%})."
    )
    if accuracy.n_right <= accuracy.n_commonest:
        terminal.warn("that is no better than always the commonest category: check the labels, or label more")
    return neighbours


def _written(report: "CategorizeReport", target: Path) -> int:
    columns = (terminal.Column("category"), terminal.Column("lines", "right"))
    rows = tuple((name, f"{n:,}") for name, n in report.distribution.most_common())
    terminal.write_table(terminal.Table(columns, rows))
    terminal.say(f"{report.n_rows:,} lines: {report.n_kept:,} had a category, {report.n_added:,} got one; in {target}.")
    if report.unknown:
        names = ", ".join(f"{name} ({n:,})" for name, n in report.unknown.most_common(5))
        terminal.warn(f"names that are no category of ours count as other: {names}")
    if report.failures:
        reasons = ", ".join(f"{reason} ({n:,})" for reason, n in report.failures.most_common(5))
        terminal.warn(
            f"{report.n_without:,} lines are still without a category: {reasons}; run the command on {target}."
        )
    return TOO_MANY_FAILED if report.n_without > _MOST_WITHOUT * report.n_rows else 0
