"""`vsr-train train`: records in, artefacts and a held-out table out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.asking import TOO_MANY_FAILED, AskingOptions, ask, asking_options
from vsr.cli.embedding import embed_queries
from vsr.cli.evaluation_table import selector_label, write_evaluation
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

if TYPE_CHECKING:
    from vsr.config import RouterConfig
    from vsr.evaluation.train_and_compare import TrainingResult

ALGORITHMS = ("knn", "kmeans", "svm", "mlp", "matrix_factorization")
RECORDS_NAME = "benchmark_training_data.jsonl"
QUERIES_NAME = "training_data_with_category.jsonl"
DEFAULT_OUTPUT_DIR = "trained_models"
_ALGORITHM = "Algorithms"
_BENCHMARK = "Asking first"


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
    show_default=f"{RECORDS_NAME}; with --benchmark {QUERIES_NAME}",
    help="Records, one line per query and model; with --benchmark the queries. Also .gz.",
)
@option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    show_default=f"models_path of the configuration, or {DEFAULT_OUTPUT_DIR}",
    help="Where the artefacts go.",
)
@option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Train on the models that its decisions offer, with its parameters.",
)
@option("--analyze-only", is_flag=True, help="Say which decisions of the configuration need training; train nothing.")
@option("--skip-bad-lines", is_flag=True, help="Leave out lines that cannot be read, and count them.")
@option(
    "--holdout",
    type=FiniteRange(0.0, 1.0, min_open=True, max_open=True),
    metavar="0..1",
    show_default="5 folds",
    help="Hold out this share of the queries once instead.",
)
@option(
    "--preferences",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Pairs of models, one preferred: matrix factorization learns from them.",
)
@option("--benchmark", is_flag=True, section=_BENCHMARK, help="Ask every LLM of the configuration every query first.")
@asking_options(_BENCHMARK)
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
    output_dir: Path | None,
    config_path: Path | None,
    analyze_only: bool,
    skip_bad_lines: bool,
    holdout: float | None,
    preferences: Path | None,
    benchmark: bool,
    asking: AskingOptions,
    algorithms: tuple[str, ...],
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    seed: int,
    as_json: bool,
    **flags: Any,
) -> int:
    """Train selectors on measured records and say whether routing pays.

    Reads records, embeds the queries, compares five selectors with the best single model on queries that they have
    not seen, and writes one artefact per selector.
    """
    from vsr._files import require_writable
    from vsr.choice.objective import Objective
    from vsr.data.preferences import read_preferences
    from vsr.data.records import read_records
    from vsr.evaluation.train_and_compare import TrainingSettings, train_and_compare
    from vsr.features.classifier import fill_categories
    from vsr.training.outcomes import read_outcomes
    from vsr.training.preferences import preference_features

    _check_combination(config_path, analyze_only=analyze_only, benchmark=benchmark, asking=asking)
    config = None if config_path is None else read_config(config_path)
    if analyze_only and config is not None:
        from vsr.cli.analyze import write_analysis

        write_analysis(config, as_json=as_json)
        return 0
    chosen = tuple(dict.fromkeys(algorithms or ALGORITHMS))
    parameters = _parameters(chosen, flags, config)
    folder = artefact_folder(output_dir, config)
    if config is not None:
        embedding = with_config(embedding, config)
    if preferences is not None:
        _check_preferences(chosen, embedding)
    require_writable(folder)
    asked = None
    if benchmark and config is not None:
        if embedding.file is None:
            embedding.load()  # what is missing there is better said before hours of asking than behind them
        records_path = folder / RECORDS_NAME
        queries_path = data_file or Path(QUERIES_NAME)
        asked = ask(config, queries_path, records_path, asking, seed=seed, skip_bad_lines=skip_bad_lines)
    else:
        records_path = data_file or Path(RECORDS_NAME)
    if asked is not None:
        from vsr.cli.run_display import say_summary

        say_summary(asked)
        if asked.is_interrupted:
            return asking.exit_code(asked)
        terminal.say()
    outcomes = read_outcomes(
        read_records(records_path, skip_bad_lines=skip_bad_lines),
        None if config is None else config.offered_models(),
    )
    # More than one query: `read_outcomes` sees to it.
    terminal.say(f"{outcomes.n_queries:,} unique queries, {terminal.counted(outcomes.n_models, 'model')}.")
    for line in [] if outcomes.report is None else outcomes.report.lines():
        terminal.say(f"  {line}")
    pairs = None
    if preferences is not None:
        pairs = read_preferences(preferences, outcomes.models, outcomes.queries, skip_bad_lines=skip_bad_lines)
        if pairs.n_bad_lines:
            terminal.warn(f"{preferences}: {pairs.n_bad_lines:,} bad lines left out")
        if pairs.n_measured:
            terminal.warn(f"{pairs.n_measured:,} preference pairs left out: records of their queries say more")
    # All at once: a model is loaded once, and texts are reported once.
    vectors = embed_queries([*outcomes.queries, *(() if pairs is None else pairs.queries)], embedding)
    embeddings = vectors.embeddings[: outcomes.n_queries]
    if pairs is not None:
        classifier = fill_categories(embeddings, outcomes.categories).classifier
        of_pairs = vectors.embeddings[outcomes.n_queries :]
        learnt = preference_features(pairs, of_pairs, outcomes.models, classifier)
        parameters.setdefault("matrix_factorization", {})["preferences"] = learnt
    settings = TrainingSettings(
        algorithms=chosen,
        parameters=parameters,
        objective=objective.over(Objective()),
        seed=seed,
        holdout=holdout,
    )
    with terminal.progress("Training", "steps") as show:
        result = train_and_compare(
            outcomes,
            embeddings,
            vectors.fingerprint,
            folder,
            settings,
            progress=lambda what, done, total: show(done, total, note=what),
        )
    _print(result, as_json=as_json)
    exit_code = 0 if asked is None else asking.exit_code(asked)
    if asked is not None and exit_code == TOO_MANY_FAILED:
        asking.say_too_many_failed(asked)
    return exit_code


def _check_combination(config_path: Path | None, *, analyze_only: bool, benchmark: bool, asking: AskingOptions) -> None:
    """Refuse flags that would do nothing beside the others."""
    if config_path is None and (analyze_only or benchmark):
        raise click.UsageError(f"{'--analyze-only' if analyze_only else '--benchmark'} needs --config FILE.")
    if analyze_only and benchmark:
        raise click.UsageError("--benchmark has no effect with --analyze-only: nothing is asked.")
    if not benchmark:
        for flag in asking.given():
            raise click.UsageError(f"{flag} has no effect without --benchmark.")


def _check_preferences(algorithms: Sequence[str], embedding: EmbeddingOptions) -> None:
    if "matrix_factorization" not in algorithms:
        raise click.UsageError("--preferences has no effect here: matrix_factorization is not trained (--algorithm).")
    if embedding.file is not None:
        raise click.UsageError("--preferences needs an embedding model: --embedding-file lacks vectors of its queries.")


def read_config(path: Path) -> "RouterConfig":
    """Read a configuration and print its warnings.

    Raises:
        ConfigError: The file cannot be read, or says something that cannot be.
    """
    from vsr.config import load_config

    config = load_config(path)
    for warning in config.warnings:
        terminal.warn(warning)
    if not config.model_selection.enabled:
        terminal.warn(f"{path}: model_selection.enabled is false: a router answers with its default until it is true")
    return config


def artefact_folder(given: Path | None, config: "RouterConfig | None") -> Path:
    """Say where artefacts go and come from: the flag, else the configuration, else the default."""
    configured = None if config is None else config.model_selection.models_path
    return given or Path(DEFAULT_OUTPUT_DIR if configured is None else configured)


def with_config(embedding: EmbeddingOptions, config: "RouterConfig") -> EmbeddingOptions:
    """Take what the configuration says of the embedding where no flag says otherwise."""
    if embedding.file is not None or embedding.uses_hash:
        return embedding
    section = config.model_selection
    model = embedding.model or section.embedding_model
    path = embedding.path
    if path is None and embedding.model is None and section.embedding_path is not None:
        path = Path(section.embedding_path)
    return replace(embedding, model=model, path=path, dim=embedding.dim or section.embedding_dim)


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


def _parameters(
    algorithms: tuple[str, ...], flags: dict[str, Any], config: "RouterConfig | None"
) -> dict[str, dict[str, Any]]:
    """Sort parameters by algorithm: those of the configuration, over them the flags that were given.

    A flag for an algorithm that is not trained is a usage error.
    """
    given = {} if config is None else config.algorithm_parameters()
    parameters: dict[str, dict[str, Any]] = {name: dict(own) for name, own in given.items() if name in algorithms}
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
        write_evaluation(result.evaluation)
    terminal.say()
    terminal.say(f"Trained on all queries in {terminal.duration(result.duration_s)}:")
    for selector, path in zip(result.selectors, result.paths, strict=True):
        terminal.say(f"  {selector_label(selector)}: {path}")
