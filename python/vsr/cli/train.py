"""`vsr-train train`: records in, artefacts and a held-out table out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.embedding import embed_queries
from vsr.cli.evaluation_table import selector_label, write_evaluation
from vsr.cli.options import (
    SHARE,
    EmbeddingOptions,
    ObjectiveOptions,
    embedding_options,
    json_option,
    objective_options,
    seed_option,
)
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from vsr.jobs import TrainingResult

ALGORITHMS = ("knn", "kmeans", "svm", "mlp", "matrix_factorization")
DEFAULT_RECORDS = "benchmark_training_data.jsonl"
_ALGORITHM = "Algorithms"


class _NumberOrAuto(click.ParamType[Any]):
    """A positive number, or `auto`."""

    name = "number or auto"

    def __init__(self, kind: type[int] | type[float]) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Read it."""
        if value == "auto" or isinstance(value, int | float):
            return value
        try:
            number = self._kind(value)
        except ValueError:
            number = self._kind(0)
        if not 0 < number < float("inf"):
            kind = "a whole number of 1 or more" if self._kind is int else "a number above 0"
            self.fail(f"{value!r} is neither {kind} nor 'auto'.", param, ctx)
        return number


class _Layers(click.ParamType[Any]):
    """Widths of hidden layers with commas between them, or `auto`."""

    name = "layers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Read them."""
        if value == "auto" or not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isdigit() and int(part) > 0 for part in parts):
            self.fail(f"{value!r} is neither a list of widths such as 256,128 nor 'auto'.", param, ctx)
        return tuple(int(part) for part in parts)


@command("train")
@option(
    "--data-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    show_default=DEFAULT_RECORDS,
    help="Records: one line per query and model, also .gz.",
)
@option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    default=Path("trained_models"),
    show_default=True,
    help="Where the artefacts go.",
)
@option("--skip-bad-lines", is_flag=True, help="Leave out lines that cannot be read, and count them.")
@option(
    "--holdout",
    type=SHARE,
    metavar="0..1",
    show_default="5 folds",
    help="Hold out this share of the queries once instead.",
)
@option(
    "--algorithm",
    "algorithms",
    section=_ALGORITHM,
    type=click.Choice(ALGORITHMS),
    multiple=True,
    show_default="all five",
    help="Train this one; may be repeated.",
)
@option(
    "--knn-k",
    section=_ALGORITHM,
    type=_NumberOrAuto(int),
    metavar="N",
    show_default="auto",
    help="Neighbours; the documented system has 5.",
)
@option(
    "--knn-index",
    section=_ALGORITHM,
    type=click.Choice(("auto", "ball-tree", "flat")),
    show_default="auto",
    help="How neighbours are found.",
)
@option(
    "--kmeans-clusters",
    section=_ALGORITHM,
    type=_NumberOrAuto(int),
    metavar="N",
    show_default="auto",
    help="Clusters; the documented system has 8.",
)
@option(
    "--svm-kernel",
    section=_ALGORITHM,
    type=click.Choice(("rbf", "linear")),
    show_default="rbf",
    help="Kernel of the SVM.",
)
@option(
    "--svm-gamma",
    section=_ALGORITHM,
    type=_NumberOrAuto(float),
    metavar="X",
    show_default="1 / (width * variance)",
    help="Width of the RBF kernel.",
)
@option(
    "--svm-c",
    section=_ALGORITHM,
    type=_NumberOrAuto(float),
    metavar="X",
    show_default="auto",
    help="Weight of an error.",
)
@option(
    "--svm-solver",
    section=_ALGORITHM,
    type=click.Choice(("auto", "linfa", "shared-gram")),
    show_default="auto",
    help="What fits the SVM.",
)
@option(
    "--mlp-hidden-layers",
    section=_ALGORITHM,
    type=_Layers(),
    metavar="N,N",
    show_default="256,128",
    help="Widths of the hidden layers, or auto.",
)
@option(
    "--mf-num-factors",
    section=_ALGORITHM,
    type=click.IntRange(min=1),
    metavar="N",
    show_default="16",
    help="Factors of the matrix factorization.",
)
@embedding_options
@objective_options("0.9")
@seed_option
@json_option
def train(
    data_file: Path | None,
    output_dir: Path,
    skip_bad_lines: bool,
    holdout: float | None,
    algorithms: tuple[str, ...],
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    seed: int,
    as_json: bool,
    **flags: Any,
) -> None:
    """Train selectors on measured records and say whether routing pays.

    Reads records, embeds the queries, compares five selectors with the best single model on queries that they have
    not seen, and writes one artefact per selector.
    """
    from vsr import jobs
    from vsr.choice import Objective
    from vsr.records import read_records

    chosen = tuple(dict.fromkeys(algorithms or ALGORITHMS))
    settings = jobs.TrainingSettings(
        algorithms=chosen,
        parameters=_parameters(chosen, flags),
        objective=objective.over(Objective()),
        seed=seed,
        holdout=holdout,
    )
    jobs.require_writable(output_dir)
    records = read_records(data_file or Path(DEFAULT_RECORDS), skip_bad_lines=skip_bad_lines)
    outcomes = jobs.read_outcomes(records)
    terminal.say(f"{outcomes.n_queries:,} unique queries, {outcomes.n_models} models.")
    for line in [] if outcomes.report is None else outcomes.report.lines():
        terminal.say(f"  {line}")
    vectors = embed_queries(outcomes.queries, embedding)
    with terminal.progress("Training", "steps") as show:
        result = jobs.train(
            outcomes,
            vectors.embeddings,
            vectors.fingerprint,
            output_dir,
            settings,
            progress=lambda what, done, total: show(done, total, note=what),
        )
    _print(result, as_json=as_json)


