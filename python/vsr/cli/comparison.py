"""`vsr-train evaluate` on records alone: the comparison that `train` prints, nothing written."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vsr.cli import terminal
from vsr.cli.baselines import rivals_of
from vsr.cli.configured import read_config, with_config
from vsr.cli.curve_table import write_curve, write_target
from vsr.cli.decisions_table import write_decisions
from vsr.cli.embedding import embed_queries
from vsr.cli.evaluation_table import write_evaluation
from vsr.cli.metrics_table import write_metrics
from vsr.cli.options import EmbeddingOptions, ObjectiveOptions
from vsr.cli.records import RECORDS_NAME, read_measured
from vsr.cli.report import ReportOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vsr.config import Decision
    from vsr.evaluation.compare_and_train import HeldComparison, TrainingSettings
    from vsr.evaluation.decisions import DecisionsEvaluation
    from vsr.evaluation.preparation import PreparedTraining


@dataclass(frozen=True)
class ComparisonOptions:
    """What to compare and how, as the flags say; None where a flag was not given."""

    data_file: Path | None
    skip_bad_lines: bool
    categories: Literal["given", "predicted"] | None
    algorithms: tuple[str, ...]
    config_path: Path | None
    folds: int | None
    splits: int | None
    holdout: float | None
    compare_on: int | None
    baselines: tuple[str, ...]
    seed: int


def compare_records(
    options: ComparisonOptions,
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    report: ReportOptions,
    *,
    as_json: bool,
) -> None:
    """Compare selectors on held-out queries and print the table and the verdict.

    Raises:
        RecordError: The records cannot be read, or hold nothing to learn from.
        ConfigError: The configuration cannot be used.
        EmbeddingError: The embedding model is not to be had.
        TrainingError: Too few queries.
    """
    from vsr.evaluation.compare_and_train import N_FOLDS, TrainingSettings, compare_prepared
    from vsr.evaluation.document import evaluation_document, metrics_document
    from vsr.evaluation.metrics.measure import metrics_of
    from vsr.evaluation.preparation import prepare_training
    from vsr.evaluation.settings import MOST_COMPARED
    from vsr.selectors import registry

    report.require()
    records = options.data_file or Path(RECORDS_NAME)
    config = None if options.config_path is None else read_config(options.config_path)
    if config is not None:
        embedding = with_config(embedding, config)
    outcomes = read_measured(
        records,
        None if config is None else config.offered_models(),
        skip_bad_lines=options.skip_bad_lines,
    )
    vectors = embed_queries(outcomes.queries, embedding)
    prepared = prepare_training(outcomes, vectors.embeddings)
    settings = TrainingSettings(
        algorithms=registry.parts_first(dict.fromkeys(options.algorithms or registry.names())),
        parameters={} if config is None else config.algorithm_parameters(),
        objective=objective.to_train_with(outcomes),
        target=objective.target,
        seed=options.seed,
        holdout=options.holdout,
        folds=options.folds or N_FOLDS,
        splits=options.splits,
        most_compared=options.compare_on or MOST_COMPARED,
        categories=options.categories or "predicted",
        rivals=rivals_of(options.baselines),
    )
    notes = list(prepared.notes)
    with terminal.progress("Comparing", "steps") as show:
        comparison = compare_prepared(prepared, settings, notes, progress=_told(show))
    for note in notes:
        terminal.warn(note)
    evaluation = None if comparison is None else comparison.evaluation
    metrics = None
    if comparison is not None and evaluation is not None:
        metrics = metrics_of(comparison.held, evaluation, settings.categories)
    decisions = None
    if config is not None and config.decisions and comparison is not None:
        decisions = _judge_decisions(config.decisions, comparison, prepared, settings)
    if as_json:
        terminal.write_json(
            {
                "verdict": None if evaluation is None else evaluation.verdict.kind,
                "evaluation": None if evaluation is None else evaluation_document(evaluation, with_curve=True),
                **({} if metrics is None else metrics_document(metrics)),
                **({} if decisions is None else {"decisions": asdict(decisions)}),
                "notes": notes,
            }
        )
    elif evaluation is not None and metrics is not None:
        write_target(evaluation)
        write_evaluation(evaluation, shows_baselines=True)
        write_curve(evaluation)
        terminal.write("")
        write_metrics(metrics)
        if decisions is not None:
            terminal.write("")
            write_decisions(decisions)
    report.write(evaluation, None if comparison is None else comparison.held, settings.categories, records)


def _judge_decisions(
    decisions: "Sequence[Decision]",
    comparison: "HeldComparison",
    prepared: "PreparedTraining",
    settings: "TrainingSettings",
) -> "DecisionsEvaluation":
    """Judge every decision, each with the algorithm that it names; the scores of one algorithm are kept at a time."""
    from vsr.evaluation.compare_and_train import compare_prepared
    from vsr.evaluation.decisions import judge_decisions
    from vsr.selectors import registry

    objective = comparison.evaluation.objective
    default = comparison.held.recommended
    held_of = {default: comparison.held}
    wanted = dict.fromkeys(
        decision.algorithm.type for decision in decisions if decision.algorithm is not None and decision.needs_training
    )
    for name in wanted:
        # What combines others needs them all; it is what is recommended wherever it was compared.
        if name in held_of or name not in settings.algorithms or registry.algorithm(name).combines:
            continue
        alone = replace(settings, algorithms=(name,), objective=objective, rivals=(), target=None)
        with terminal.progress(f"Comparing {name} for its decisions", "steps") as show:
            own = compare_prepared(prepared, alone, [], progress=_told(show))
        if own is not None:
            held_of[name] = own.held
    return judge_decisions(decisions, held_of, default, objective, settings.categories, settings.seed)


def _told(show: terminal.Progress) -> "Callable[[str, int, int], None]":
    """Pass on what a comparison tells of its steps."""
    return lambda what, done, total: show(done, total, note=what)
