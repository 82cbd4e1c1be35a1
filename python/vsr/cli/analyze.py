"""`vsr-train analyze`: which decisions of a configuration offer several models, and which need training."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.options import json_option
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from vsr.config import RouterConfig
    from vsr.config.analysis import ConfigAnalysis


@command("analyze")
@option("--config", "path", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The configuration.")
@json_option
def analyze(path: Path, as_json: bool) -> None:
    """Show which decisions offer several models, and which of them need training."""
    from vsr.config import load_config

    config = load_config(path)
    for warning in config.warnings:
        terminal.warn(warning)
    write_analysis(config, as_json=as_json)


def write_analysis(config: "RouterConfig", *, as_json: bool) -> None:
    """Analyze a configuration and print what was found; also `train --analyze-only`.

    Raises:
        ConfigError: Two decisions want different artefacts of one algorithm.
    """
    from vsr.config.analysis import analyze as analysis_of

    analysis = analysis_of(config)
    if as_json:
        decisions = [{**asdict(decision), "reason": decision.reason} for decision in analysis.decisions]
        terminal.write_json({**asdict(analysis), "decisions": decisions, "n_to_train": analysis.n_to_train})
    else:
        _write(analysis)


def _write(analysis: "ConfigAnalysis") -> None:
    if not analysis.decisions:
        terminal.write(f"There are no decisions: all {len(analysis.models)} models are asked and trained on.")
        return
    columns = tuple(map(terminal.Column, ("decision", "domains", "models", "algorithm", "training")))
    rows = tuple(
        (
            decision.name,
            ", ".join(decision.domains) or "-",
            ", ".join(decision.models) or "-",
            decision.algorithm or "-",
            ("needed: " if decision.needs_training else "not needed: ") + decision.reason,
        )
        for decision in analysis.decisions
    )
    terminal.write_table(terminal.Table(columns, rows))
    wanted = ", ".join(analysis.algorithms) or "none"
    terminal.write(
        f"{analysis.n_to_train} of {len(analysis.decisions)} decisions need training (algorithms: {wanted}); "
        f"{len(analysis.models)} models are asked and trained on: {', '.join(analysis.models)}."
    )
    if analysis.unused:
        terminal.write(f"No decision offers {', '.join(analysis.unused)}.")
