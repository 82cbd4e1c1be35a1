"""`vsr-train evaluate`: does routing pay, do saved artefacts keep their promise, are new queries like the old ones.

What is there says which of them is asked: records alone are compared as `train` compares them; with artefacts they
judge these; queries without records show what the artefacts would choose for them; a decision log with feedback says
what other choices would have brought.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from vsr.cli.algorithm_options import AlgorithmChoice
from vsr.cli.baselines import BASELINES, NO_BASELINES
from vsr.cli.configured import DEFAULT_OUTPUT_DIR, config_option
from vsr.cli.holding_out import compared_option, holdout_option, splits_option
from vsr.cli.options import (
    EmbeddingOptions,
    ObjectiveOptions,
    embedding_options,
    json_option,
    objective_options,
    seed_option,
)
from vsr.cli.report import ReportOptions, report_options
from vsr.cli.sections import command, option

_COMPARISON = "Comparison (records alone)"


@command("evaluate")
@option(
    "--data-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    show_default="benchmark_training_data.jsonl",
    help="Records, one line per query and model. Also .gz, .parquet.",
)
@option("--skip-bad-lines", is_flag=True, help="Leave out lines that cannot be read, and count them.")
@option(
    "--categories",
    type=click.Choice(("given", "predicted")),
    show_default="predicted",
    help="How queries will arrive: with their category, or to have it predicted.",
)
@option(
    "--algorithm",
    "algorithms",
    type=AlgorithmChoice(),
    multiple=True,
    show_default="all",
    help="Evaluate this one; may be repeated.",
)
@option(
    "--models-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    show_default=f"with --queries {DEFAULT_OUTPUT_DIR}",
    help="Judge the artefacts of this folder on records that they have not seen.",
)
@option(
    "--queries",
    "queries_file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Queries without records: show what the artefacts would choose for them.",
)
@option(
    "--log",
    type=click.Path(path_type=Path, allow_dash=True),
    multiple=True,
    metavar="FILE|DIR",
    help="Decisions of `serve --log`: judge another objective or artefact on them. May be repeated.",
)
@option(
    "--feedback",
    "feedback_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --log: how good the answers were, by decision or by query.",
)
@config_option("Compare the models that its decisions offer, with a verdict per decision.")
@option(
    "--folds",
    section=_COMPARISON,
    type=click.IntRange(min=2),
    metavar="N",
    show_default="5",
    help="Hold out each of so many parts of the queries in turn.",
)
@splits_option(_COMPARISON)
@holdout_option(_COMPARISON)
@compared_option(_COMPARISON)
@option(
    "--baseline",
    "baselines",
    section=_COMPARISON,
    type=click.Choice((*BASELINES, NO_BASELINES)),
    multiple=True,
    show_default="all that are installed",
    help="Compare with this router of others; may be repeated. litellm takes the extra of that name.",
)
@embedding_options
@objective_options("0.9", with_targets=True)
@report_options
@seed_option
@json_option
def evaluate(
    data_file: Path | None,
    skip_bad_lines: bool,
    categories: Literal["given", "predicted"] | None,
    algorithms: tuple[str, ...],
    models_dir: Path | None,
    queries_file: Path | None,
    log: tuple[Path, ...],
    feedback_file: Path | None,
    config_path: Path | None,
    folds: int | None,
    splits: int | None,
    holdout: float | None,
    compare_on: int | None,
    baselines: tuple[str, ...],
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    report: ReportOptions,
    seed: int,
    as_json: bool,
) -> None:
    """Say whether routing pays, or keeps what it promised; write nothing.

    With records alone it compares selectors with the best single model on queries that they have not seen, as `train`
    does. With --models-dir it judges saved artefacts on records that were not in their training. With --queries it
    shows what the artefacts would choose, and how far these queries are from those that were measured. With --log and
    --feedback it says what another objective, algorithm or artefact would have brought on the traffic that was served.
    """
    from vsr.cli.comparison import ComparisonOptions, compare_records

    comparison_only = {
        "--config": config_path,
        "--folds": folds,
        "--splits": splits,
        "--holdout": holdout,
        "--compare-on": compare_on,
        "--baseline": baselines,
        "--report": report.directory,
    }
    if log or feedback_file is not None:
        from vsr.cli.logged import judge_log

        if feedback_file is None or not log:
            raise click.UsageError("--log and --feedback belong together: decisions, and how good their answers were.")
        where = "with --log: logged decisions are judged"
        others = {"--data-file": data_file, "--queries": queries_file, "--categories": categories}
        _refuse({**others, "--embedding-file": embedding.file, **comparison_only, **objective.targets()}, where)
        if click.get_current_context().get_parameter_source("seed") is ParameterSource.COMMANDLINE:
            _refuse({"--seed": "given"}, where)
        judge_log(
            log,
            feedback_file,
            models_dir,
            algorithms,
            embedding,
            objective,
            skip_bad_lines=skip_bad_lines,
            as_json=as_json,
        )
        return
    if queries_file is not None:
        from vsr.cli.deployed import foresee_choices

        where = "with --queries: nothing was measured"
        _refuse({"--data-file": data_file, "--categories": categories, **comparison_only}, where)
        _refuse(objective.targets(), "with --queries: the artefacts have their objective")
        if click.get_current_context().get_parameter_source("seed") is ParameterSource.COMMANDLINE:
            _refuse({"--seed": "given"}, where)
        folder = models_dir or Path(DEFAULT_OUTPUT_DIR)
        foresee_choices(
            folder, queries_file, algorithms, embedding, objective, skip_bad_lines=skip_bad_lines, as_json=as_json
        )
        return
    if models_dir is not None:
        from vsr.cli.deployed import judge_artefacts

        _refuse({**comparison_only, **objective.targets()}, "with --models-dir: artefacts are judged as they are")
        if data_file is None:
            raise click.UsageError("--models-dir needs --data-file FILE (new records) or --queries FILE.")
        judge_artefacts(
            models_dir,
            data_file,
            algorithms,
            categories,
            embedding,
            objective,
            seed=seed,
            skip_bad_lines=skip_bad_lines,
            as_json=as_json,
        )
        return
    if NO_BASELINES in baselines and len(baselines) > 1:
        raise click.UsageError(f"--baseline {NO_BASELINES} has no effect beside others.")
    if holdout is not None:
        _refuse({"--folds": folds, "--splits": splits}, "with --holdout: queries are held out once")
    compare_records(
        ComparisonOptions(
            data_file=data_file,
            skip_bad_lines=skip_bad_lines,
            categories=categories,
            algorithms=algorithms,
            config_path=config_path,
            folds=folds,
            splits=splits,
            holdout=holdout,
            compare_on=compare_on,
            baselines=baselines,
            seed=seed,
        ),
        embedding,
        objective,
        report,
        as_json=as_json,
    )


def _refuse(flags: Mapping[str, Any], where: str) -> None:
    """Refuse flags that were given and would do nothing."""
    for flag, value in flags.items():
        if value not in (None, False, ()):
            raise click.UsageError(f"{flag} has no effect {where}.")
