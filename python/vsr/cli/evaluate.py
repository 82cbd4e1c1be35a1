"""`vsr-train evaluate`: does routing pay, do saved artefacts keep their promise, are new queries like the old ones.

What is there says which of them is asked: records alone are compared as `train` compares them; with artefacts they
judge these; queries without records show what the artefacts would choose for them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click

from vsr.cli.algorithm_options import AlgorithmChoice
from vsr.cli.configured import config_option
from vsr.cli.options import (
    EmbeddingOptions,
    FiniteRange,
    ObjectiveOptions,
    embedding_options,
    json_option,
    objective_options,
    seed_option,
)
from vsr.cli.sections import command, option

_COMPARISON = "Comparison (records alone)"


@command("evaluate")
@option(
    "--data-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    show_default="benchmark_training_data.jsonl",
    help="Records, one line per query and model. Also .gz.",
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
@config_option("Compare the models that its decisions offer.")
@option(
    "--folds",
    section=_COMPARISON,
    type=click.IntRange(min=2),
    metavar="N",
    show_default="5",
    help="Hold out each of so many parts of the queries in turn.",
)
@option(
    "--splits",
    section=_COMPARISON,
    type=click.IntRange(min=1),
    metavar="N",
    show_default="3",
    help="Split the queries into folds so often; 1 takes a third of the time.",
)
@option(
    "--holdout",
    section=_COMPARISON,
    type=FiniteRange(0.0, 1.0, min_open=True, max_open=True),
    metavar="0..1",
    show_default="5 folds",
    help="Hold out this share of the queries once instead.",
)
@embedding_options
@objective_options("0.9", with_targets=True)
@seed_option
@json_option
def evaluate(
    data_file: Path | None,
    skip_bad_lines: bool,
    categories: Literal["given", "predicted"] | None,
    algorithms: tuple[str, ...],
    config_path: Path | None,
    folds: int | None,
    splits: int | None,
    holdout: float | None,
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    seed: int,
    as_json: bool,
) -> None:
    """Say whether routing pays, and write nothing.

    With records alone it compares selectors with the best single model on queries that they have not seen, as `train`
    does.
    """
    from vsr.cli.comparison import ComparisonOptions, compare_records

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
            seed=seed,
        ),
        embedding,
        objective,
        as_json=as_json,
    )


def _refuse(flags: Mapping[str, Any], where: str) -> None:
    """Refuse flags that were given and would do nothing."""
    for flag, value in flags.items():
        if value not in (None, False, ()):
            raise click.UsageError(f"{flag} has no effect {where}.")
