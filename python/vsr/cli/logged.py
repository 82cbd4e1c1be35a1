"""`vsr-train evaluate --log`: what another policy would have brought on the traffic of a decision log."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.configured import DEFAULT_OUTPUT_DIR
from vsr.cli.embedding import embed_with_progress, router_of
from vsr.cli.evaluation_table import objective_label
from vsr.cli.logged_table import Judged, logged_document, write_logged
from vsr.cli.options import EmbeddingOptions, ObjectiveOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vsr.choice.objective import Objective
    from vsr.routing import Router
    from vsr.routing.router import Prepared
    from vsr.traffic.table import LoggedTable


def judge_log(
    log: "Sequence[Path]",
    feedback_file: Path,
    folder: Path | None,
    algorithms: "Sequence[str]",
    embedding: EmbeddingOptions,
    objective: ObjectiveOptions,
    *,
    skip_bad_lines: bool,
    as_json: bool,
) -> None:
    """Judge another objective, or other artefacts, on logged decisions with feedback, and print what came out.

    Raises:
        RecordError: Log or feedback cannot be read, no decision can be judged, or too little is known of every policy.
        ArtefactError: No such artefact, or a damaged one.
        EmbeddingError: The embedding model is not to be had, or is not the one of the training.
    """
    from vsr.data.feedback import read_feedback
    from vsr.errors import RecordError
    from vsr.traffic.decisions import read_decisions
    from vsr.traffic.joining import join
    from vsr.traffic.judgement import judge

    decisions = read_decisions(log, skip_bad_lines=skip_bad_lines)
    feedback = read_feedback(feedback_file, skip_bad_lines=skip_bad_lines)
    joined = join(decisions, feedback)
    for read in (decisions, feedback):
        if read.n_bad_lines:
            terminal.warn(f"{read.n_bad_lines:,} bad lines left out; the first: {read.bad_lines[0]}")
    table = joined.table
    judged = [Judged(judge(table, "without exploration", table.best))]
    if folder is not None or algorithms:
        where = folder or Path(DEFAULT_OUTPUT_DIR)
        judged += [_by_artefact(table, where, name, embedding, objective) for name in algorithms or (None,)]
    elif embedding.names_embedder:
        raise click.UsageError("Embedding flags have no effect with --log alone: the scores of the log are judged.")
    elif objective.quality_weight is not None or objective.cost_share is not None:
        judged.append(_by_log(table, objective))
    if all(each.value.refusal is not None for each in judged[-1 if len(judged) == 1 else 1 :]):
        said = "; ".join(f"{each.value.name}: {each.value.refusal}" for each in judged if each.value.refusal)
        raise RecordError(
            f"too little is known ({said}). Log more decisions, with more --explore or a wider --explore-margin, and "
            "gather feedback about them"
        )
    if as_json:
        terminal.write_json(logged_document(joined, judged))
    else:
        write_logged(joined, judged)


def _by_log(table: "LoggedTable", flags: ObjectiveOptions) -> Judged:
    """Judge another objective by what the log alone says."""
    from vsr.errors import RecordError
    from vsr.traffic.judgement import judge
    from vsr.traffic.policies import lacks, under_objectives

    objectives = [flags.over(each) for each in table.objectives]
    lack = lacks(table, objectives)
    if lack is not None:
        raise RecordError(
            f"the log {lack}; name the folder of the artefact that made these choices with --models-dir, which knows "
            "how fast and cheap models are"
        )
    return Judged(judge(table, _label(objectives), under_objectives(table, objectives)))


def _by_artefact(
    table: "LoggedTable",
    folder: Path,
    algorithm: str | None,
    embedding: EmbeddingOptions,
    flags: ObjectiveOptions,
) -> Judged:
    """Judge an artefact; where it is that of the log, by the logged scores, else by its own for the logged texts."""
    import numpy as np

    from vsr.data.categories import category_codes
    from vsr.errors import RecordError
    from vsr.persistence import RECOMMENDED, open_artefact
    from vsr.traffic.judgement import judge
    from vsr.traffic.policies import expected, lacks, scores_of_log, under_objectives, under_statistics

    artefact = open_artefact(folder, algorithm or RECOMMENDED)
    statistics = artefact.selector.statistics
    run_id = None if artefact.header is None else artefact.header.run_id
    if algorithm is None and table.run_ids == {run_id}:
        codes = category_codes(table.categories)
        objectives = [flags.over(each) for each in table.objectives]
        if lacks(table, objectives) is None:
            columns = under_objectives(table, objectives)
        else:
            columns = under_statistics(table, statistics, scores_of_log(table, statistics), codes, objectives)
        return Judged(judge(table, _label(objectives), columns), expected(table, statistics, codes, columns))
    rows = np.flatnonzero([each is not None for each in table.texts])
    if not rows.size:
        raise RecordError(
            f"{artefact.path}: is not known to have made these choices, and the log holds no texts to choose for anew. "
            "Log with --log-text, or judge another objective with the artefact that made them and without --algorithm"
        )
    if len(rows) < len(table):
        terminal.warn(f"{len(table) - len(rows):,} decisions left out: the log holds no text of them")
        table = table.take(rows)
    router = router_of(artefact, embedding)
    prepared = _prepare(table, router)
    objectives = [flags.over(router.objective)] * len(table)
    scores = artefact.selector.scores(prepared.features)
    columns = under_statistics(table, statistics, scores, prepared.categories, objectives)
    name = f"{artefact.selector.name}, {objective_label(objectives[0])}"
    return Judged(judge(table, name, columns), expected(table, statistics, prepared.categories, columns))


def _prepare(table: "LoggedTable", router: "Router") -> "Prepared":
    """Embed the texts of a log, each once; categories that did not come with the request are predicted anew."""
    from vsr.errors import ArtefactError

    if router.embedder is None:
        raise ArtefactError(
            f"{router.artefact.path}: was trained on vectors from elsewhere, so texts of a log cannot be routed by it"
        )
    place_of = {text: place for place, text in enumerate(dict.fromkeys(table.texts)) if text is not None}
    vectors = embed_with_progress(router.embedder, list(place_of), router.artefact.text).vectors
    given = zip(table.categories, table.given.tolist(), strict=True)
    return router.prepare_vectors(
        vectors[[place_of[text] for text in table.texts if text is not None]],
        [category if is_given else None for category, is_given in given],
    )


def _label(objectives: "Sequence[Objective]") -> str:
    """Name a policy by its objective, where all decisions have the same."""
    first = objectives[0]
    return objective_label(first) if all(each == first for each in objectives) else "objectives of the requests"
