"""`vsr-train train`: records in, artefacts and a held-out table out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from vsr.cli import terminal
from vsr.cli.algorithm_options import ALGORITHMS, AlgorithmChoice, AlgorithmsCommand, given_parameters
from vsr.cli.asking import TOO_MANY_FAILED, AskingOptions, ask, asking_options
from vsr.cli.configured import artefact_folder, artefacts_option, config_option, read_config, with_config
from vsr.cli.curve_table import write_sentences, write_target
from vsr.cli.drawing import DrawOptions, draw_options
from vsr.cli.embedding import embed_queries
from vsr.cli.engine import EngineOptions, engine_options
from vsr.cli.evaluation_table import selector_label, write_evaluation
from vsr.cli.file_formats import RECORDS
from vsr.cli.findings import say_findings
from vsr.cli.holding_out import compared_option, holdout_option, splits_option
from vsr.cli.options import (
    EmbeddingOptions,
    ObjectiveOptions,
    embedding_options,
    json_option,
    objective_options,
    seed_option,
)
from vsr.cli.production_labels import FeedbackOptions, feedback_options
from vsr.cli.records import RECORDS_NAME, read_measured
from vsr.cli.report import ReportOptions, report_options
from vsr.cli.sections import command, option
from vsr.selectors import registry

if TYPE_CHECKING:
    from vsr.config import RouterConfig
    from vsr.evaluation.compare_and_train import TrainingResult

QUERIES_NAME = "training_data_with_category.jsonl"
_BENCHMARK = "Asking first"


@command("train", cls=AlgorithmsCommand, epilog=RECORDS)
@option(
    "--data-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    show_default=f"{RECORDS_NAME}; with --benchmark {QUERIES_NAME}",
    help="Records, one line per query and model; with --benchmark the queries. Also .gz, .parquet.",
)
@artefacts_option("--output-dir", "Where the artefacts go.")
@option(
    "--keep-versions",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="one training; all where the folder keeps versions already",
    help="Write to a folder of its own in --output-dir, let the link `current` lead there, and keep the last N.",
)
@config_option("Train on the models that its decisions offer, with its parameters.")
@option("--analyze-only", is_flag=True, help="Say which decisions of the configuration need training; train nothing.")
@option("--skip-bad-lines", is_flag=True, help="Leave out lines that cannot be read, and count them.")
@holdout_option()
@splits_option()
@compared_option()
@option(
    "--categories",
    type=click.Choice(("given", "predicted")),
    default="predicted",
    show_default=True,
    help="How queries will arrive: with their category, or to have it predicted. The verdict is for that.",
)
@option(
    "--preferences",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Pairs of models, one preferred: matrix factorization learns from them.",
)
@feedback_options
@option("--benchmark", is_flag=True, section=_BENCHMARK, help="Ask every LLM of the configuration every query first.")
@asking_options(_BENCHMARK)
@draw_options(_BENCHMARK)
@option(
    "--algorithm",
    "algorithms",
    section=ALGORITHMS,
    type=AlgorithmChoice(),
    multiple=True,
    show_default="all",
    help="Train this one; may be repeated.",
)
@option(
    "--artefact-format",
    type=click.Choice(("auto", "json", "binary")),
    default="auto",
    show_default="auto: binary above 20,000 rows",
    help="Artefacts as JSON alone, or with their big arrays in a safetensors file beside it.",
)
@embedding_options
@objective_options("0.9", with_targets=True)
@engine_options
@report_options
@seed_option
@json_option
def train(
    data_file: Path | None,
    output_dir: Path | None,
    keep_versions: int | None,
    config_path: Path | None,
    analyze_only: bool,
    skip_bad_lines: bool,
    holdout: float | None,
    splits: int | None,
    compare_on: int | None,
    categories: Literal["given", "predicted"],
    preferences: Path | None,
    feedback: FeedbackOptions,
    benchmark: bool,
    asking: AskingOptions,
    draw: DrawOptions,
    algorithms: tuple[str, ...],
    artefact_format: Literal["auto", "json", "binary"],
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    engine: EngineOptions,
    report: ReportOptions,
    seed: int,
    as_json: bool,
    **flags: Any,
) -> int:
    """Train selectors on measured records and say whether routing pays.

    Reads records, embeds the queries, compares selectors with the best single model on queries that they have
    not seen, writes one artefact per selector, and which of them it recommends.
    """
    from vsr._files import require_writable
    from vsr.choice.objective import Objective
    from vsr.data.categories import category_codes
    from vsr.data.preferences import read_preferences
    from vsr.diagnosis import check_outcomes
    from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train
    from vsr.evaluation.settings import MOST_COMPARED
    from vsr.features.classifier import CategoryClassifier
    from vsr.training.pairs import GradedQueries, learnt_features

    _check_combination(config_path, analyze_only=analyze_only, benchmark=benchmark, asking=asking, draw=draw)
    if draw.makes_part and embedding.file is not None:
        raise click.UsageError(
            f"--embedding-file contradicts {draw.given()[0]}: its rows are those of records that are not drawn yet."
        )
    if draw.until_decided and objective.target is not None:
        raise click.UsageError(
            f"--until-decided contradicts {next(iter(objective.targets()))}: the objective is found when all is asked."
        )
    if splits is not None and holdout is not None:
        raise click.UsageError("--splits has no effect with --holdout: queries are held out once.")
    if analyze_only and engine.is_ray:
        raise click.UsageError("--engine ray has no effect with --analyze-only: nothing is compared.")
    if analyze_only and report.directory is not None:
        raise click.UsageError("--report has no effect with --analyze-only: nothing is compared.")
    if analyze_only and compare_on is not None:
        raise click.UsageError("--compare-on has no effect with --analyze-only: nothing is compared.")
    if analyze_only and keep_versions is not None:
        raise click.UsageError("--keep-versions has no effect with --analyze-only: nothing is trained.")
    chosen = registry.parts_first(dict.fromkeys(algorithms or registry.names()))
    feedback.check(chosen, embedding, analyze_only=analyze_only)
    config = None if config_path is None else read_config(config_path)
    if analyze_only and config is not None:
        from vsr.cli.analyze import write_analysis

        write_analysis(config, as_json=as_json)
        return 0
    _check_format(chosen, artefact_format)
    parameters = given_parameters(chosen, flags, {} if config is None else config.algorithm_parameters())
    feedback.check_solver(parameters)
    folder = artefact_folder(output_dir, config)
    if config is not None:
        embedding = with_config(embedding, config)
    if preferences is not None:
        _check_preferences(chosen, embedding)
    require_writable(folder)
    report.require()
    engine.require()
    # Known before anything is asked: a target's own weights come later.
    wanted = objective.over(Objective())
    asked = None
    if benchmark and config is not None:
        if wanted.cost_share > 0 or objective.target_cost is not None:
            _require_prices(config)
        if embedding.file is None:
            embedding.load()  # what is missing there is better said before hours of asking than behind them
        records_path = folder / RECORDS_NAME
        queries_path = data_file or Path(QUERIES_NAME)
        asked = ask(
            config,
            queries_path,
            records_path,
            asking,
            seed=seed,
            skip_bad_lines=skip_bad_lines,
            draw=draw,
            embedding=embedding,
            objective=wanted,
        )
    else:
        records_path = data_file or Path(RECORDS_NAME)
    if asked is not None:
        from vsr.cli.run_display import say_summary

        say_summary(asked)
        if asked.is_interrupted:
            return asking.exit_code(asked)
        terminal.say()
    offered = None if config is None else config.offered_models()
    outcomes = read_measured(records_path, offered, skip_bad_lines=skip_bad_lines)
    found = check_outcomes(outcomes, str(records_path), wanted)
    if preferences is not None:
        # Pairs say which model is better where qualities do not.
        found = tuple(finding for finding in found if finding.check not in ("all-zero", "all-equal"))
    say_findings(found, "Nothing has been trained.")
    pairs = None
    if preferences is not None:
        pairs = read_preferences(preferences, outcomes.models, outcomes.queries, skip_bad_lines=skip_bad_lines)
        if pairs.n_bad_lines:
            terminal.warn(f"{preferences}: {pairs.n_bad_lines:,} bad lines left out")
        if pairs.n_measured:
            terminal.warn(f"{pairs.n_measured:,} preference pairs left out: records of their queries say more")
    labels = feedback.read(outcomes, skip_bad_lines=skip_bad_lines)
    if labels is not None and labels.pairs.queries:
        own = labels.pairs.weighted(feedback.weight)
        pairs = own if pairs is None else pairs.followed_by(own)
    further = (*(() if pairs is None else pairs.queries), *(() if labels is None else labels.queries))
    # All at once: a model is loaded once, and texts are reported once.
    vectors = embed_queries([*outcomes.queries, *further], embedding)
    embeddings = vectors.embeddings[: outcomes.n_queries]
    learnt = classifier = None
    if further:
        measured = outcomes.measured_rows
        codes = category_codes([outcomes.categories[row] for row in measured.tolist()])
        classifier = CategoryClassifier.where_labelled_enough(embeddings[measured], codes)
        graded = None
        if labels is not None and labels.queries:
            graded = GradedQueries(labels.queries, labels.categories, labels.quality, feedback.weight)
        of_further = vectors.embeddings[outcomes.n_queries :]
        learnt = learnt_features(pairs, graded, of_further, outcomes.models, classifier)
    settings = TrainingSettings(
        algorithms=chosen,
        parameters=parameters,
        objective=objective.to_train_with(outcomes),
        target=objective.target,
        seed=seed,
        holdout=holdout,
        splits=splits,
        most_compared=MOST_COMPARED if compare_on is None else compare_on,
        categories=categories,
        preferences=learnt,
        classifier=classifier,
        artefact_format=artefact_format,
        keep_versions=keep_versions,
    )
    with engine.folds() as works_on_folds, terminal.progress("Training", "steps") as show:
        result = compare_and_train(
            outcomes,
            embeddings,
            vectors.fingerprint,
            folder,
            replace(settings, engine=works_on_folds),
            progress=lambda what, done, total: show(done, total, note=what),
        )
    _print(result, folder, as_json=as_json)
    remarks = tuple(f"{note}." for selector in result.selectors for note in selector.predictor.notes)
    report.write(result.evaluation, result.held, categories, records_path, remarks)
    exit_code = 0 if asked is None else asking.exit_code(asked)
    if asked is not None and exit_code == TOO_MANY_FAILED:
        asking.say_too_many_failed(asked)
    return exit_code


def _check_combination(
    config_path: Path | None, *, analyze_only: bool, benchmark: bool, asking: AskingOptions, draw: DrawOptions
) -> None:
    """Refuse flags that would do nothing beside the others."""
    if config_path is None and (analyze_only or benchmark):
        raise click.UsageError(f"{'--analyze-only' if analyze_only else '--benchmark'} needs --config FILE.")
    if analyze_only and benchmark:
        raise click.UsageError("--benchmark has no effect with --analyze-only: nothing is asked.")
    if not benchmark:
        for flag in (*asking.given(), *draw.given()):
            raise click.UsageError(f"{flag} has no effect without --benchmark.")
    draw.check(asking.samples)


def _check_format(algorithms: Sequence[str], artefact_format: str) -> None:
    """Refuse to write apart what nobody has."""
    able = [name for name in registry.names() if registry.algorithm(name).stored_patterns()]
    if artefact_format == "binary" and not set(able) & set(algorithms):
        raise click.UsageError(
            f"--artefact-format binary has no effect here: only {', '.join(able)} have big arrays, and none of them is "
            "trained (--algorithm)."
        )


def _require_prices(config: "RouterConfig") -> None:
    """Refuse to ask for costs that nobody will know."""
    import os

    from vsr.asking.models import asked_models

    if not any(model.tells_cost for model in asked_models(config, os.environ).models):
        raise click.UsageError(
            "--cost-share has no effect: no model in the configuration has prices (pricing), so no call has a cost."
        )


def _check_preferences(algorithms: Sequence[str], embedding: EmbeddingOptions) -> None:
    learning = [name for name in registry.names() if registry.algorithm(name).learns_from_preferences]
    if not set(learning) & set(algorithms):
        raise click.UsageError(f"--preferences has no effect here: {', '.join(learning)} is not trained (--algorithm).")
    if embedding.file is not None:
        raise click.UsageError("--preferences needs an embedding model: --embedding-file lacks vectors of its queries.")


def _print(result: "TrainingResult", folder: Path, *, as_json: bool) -> None:
    from vsr.evaluation.document import evaluation_document

    for note in result.notes:
        terminal.warn(note)
    if as_json:
        terminal.write_json(
            {
                "verdict": None if result.evaluation is None else result.evaluation.verdict.kind,
                "recommended": result.recommended,
                "evaluation": None
                if result.evaluation is None
                else evaluation_document(result.evaluation, with_curve=True),
                "selectors": {
                    selector.name: {
                        "file": str(path),
                        "parameters": selector.parameters,
                        "calibration_slope": selector.slope,
                    }
                    for selector, path in zip(result.selectors, result.paths, strict=True)
                },
                "notes": list(result.notes),
                "duration_s": round(result.duration_s, 3),
            }
        )
        return
    if result.evaluation is not None:
        write_target(result.evaluation)
        write_evaluation(result.evaluation)
        if result.evaluation.method("judged").cost_usd is not None:
            write_sentences(result.evaluation)
    terminal.say()
    terminal.say(f"Trained on all queries in {terminal.duration(result.duration_s)}:")
    for selector, path in zip(result.selectors, result.paths, strict=True):
        terminal.say(f"  {selector_label(selector)}: {path}")
    always = "" if result.always is None else f" (always {result.always})"
    terminal.say(f"Recommended, and the default of `vsr-train select`: {result.recommended}{always}.")
    written = result.paths[0].parent
    if written != folder:
        terminal.say(f"Version {written.name} is current; `vsr-train use {folder}` lists all, and goes back.")
