"""The verdict per decision, as `evaluate --config` prints it."""

from typing import TYPE_CHECKING

from vsr.cli import terminal
from vsr.cli.evaluation_table import points
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.evaluation.decisions import DecisionsEvaluation, DecisionVerdict

_SAID = {
    "route": "route by {algorithm}",
    "category_table": "a table per category is enough",
    "static": "always {best_single}",
    "identical": "always {best_single}, as {algorithm} does",
    "inconclusive": "not decided: {best_single} until then",
    "one_model": "nothing to choose",
    "too_few": "too few queries to say",
}


def write_decisions(evaluation: "DecisionsEvaluation") -> None:
    """Print one line per decision, and what the records cannot say."""
    level = f"{100.0 * evaluation.level:.3g} %"
    columns = (
        Column("decision"),
        Column("queries", "right"),
        Column("models", "right"),
        Column("gain", "right"),
        Column(level, "right"),
        Column("verdict"),
    )
    rows = tuple(
        (
            each.name,
            f"{each.n_queries:,} ({each.share:.0%})",
            f"{len(each.models)}",
            "-" if each.gain is None else points(each.gain.mean),
            "" if each.gain is None else f"{points(each.gain.low)} .. {points(each.gain.high)}",
            _SAID[each.kind].format(algorithm=each.algorithm, best_single=each.best_single),
        )
        for each in evaluation.decisions
    )
    terminal.write_table(Table(columns, rows))
    n_judged = sum(each.best_single is not None for each in evaluation.decisions)
    if n_judged > 1:
        terminal.write(
            f"Gains in points over the best single model that the decision offers; {n_judged} decisions are judged at "
            f"once, so intervals of {level} hold all of them together in 95 of 100 cases."
        )
    if evaluation.n_outside:
        terminal.write(
            f"{evaluation.n_outside:,} of {evaluation.n_queries:,} queries fall into no decision by their category."
        )
    for each in evaluation.decisions:
        _write_unknown(each)


def _write_unknown(each: "DecisionVerdict") -> None:
    if each.unmeasured:
        terminal.write(f"{each.name} also offers {', '.join(each.unmeasured)}, which the records do not measure.")
    if each.unknown_signals:
        terminal.write(
            f"{each.name} depends on {', '.join(each.unknown_signals)}, which records do not hold: taken as not "
            "holding, so its share may be larger or smaller."
        )
