"""`vsr-train analyze`: which decisions of a configuration offer several models, need training, and are reached."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.configured import artefact_folder, artefacts_option, with_config
from vsr.cli.options import EmbeddingOptions, embedding_options, json_option
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from vsr.config import RouterConfig
    from vsr.config.analysis import ConfigAnalysis, Reach
    from vsr.data.records import Query

#: What is said of a decision's verdict beside the words of a training.
_NOTHING_TO_CHOOSE = "one model"
_NOT_KNOWN = "not known"


@command("analyze")
@option("--config", "path", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The configuration.")
@option(
    "--data-file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Queries or records: say how many of the queries reach every decision. - is standard input.",
)
@option("--skip-bad-lines", is_flag=True, help="Leave out lines of --data-file that cannot be read, and count them.")
@artefacts_option("--models-dir", "Folder of the artefacts: its verdicts, and what predicts missing categories.")
@embedding_options
@json_option
def analyze(
    path: Path,
    data_file: Path | None,
    skip_bad_lines: bool,
    models_dir: Path | None,
    embedding: EmbeddingOptions,
    as_json: bool,
) -> None:
    """Show which decisions offer several models, and which of them need training.

    With --data-file also how many of its queries reach each. A missing category is predicted by the artefacts, where
    there are any; `signals` of a line, such as {"keyword": ["urgent"]}, are what other conditions are held against.
    """
    from vsr.config import load_config
    from vsr.config.rules import DecisionTable

    config = load_config(path)
    names_vectors = embedding.names_embedder or embedding.file is not None
    if data_file is None and (skip_bad_lines or names_vectors):
        flag = "--skip-bad-lines has" if skip_bad_lines else "The embedding flags have"
        raise click.UsageError(f"{flag} no effect without --data-file.")
    if data_file is not None and not config.decisions:
        raise click.UsageError("--data-file has no effect where the configuration has no decisions.")
    if names_vectors and not DecisionTable.of(config.decisions).asks_for_category():
        raise click.UsageError("The embedding flags have no effect: no rule asks for the category of a query.")
    for warning in config.warnings:
        terminal.warn(warning)
    folder = artefact_folder(models_dir, config)
    found = None
    if data_file is not None:
        found = _reach(config, data_file, skip_bad_lines, folder, with_config(embedding, config))
    write_analysis(config, found, _verdicts(config, folder, is_asked=models_dir is not None), as_json=as_json)


def write_analysis(
    config: "RouterConfig",
    reach: "Reach | None" = None,
    verdicts: Mapping[str, str] | None = None,
    *,
    as_json: bool,
) -> None:
    """Analyze a configuration and print what was found; also `train --analyze-only`.

    Args:
        config: the configuration.
        reach: which queries fall where, if any were given.
        verdicts: of every decision, where a training was looked at.
        as_json: whether to print one object.

    Raises:
        ConfigError: Two decisions want different artefacts of one algorithm.
    """
    from vsr.config.analysis import analyze as analysis_of

    analysis = analysis_of(config)
    if reach is not None and reach.missing_signals:
        terminal.warn(
            f"some queries have no signals of type {', '.join(reach.missing_signals)}; such conditions do not hold for "
            f'them (give lines "signals": {{"{reach.missing_signals[0]}": [...]}})'
        )
    if not as_json:
        _write(analysis, verdicts)
        if reach is not None:
            _write_reach(config, reach)
        return
    decisions: list[dict[str, Any]] = []
    for decision in analysis.decisions:
        document = {**asdict(decision), "reason": decision.reason}
        if verdicts is not None:
            document["verdict"] = verdicts[decision.name]
        if reach is not None:
            n_queries = reach.by_decision[decision.name]
            document |= {"n_queries": n_queries, "share": n_queries / max(reach.n_queries, 1)}
        decisions.append(document)
    document = {**asdict(analysis), "decisions": decisions, "n_to_train": analysis.n_to_train}
    terminal.write_json(document if reach is None else document | {"reach": asdict(reach)})


def _write(analysis: "ConfigAnalysis", verdicts: Mapping[str, str] | None) -> None:
    if not analysis.decisions:
        terminal.write(f"There are no decisions: all {len(analysis.models)} models are asked and trained on.")
        return
    names = ["decision", "domains", "models", "algorithm", "training"]
    names += [] if verdicts is None else ["verdict"]
    rows = tuple(
        (
            decision.name,
            ", ".join(decision.domains) or "-",
            ", ".join(decision.models) or "-",
            decision.algorithm or "-",
            ("needed: " if decision.needs_training else "not needed: ") + decision.reason,
            *(() if verdicts is None else (verdicts[decision.name],)),
        )
        for decision in analysis.decisions
    )
    terminal.write_table(terminal.Table(tuple(map(terminal.Column, names)), rows))
    wanted = ", ".join(analysis.algorithms) or "none"
    terminal.write(
        f"{analysis.n_to_train} of {len(analysis.decisions)} decisions need training (algorithms: {wanted}); "
        f"{len(analysis.models)} models are asked and trained on: {', '.join(analysis.models)}."
    )
    if analysis.unused:
        terminal.write(f"No decision offers {', '.join(analysis.unused)}.")
    if _NOT_KNOWN in (verdicts or {}).values():
        terminal.write("`vsr-train evaluate --config` says of every decision whether routing pays in it.")


def _write_reach(config: "RouterConfig", reach: "Reach") -> None:
    def share(count: int) -> str:
        return f"{count / max(reach.n_queries, 1):.1%}"

    by_priority = sorted(config.decisions, key=lambda decision: -decision.priority)
    rows = [
        (each.name, f"{each.priority:g}", f"{reach.by_decision[each.name]:,}", share(reach.by_decision[each.name]))
        for each in by_priority
    ]
    outside = "none: " + (f"default model {config.default_model}" if config.default_model else "all models")
    rows.append((outside, "-", f"{reach.n_outside:,}", share(reach.n_outside)))
    if reach.n_undecided:
        rows.append(("category not known", "-", f"{reach.n_undecided:,}", share(reach.n_undecided)))
    columns = (
        terminal.Column("decision"),
        *(terminal.Column(name, "right") for name in ("priority", "queries", "share")),
    )
    terminal.write("")
    terminal.write_table(terminal.Table(columns, tuple(rows)))


def _reach(
    config: "RouterConfig", path: Path, skip_bad_lines: bool, folder: Path, embedding: EmbeddingOptions
) -> "Reach":
    """Read the queries, predict what categories are missing where that can be, and count."""
    from vsr.config.analysis import reach
    from vsr.config.rules import DecisionTable, Known
    from vsr.data.prompts import unique_key
    from vsr.data.records import read_queries
    from vsr.routing.request import checked_signals

    queries = read_queries(path, skip_bad_lines=skip_bad_lines)
    if queries.n_bad_lines:
        terminal.warn(f"{queries.n_bad_lines:,} bad lines left out; the first: {queries.bad_lines[0]}")
    # Records have a line per model, and every query counts once.
    unique: dict[str, Query] = {}
    for query in queries:
        unique.setdefault(unique_key(query.prompt), query)
    known = [
        Known(query.category, is_category_known=query.category is not None, signals=checked_signals(query.signals))
        for query in unique.values()
    ]
    if DecisionTable.of(config.decisions).asks_for_category():
        missing = [row for row, each in enumerate(known) if not each.is_category_known]
        if missing:
            predicted = _predicted(list(unique.values()), missing, folder, embedding)
            for row, category in zip(missing, predicted, strict=False):
                known[row] = Known(category, signals=known[row].signals)
    return reach(config, known)


def _predicted(queries: "list[Query]", missing: list[int], folder: Path, embedding: EmbeddingOptions) -> list[str]:
    """Predict the categories of the queries that have none; nothing where there are no artefacts."""
    from vsr.cli.embedding import embed_with_progress, load_router, ready_vectors
    from vsr.data.categories import CATEGORIES, OTHER, category_names, most_probable
    from vsr.persistence import find_artefacts
    from vsr.routing import Request

    count = terminal.counted(len(missing), "query has", "queries have")
    if not find_artefacts(folder):
        terminal.warn(f"{count} no category, and {folder} has no artefact that could predict one")
        return []
    router = load_router(folder, "recommended", embedding)
    if embedding.file is not None:
        vectors = ready_vectors(embedding.file, [query.prompt for query in queries]).embeddings[missing]
    elif router.embedder is not None:
        vectors = embed_with_progress(
            router.embedder, [queries[row].prompt for row in missing], router.artefact.text
        ).vectors
    else:
        terminal.warn(f"{count} no category, and predicting it takes their vectors (--embedding-file)")
        return []
    prepared = router.prepare([Request(embedding=vector) for vector in vectors])
    if "predicted" not in prepared.sources:
        terminal.warn(f"{count} no category, and the artefact has no classifier: they count as other")
    return [name or CATEGORIES[OTHER] for name in category_names(most_probable(prepared.categories))]


def _verdicts(config: "RouterConfig", folder: Path, *, is_asked: bool) -> dict[str, str] | None:
    """Say of every decision whether routing pays, as far as the training in a folder knows; None without a training.

    A training judges all of its models on all of its queries: that is the verdict of a decision which offers them all
    and always holds. What others are worth, `vsr-train evaluate --config` says.
    """
    from vsr.config.rules import Rule
    from vsr.persistence.manifest import read_manifest

    manifest = read_manifest(folder) if folder.is_dir() else None
    if manifest is None:
        if is_asked:
            terminal.warn(f"{folder}: has no manifest of a training, so no verdict is known")
        return None
    n_models = (manifest.held_out or {}).get("n_models")
    kind = (manifest.verdict or {}).get("kind")
    verdicts = {}
    for decision in config.decisions:
        n_offered = len({reference.asked_name for reference in decision.model_refs})
        always_holds = not any(True for _ in Rule.of(decision.rules).conditions())
        if n_offered < 2:
            verdicts[decision.name] = _NOTHING_TO_CHOOSE
        elif always_holds and n_offered == n_models and isinstance(kind, str):
            verdicts[decision.name] = kind
        else:
            verdicts[decision.name] = _NOT_KNOWN
    return verdicts
