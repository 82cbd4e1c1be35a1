"""`vsr-train select`: route one query, or a file of them."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.algorithm_options import selector_option
from vsr.cli.configured import artefact_folder, artefacts_option, config_option, read_config, with_config
from vsr.cli.limit_options import LimitOptions, limit_options
from vsr.cli.options import EmbeddingOptions, ObjectiveOptions, embedding_options, json_option, objective_options
from vsr.cli.sections import command, option
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.choice.chooser import Choice
    from vsr.data.records import Query
    from vsr.routing import ModelRouter, Request, Router


@command("select")
@click.argument("text", required=False)
@option(
    "--input",
    "input_file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Route every query of a file; - is standard input.",
)
@option("--skip-bad-lines", is_flag=True, help="Leave out lines of --input that cannot be read, and count them.")
@artefacts_option("--models-dir", "Folder of the artefacts.")
@config_option("Route by its decisions, with the folders that its model_selection names.")
@selector_option
@option("--models", metavar="A,B,...", help="Names of the models in order, for an artefact that lacks them.")
@option("--category", metavar="NAME", help="Category of the query; without it predicted, or other.")
@option(
    "--signal",
    "signals",
    multiple=True,
    metavar="TYPE=NAME",
    help="A signal that holds for the rules of the decisions, such as keyword=urgent; may be repeated.",
)
@option("--candidates", metavar="A,B,...", help="Models on offer; all without it.")
@option("--default", metavar="MODEL", help="Answer with this model when no candidate is known.")
@limit_options
@option("--explain", is_flag=True, help="Say what the choice rests on.")
@embedding_options
@objective_options("that of the training", "that of the training")
@json_option
def select(
    text: str | None,
    input_file: Path | None,
    skip_bad_lines: bool,
    models_dir: Path | None,
    config_path: Path | None,
    algorithm: str,
    models: str | None,
    category: str | None,
    signals: tuple[str, ...],
    candidates: str | None,
    default: str | None,
    limit: LimitOptions,
    explain: bool,
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    as_json: bool,
) -> None:
    """Choose the model for a query TEXT, or for every query of a file.

    With --input the result is one JSON object per query, in the order of the file. With --config a query goes to the
    decision of highest priority whose rules hold, and one of that decision's models is chosen by its algorithm. The
    artefact says which embedding model it needs; the flags say where that is, and may not contradict. --embedding-file
    has one row per unique query of the file, as `vsr-train embed` writes it.
    """
    from vsr.choice.chooser import UNKNOWN
    from vsr.cli.embedding import embed_with_progress, load_decision_router, load_router, ready_vectors
    from vsr.cli.model_names import split_names
    from vsr.data.categories import unknown_categories
    from vsr.data.prompts import unique_prompts, unique_rows
    from vsr.data.records import Query
    from vsr.persistence import find_artefacts
    from vsr.persistence.finding import said_without_manifest
    from vsr.persistence.trainings import run_ids
    from vsr.routing import DisabledRouter, Request
    from vsr.routing.choice_document import choice_document

    if (text is None) == (input_file is None):
        raise click.UsageError("Give either a query or --input FILE.")
    if text is not None and not text.strip():
        raise click.UsageError("The query is blank.")
    if skip_bad_lines and input_file is None:
        raise click.UsageError("--skip-bad-lines has no effect without --input.")
    if input_file is not None and category is not None:
        raise click.UsageError("--category has no effect with --input: the file says the categories.")
    if input_file is not None and as_json:
        raise click.UsageError("--json has no effect with --input: the result is JSON Lines without it.")
    if default is not None and candidates is None and config_path is None and limit.on_limit != "default":
        raise click.UsageError("--default has no effect without --candidates: all models are on offer.")
    queries = [Query(query=text, category=category)] if text is not None else _read_queries(input_file, skip_bad_lines)
    for unknown in unknown_categories(query.category for query in queries):
        often = "once" if unknown.count == 1 else f"{unknown.count:,} times"
        terminal.warn(f"{unknown.name} is no known category and counts as other ({often})")
    config = None if config_path is None else read_config(config_path)
    if config is not None:
        embedding = with_config(embedding, config)
    if signals and (config is None or not config.decisions):
        raise click.UsageError("--signal has no effect without --config with decisions: nothing asks about signals.")
    folder = artefact_folder(models_dir, config)
    router: ModelRouter
    routers: list[tuple[str, Router]] = []
    if config is not None and not config.model_selection.enabled and default is not None:
        router = DisabledRouter(default)
    elif config is not None and config.decisions:
        router = load_decision_router(config, folder, algorithm, embedding, split_names(models))
        routers = list(router.routers.items())
    else:
        router = load_router(folder, algorithm, embedding, split_names(models), config)
        routers = [(algorithm, router)]
    for name, each in routers:
        said = said_without_manifest(folder, name, each.artefact.selector.name)
        if said is not None:
            terminal.warn(said)
    n_trainings = len(run_ids(find_artefacts(folder).values())) if routers else 0
    if n_trainings > 1:
        terminal.warn(
            f"{folder}: its artefacts come from {n_trainings} different trainings; "
            f"`vsr-train inspect {folder}` shows which"
        )
    for _, each in routers:
        for lack in each.artefact.lacking:
            terminal.warn(f"{each.artefact.path}: has the documented fields alone; it lacks {lack}")
    offered = None if candidates is None else [name.strip() for name in candidates.split(",") if name.strip()]
    held = _signals(signals)
    prompts = [query.prompt for query in queries]
    vectors: Any = [None] * len(queries)
    if embedding.file is not None:
        vectors = ready_vectors(embedding.file, unique_prompts(prompts)).embeddings[unique_rows(prompts)]
    elif input_file is not None and routers and routers[0][1].embedder is not None:
        vectors = embed_with_progress(routers[0][1].embedder, prompts, routers[0][1].artefact.text).vectors
    wanted = objective.over(routers[0][1].objective) if routers else None
    limits = limit.limits()
    asked = [
        Request(
            None if query.messages else prompt,
            query.category,
            _joined(query.signals, held),
            offered,
            default,
            wanted,
            vector,
            limits,
            limit.previous,
            query.messages,
        )
        for prompt, query, vector in zip(prompts, queries, vectors, strict=True)
    ]
    choices = router.route(asked)
    unknown_models = {
        name: None
        for choice in choices
        if choice.reason != "default"
        for name, why in choice.excluded.items()
        if why == UNKNOWN
    }
    if unknown_models:
        terminal.warn(f"not compared, because the artefact does not know them: {', '.join(unknown_models)}")
    missing = sorted({kind for choice in choices for kind in choice.missing_signals})
    if missing:
        terminal.warn(
            f"{config_path}: rules ask about {', '.join(missing)}, of which nothing was said: such conditions do not "
            f"hold (--signal {missing[0]}=NAME{'' if input_file is None else ', or `signals` in the lines'})"
        )
    n_assumed = sum(choice.category_source is None and choice.reason == "predicted" for choice in choices)
    if n_assumed:
        lines = "" if input_file is None else f" ({n_assumed:,} of {len(choices):,} lines)"
        terminal.warn(
            f"no category was given and the artefact has no classifier to predict one, so other is assumed{lines}. "
            "Give the category, or train on at least 40 labelled queries of two or more categories"
        )
    if input_file is not None or as_json:
        for request, choice in zip(asked, choices, strict=True):
            document = choice_document(choice)
            if explain:
                document["explanation"] = _explanation(router, request, choice)
            terminal.write_json_line(document)
        return
    _print_choice(choices[0])
    if explain:
        _print_explanation(_explanation(router, asked[0], choices[0]))


def _read_queries(path: Path | None, skip_bad_lines: bool) -> "list[Query]":
    from vsr.data.records import read_queries

    assert path is not None
    queries = read_queries(path, skip_bad_lines=skip_bad_lines)
    if queries.n_bad_lines:
        terminal.warn(f"{queries.n_bad_lines:,} bad lines left out; the first: {queries.bad_lines[0]}")
    return list(queries)


def _print_choice(choice: "Choice") -> None:
    """Print the model on a line of its own, then what the choice rests on."""
    from vsr.choice.chooser import UNKNOWN

    terminal.write(choice.model)
    misses = [f"{name} ({why})" for name, why in choice.excluded.items() if why != UNKNOWN]
    if choice.reason == "default" and misses:
        terminal.write(f"the default, because no candidate meets the limits: {', '.join(misses)}")
        return
    if choice.reason == "default" and not choice.excluded and choice.decision is None:
        terminal.write("the default model: no decision holds for the query, or no candidate was offered")
        return
    if choice.reason == "default":
        unknown = ", ".join(choice.excluded) or "none was offered"
        terminal.write(f"the default, because no candidate is known ({unknown})")
        return
    said = [] if choice.decision is None else [f"decision {choice.decision}"]
    if choice.category is not None:
        said.append(f"category {choice.category} ({choice.category_source or 'assumed: none was given'})")
    if choice.margin is not None:
        said.append(f"margin {100 * choice.margin:.1f} points")
    said.append(f"reason {choice.reason}")
    terminal.write(", ".join(said))
    if choice.reason == "relaxed":
        terminal.write(f"no candidate meets the limits, and this one misses least: {', '.join(misses)}")
    elif misses:
        terminal.write(f"left out by the limits: {', '.join(misses)}")
    if not choice.utilities:
        return
    terminal.write("")
    terminal.write_table(
        Table(
            (Column("model"), Column("quality", "right"), Column("utility", "right")),
            tuple((name, f"{choice.scores[name]:.3f}", f"{choice.utilities[name]:.3f}") for name in choice.ranking),
        )
    )


def _signals(flags: tuple[str, ...]) -> dict[str, list[str]] | None:
    """Read `--signal TYPE=NAME`."""
    signals: dict[str, list[str]] = {}
    for flag in flags:
        kind, separator, name = flag.partition("=")
        if not separator or not kind.strip() or not name.strip():
            raise click.UsageError(f"--signal {flag}: expected TYPE=NAME, for example keyword=urgent.")
        signals.setdefault(kind.strip(), []).append(name.strip())
    return signals or None


def _joined(own: Mapping[str, Collection[str]] | None, flags: dict[str, list[str]] | None) -> dict[str, list[str]]:
    """Join the signals of a line with those of the flags."""
    joined = {kind: list(names) for kind, names in (own or {}).items()}
    for kind, names in (flags or {}).items():
        joined[kind] = joined.get(kind, []) + names
    return joined


def _explanation(router: "ModelRouter", request: "Request", choice: "Choice") -> dict[str, Any] | None:
    """Say what a choice rests on; None where nothing was compared."""
    from vsr.routing import DecisionRouter, Router
    from vsr.routing.explanation import explain

    own = router.router_of(choice) if isinstance(router, DecisionRouter) else router
    if not isinstance(own, Router) or not choice.scores:
        return None
    prepared = own.prepare([request])
    return asdict(explain(own.artefact.selector, prepared.features, choice.ranking[:3]))


def _print_explanation(explanation: dict[str, Any] | None) -> None:
    terminal.write("")
    if explanation is None:
        terminal.write("Nothing was compared: one model was on offer.")
        return
    terminal.write(explanation["summary"])
    for title, rows in explanation["tables"].items():
        if not rows:
            continue
        terminal.write("")
        terminal.write(f"{title}:")
        names = tuple(rows[0])
        columns = tuple(Column(name, "left" if isinstance(rows[0][name], str) else "right") for name in names)
        terminal.write_table(Table(columns, tuple(tuple(_cell(row[name]) for name in names) for row in rows)))


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
