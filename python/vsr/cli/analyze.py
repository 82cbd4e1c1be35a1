"""`vsr-train analyze`: which decisions of a configuration offer several models, and which need training."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.options import json_option
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vsr.config import RouterConfig
    from vsr.config.analysis import ConfigAnalysis, Reach


@command("analyze")
@option("--config", "path", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The configuration.")
@option(
    "--data-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Queries; say how many of them reach each decision.",
)
@json_option
def analyze(path: Path, data_file: Path | None, as_json: bool) -> None:
    """Show which decisions offer several models, which of them need training, and how many queries reach each."""
    from vsr.config import load_config
    from vsr.data.records import read_queries

    config = load_config(path)
    for warning in config.warnings:
        terminal.warn(warning)
    categories = None if data_file is None else [query.category for query in read_queries(data_file)]
    write_analysis(config, categories, as_json=as_json)


def write_analysis(config: "RouterConfig", categories: "Sequence[str | None] | None" = None, *, as_json: bool) -> None:
    """Analyze a configuration and print what was found; also `train --analyze-only`.

    Args:
        config: the configuration.
        categories: of the queries whose way is to be counted.
        as_json: print one object.

    Raises:
        ConfigError: Two decisions want different artefacts of one algorithm.
    """
    from vsr.config.analysis import analyze as analysis_of
    from vsr.config.analysis import reach

    analysis = analysis_of(config)
    reached = None if categories is None else reach(config, categories)
    if as_json:
        decisions = [{**asdict(decision), "reason": decision.reason} for decision in analysis.decisions]
        document = {**asdict(analysis), "decisions": decisions, "n_to_train": analysis.n_to_train}
        terminal.write_json(document if reached is None else document | {"reach": asdict(reached)})
    else:
        _write(analysis, reached)


def _write(analysis: "ConfigAnalysis", reached: "Reach | None") -> None:
    if not analysis.decisions:
        terminal.write(f"There are no decisions: all {len(analysis.models)} models are asked and trained on.")
        return
    names = ("decision", "domains", "models", "algorithm", "training")
    columns = (*map(terminal.Column, names), *(() if reached is None else (terminal.Column("queries", "right"),)))
    rows = tuple(
        (
            decision.name,
            ", ".join(decision.domains) or "-",
            ", ".join(decision.models) or "-",
            decision.algorithm or "-",
            ("needed: " if decision.needs_training else "not needed: ") + decision.reason,
            *(() if reached is None else (_share(reached.by_decision[decision.name], reached.n_queries),)),
        )
        for decision in analysis.decisions
    )
    terminal.write_table(terminal.Table(columns, rows))
    if reached is not None:
        _write_reach(reached)
    wanted = ", ".join(analysis.algorithms) or "none"
    terminal.write(
        f"{analysis.n_to_train} of {len(analysis.decisions)} decisions need training (algorithms: {wanted}); "
        f"{len(analysis.models)} models are asked and trained on: {', '.join(analysis.models)}."
    )
    if analysis.unused:
        terminal.write(f"No decision offers {', '.join(analysis.unused)}.")


def _write_reach(reached: "Reach") -> None:
    """Say which queries reach no decision, and why that is not all."""
    said = [f"No decision holds for {_share(reached.n_outside, reached.n_queries)} of {reached.n_queries:,} queries."]
    if reached.n_undecided:
        said.append(
            f"{reached.n_undecided:,} have no category, and their decision hangs on it: `vsr-train categorize` adds "
            "categories, and a router predicts them."
        )
    if reached.signal_types:
        said.append(f"Conditions of type {', '.join(reached.signal_types)} come with a request, so none holds here.")
    terminal.write(" ".join(said))


def _share(number: int, total: int) -> str:
    return f"{number:,} ({number / max(total, 1):.0%})"
