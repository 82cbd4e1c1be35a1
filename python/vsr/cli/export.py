"""`vsr-train export`: artefacts in the forms that other programs read."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.configured import config_option, read_config
from vsr.cli.options import (
    EmbeddingOptions,
    ObjectiveOptions,
    embedding_options,
    json_option,
    objective_options,
    seed_option,
)
from vsr.cli.sections import command, option
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from vsr.choice.objective import Objective
    from vsr.config import RouterConfig
    from vsr.data.outcomes import Outcomes
    from vsr.exporting import ExportResult, HeldOutQueries
    from vsr.persistence import Artefact

_FORMATS = ("documented", "semantic-router", "semantic-router-v2")


@command("export")
@click.argument("models_dir", type=click.Path(path_type=Path))
@option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    required=True,
    help="Who reads it: whoever knows the documented fields; vLLM Semantic Router; or its newest version alone.",
)
@option(
    "--output-dir",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the files and export.json go.",
)
@option(
    "--data-file",
    type=click.Path(path_type=Path),
    metavar="RECORDS",
    help="Records of queries that the training has not seen: what each file loses is measured on them.",
)
@option("--skip-bad-lines", is_flag=True, help="Leave out lines of --data-file that cannot be read, and count them.")
@option(
    "--max-rows",
    type=click.IntRange(min=2),
    metavar="N",
    default=500,
    show_default=True,
    help="Rows of KNN at most, and half the support vectors of an SVM.",
)
@option("--models", metavar="A,B,...", help="Names of the models in order, for artefacts that lack them.")
@config_option("Call models by the LoRA names that its decisions give them.")
@embedding_options
@objective_options("that of the training", "that of the training")
@seed_option
@json_option
def export(
    models_dir: Path,
    form: str,
    output_dir: Path,
    data_file: Path | None,
    skip_bad_lines: bool,
    max_rows: int,
    models: str | None,
    config_path: Path | None,
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    seed: int,
    as_json: bool,
) -> None:
    """Write the artefacts of the folder MODELS_DIR as another program reads them.

    Other forms hold no priors, calibration or latency: the files are made to choose as ours do under one objective,
    which is baked in. export.json says how often each agrees with us and what utility it loses.
    """
    from vsr._files import require_writable
    from vsr.cli.model_names import split_names
    from vsr.data.categories import CATEGORIES
    from vsr.exporting import FORMATS, ExportSettings, export_selectors

    if data_file is None and skip_bad_lines:
        raise click.UsageError("--skip-bad-lines has no effect without --data-file.")
    if data_file is None and (embedding.names_embedder or embedding.file is not None):
        raise click.UsageError("The embedding flags have no effect without --data-file: nothing else is embedded.")
    if output_dir.resolve() == models_dir.resolve():
        raise click.UsageError(
            "--output-dir is MODELS_DIR: the export would replace the artefacts. Name another folder."
        )
    config = None if config_path is None else read_config(config_path)
    artefacts = _artefacts(models_dir, split_names(models))
    require_writable(output_dir)
    first = artefacts[0]
    stored = next((artefact.header.objective for artefact in artefacts if artefact.header is not None), None)
    settings = ExportSettings(
        form=form,
        objective=objective.over(_default_objective() if stored is None else stored),
        max_rows=max_rows,
        names=None if config is None else _lora_names(config, first.selector.models),
        seed=seed,
    )
    held_out = None
    if data_file is not None:
        held_out = _held_out(
            artefacts, models_dir, data_file, embedding, settings.objective, skip_bad_lines=skip_bad_lines
        )
    result = export_selectors(artefacts, output_dir, settings, held_out)
    counts = first.selector.statistics.counts.max(axis=1)
    for name in FORMATS[form].unknown:
        share = float(counts[CATEGORIES.index(name)]) / max(float(counts.sum()), 1.0)
        if share > 0.0:
            terminal.warn(f"{name} is other to that reader: {share:.1%} of the training queries lose their category")
    _print(result, settings.objective, as_json=as_json)


def _default_objective() -> "Objective":
    from vsr.choice.objective import Objective

    return Objective()


def _artefacts(folder: Path, models: "Sequence[str] | None") -> "list[Artefact]":
    from vsr.errors import ArtefactError
    from vsr.exporting.export import WRITERS
    from vsr.persistence import find_artefacts, load_artefact

    if not folder.is_dir():
        raise ArtefactError(f"{folder}: no such folder; train selectors with `vsr-train train --output-dir {folder}`")
    found = find_artefacts(folder)
    missing = [name for name in WRITERS if name not in found]
    if len(missing) == len(WRITERS):
        raise ArtefactError(f"{folder}: has no artefact that can be exported; expected one of {', '.join(WRITERS)}")
    if missing:
        terminal.warn(f"{folder}: has no artefact of {', '.join(missing)}")
    return [load_artefact(found[name], models=models, algorithm=name) for name in WRITERS if name in found]


def _lora_names(config: "RouterConfig", models: "Sequence[str]") -> dict[str, str]:
    """Name of the LoRA adapter of every model that has one, the same in all decisions."""
    names: dict[str, set[str]] = {}
    for decision in config.decisions:
        for reference in decision.model_refs:
            names.setdefault(reference.model, set()).add(reference.lora_name or reference.model)
    for model, called in names.items():
        if model in models and len(called) > 1:
            terminal.warn(f"{model}: is called {', '.join(sorted(called))} by the decisions; the files say {model}")
    return {model: next(iter(called)) for model, called in names.items() if len(called) == 1}


def _held_out(
    artefacts: "list[Artefact]",
    models_dir: Path,
    data_file: Path,
    embedding: EmbeddingOptions,
    objective: "Objective",
    *,
    skip_bad_lines: bool,
) -> "HeldOutQueries":
    """Embed the queries of the records and work out what was measured."""
    from vsr.choice.objective import EfficiencyScale, measured_utilities
    from vsr.cli.embedding import embed_with_progress, ready_vectors, router_of
    from vsr.data.records import read_records
    from vsr.exporting import HeldOutQueries
    from vsr.routing import Request
    from vsr.training.outcomes import read_outcomes

    selector = artefacts[0].selector
    outcomes = read_outcomes(read_records(data_file, skip_bad_lines=skip_bad_lines), selector.models)
    router = router_of(artefacts[0], embedding)
    embeddings = None
    if embedding.file is not None:
        embeddings = ready_vectors(embedding.file, outcomes.queries).embeddings
    elif router.embedder is not None:
        embeddings = embed_with_progress(router.embedder, outcomes.queries).vectors
    if embeddings is None:
        prepared = router.prepare(
            [Request(query, category) for query, category in zip(outcomes.queries, outcomes.categories, strict=True)]
        )
    else:
        prepared = router.prepare_vectors(embeddings, outcomes.categories)
    unseen = _unseen(models_dir, data_file, outcomes)
    of_models = selector.statistics
    scale = EfficiencyScale.of(of_models.latency_s[-1], of_models.cost_usd[-1])
    utilities = measured_utilities(
        outcomes.quality, outcomes.latency_s, outcomes.cost_usd, scale, objective, outcomes.models
    )
    return HeldOutQueries(prepared.features[unseen], utilities[unseen])


def _unseen(folder: Path, data_file: Path, outcomes: "Outcomes") -> "NDArray[np.bool_]":
    """Which queries the training has not seen, as far as the folder says: (n_queries,).

    Raises:
        RecordError: It has seen all of them.
    """
    import numpy as np

    from vsr.errors import RecordError
    from vsr.persistence.training_queries import read_training_queries

    training = read_training_queries(folder)
    if training is None:
        terminal.warn(f"{folder}: keeps no training_queries.json, so it cannot be known which queries were trained on")
        return np.ones(outcomes.n_queries, dtype=np.bool_)
    known = training.are_known(outcomes.queries)
    n_known = int(known.sum())
    if n_known == outcomes.n_queries:
        raise RecordError(
            f"{data_file}: all {n_known:,} queries were trained on; expected others, on which something can be lost. "
            "Without --data-file the files are judged by our own predictions"
        )
    if n_known:
        terminal.warn(f"{data_file}: {n_known:,} of {outcomes.n_queries:,} queries were trained on and are left out")
    return ~known


def _print(result: "ExportResult", objective: "Objective", *, as_json: bool) -> None:
    import json

    if as_json:
        document: dict[str, Any] = json.loads(result.path.read_text())
        terminal.write_json({"path": str(result.path), **document})
        return
    where = "held-out queries" if result.is_measured else "points between training queries, by our own predictions"
    terminal.write(
        f"{result.n_judged:,} {where}; baked in: quality weight {objective.quality_weight:g}, cost share "
        f"{objective.cost_share:g}"
    )
    terminal.write("")
    columns = (
        Column("file"),
        Column("rows", "right"),
        Column("agrees", "right"),
        Column("points lost", "right"),
        Column("95 %", "right"),
        Column("a choice", "right"),
    )
    rows = tuple(
        (
            file.path.name,
            f"{file.rows:,}",
            f"{file.agreement:.1%}",
            f"{100 * file.utility_lost:+.2f}",
            f"{100 * file.interval[0]:+.2f} .. {100 * file.interval[1]:+.2f}",
            f"{file.reader_ms:.2f} ms",
        )
        for file in result.files
    )
    terminal.write_table(Table(columns, rows))
    terminal.say(f"Written to {result.path.parent}, with {result.path.name}.")