# Flag -> algorithm and its parameter.
_PARAMETERS = {
    "knn_k": ("knn", "k"),
    "knn_index": ("knn", "index"),
    "kmeans_clusters": ("kmeans", "num_clusters"),
    "svm_kernel": ("svm", "kernel"),
    "svm_gamma": ("svm", "gamma"),
    "svm_c": ("svm", "c"),
    "svm_solver": ("svm", "solver"),
    "mlp_hidden_layers": ("mlp", "hidden_layers"),
    "mf_num_factors": ("matrix_factorization", "num_factors"),
}


def _parameters(algorithms: tuple[str, ...], flags: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Sort the flags that were given by algorithm; one for an algorithm that is not trained is a usage error."""
    parameters: dict[str, dict[str, Any]] = {}
    for flag, value in flags.items():
        if value is None:
            continue
        algorithm, name = _PARAMETERS[flag]
        if algorithm not in algorithms:
            raise click.UsageError(
                f"--{flag.replace('_', '-')} has no effect here: {algorithm} is not trained (--algorithm)."
            )
        parameters.setdefault(algorithm, {})[name] = value
    if flags.get("svm_kernel") == "linear" and flags.get("svm_gamma") is not None:
        raise click.UsageError("--svm-gamma has no effect with --svm-kernel linear.")
    return parameters


def _print(result: "TrainingResult", *, as_json: bool) -> None:
    from vsr.evaluation.document import evaluation_document

    for note in result.notes:
        terminal.warn(note)
    if as_json:
        terminal.write_json(
            {
                "verdict": None if result.evaluation is None else result.evaluation.verdict.kind,
                "recommended": result.recommended,
                "evaluation": None if result.evaluation is None else evaluation_document(result.evaluation),
                "selectors": {
                    selector.name: {"file": str(path), "parameters": selector.parameters, "belief": selector.belief}
                    for selector, path in zip(result.selectors, result.paths, strict=True)
                },
                "notes": list(result.notes),
                "duration_s": round(result.duration_s, 3),
            }
        )
        return
    if result.evaluation is not None:
        write_evaluation(result.evaluation)
    terminal.say()
    terminal.say(f"Trained on all queries in {terminal.duration(result.duration_s)}:")
    for selector, path in zip(result.selectors, result.paths, strict=True):
        terminal.say(f"  {selector_label(selector)}: {path}")
