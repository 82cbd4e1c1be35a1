"""`vsr-train evaluate` on records alone: the comparison that `train` prints, nothing written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vsr.cli import terminal
from vsr.cli.baselines import rivals_of
from vsr.cli.configured import read_config, with_config
from vsr.cli.curve_table import write_curve, write_target
from vsr.cli.embedding import embed_queries
from vsr.cli.evaluation_table import write_evaluation
from vsr.cli.metrics_table import write_metrics
from vsr.cli.options import EmbeddingOptions, ObjectiveOptions
from vsr.cli.records import RECORDS_NAME, read_measured
from vsr.cli.report import ReportOptions


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
    from vsr.evaluation.cross_validation import N_SPLITS
    from vsr.evaluation.document import evaluation_document, metrics_document
    from vsr.evaluation.metrics.measure import metrics_of
    from vsr.evaluation.metrics.sweep import Sweep
    from vsr.evaluation.preparation import prepare_training
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
        text=embedding.text_of,
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
        splits=options.splits or N_SPLITS,
        categories=options.categories or "predicted",
        rivals=rivals_of(options.baselines),
    )
    notes = list(prepared.notes)
    with terminal.progress("Comparing", "steps") as show:
        comparison = compare_prepared(
            prepared, settings, notes, progress=lambda what, done, total: show(done, total, note=what)
        )
    for note in notes:
        terminal.warn(note)
    evaluation = None if comparison is None else comparison.evaluation
    metrics = None
    if comparison is not None and evaluation is not None:
        sweep = None if evaluation.curve is None else Sweep.of(evaluation.curve, evaluation.highest_quality)
        metrics = metrics_of(comparison.held, evaluation, settings.categories, sweep)
    if as_json:
        terminal.write_json(
            {
                "verdict": None if evaluation is None else evaluation.verdict.kind,
                "evaluation": None if evaluation is None else evaluation_document(evaluation, with_curve=True),
                **({} if metrics is None else metrics_document(metrics)),
                "notes": notes,
            }
        )
    elif evaluation is not None and metrics is not None:
        write_target(evaluation)
        write_evaluation(evaluation, shows_baselines=True)
        write_curve(evaluation)
        terminal.write("")
        write_metrics(metrics)
    report.write(evaluation, None if comparison is None else comparison.held, settings.categories, records)
