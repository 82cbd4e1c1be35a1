"""Saved artefacts on new records and queries, as `evaluate` prints it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vsr.cli import terminal
from vsr.cli.evaluation_table import objective_label, points
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.evaluation.deployed.foreseen import Foreseen
    from vsr.evaluation.deployed.judging import DeployedEvaluation, DeployedResult
    from vsr.evaluation.deployed.novelty import Novelty
    from vsr.evaluation.statistics.intervals import Interval
    from vsr.persistence.training_queries import CategorySelection

_SHOWN_SINGLES = 5
_SHOWN_UNLIKE = 3
_SHOWN_IN_CATEGORY = 2
_QUERY_WIDTH = 72


def deployed_document(evaluation: "DeployedEvaluation") -> dict[str, Any]:
    """Turn a judgement of artefacts into an object that `json` takes; gains are in utility, not in points."""
    document = asdict(evaluation)
    for result, written in zip(evaluation.artefacts, document["artefacts"], strict=True):
        promise = result.promise
        written["keeps_promise"] = None if promise is None else promise.is_kept_by(result.over_named)
    return {**document, "novelty": _novelty_document(evaluation.novelty)}


def foreseen_document(
    found: "Sequence[Foreseen]", prompts: Sequence[str], unseen: Sequence[str], n_known: int | None
) -> dict[str, Any]:
    """Turn what would be chosen into an object that `json` takes."""
    artefacts = []
    for each in found:
        written = asdict(each)
        written.pop("novelty")
        artefacts.append(written)
    novelty = found[0].novelty
    document = _novelty_document(novelty)
    if document is not None and novelty is not None:
        document["most_unlike"] = [prompts[row] for row in novelty.unlike[:_SHOWN_UNLIKE]]
    return {
        "n_queries": found[0].n_queries,
        "n_in_training": n_known,
        "unmeasured_categories": list(unseen),
        "artefacts": artefacts,
        "novelty": document,
    }


def write_deployed(evaluation: "DeployedEvaluation") -> None:
    """Print how artefacts did on new records: the table, what was promised, shares, how new the queries are."""
    n_categories = terminal.counted(evaluation.n_categories, "category", "categories")
    terminal.write(
        f"{terminal.counted(evaluation.n_queries, 'query', 'queries')}, "
        f"{terminal.counted(len(evaluation.models), 'model')}, {n_categories}; categories {evaluation.categories}, "
        f"{objective_label(evaluation.objective)}"
    )
    if evaluation.n_left_out:
        left_out = terminal.counted(evaluation.n_left_out, "query", "queries")
        terminal.write(f"{left_out} of the file left out: they were in the training.")
    for names, what in (
        (evaluation.unknown_models, "not known to the artefacts, so never chosen"),
        (evaluation.unmeasured_models, "not in these records, so not on offer here"),
    ):
        if names:
            terminal.write(f"{', '.join(names)}: {what}.")
    terminal.write("")
    _write_results(evaluation)
    terminal.write("")
    shown = _of_interest(evaluation)
    for line in _sentences(evaluation, shown):
        terminal.write(line)
    terminal.write("")
    _write_selection(shown)
    _write_categories(shown.by_category, None if shown.promise is None else shown.promise.by_category)
    if evaluation.novelty is not None:
        terminal.write("")
        terminal.write(_novelty_sentence(evaluation.novelty))


def write_foreseen(
    found: "Sequence[Foreseen]", prompts: Sequence[str], unseen: Sequence[str], n_known: int | None
) -> None:
    """Print what artefacts would choose for queries, and how far these are from the training."""
    for number, each in enumerate(found):
        if number:
            terminal.write("")
        _write_foreseen(each)
    first = found[0]
    terminal.write("")
    terminal.write(_categories_sentence(first))
    if unseen:
        terminal.write(f"The training measured no query of {', '.join(unseen)}.")
    if n_known:
        terminal.write(f"{n_known:,} of these queries were in the training.")
    if first.novelty is None:
        terminal.write(
            "How far they are from the training cannot be said: the folder keeps neither training_queries.json nor a "
            "KNN artefact of this training."
        )
        return
    terminal.write(_novelty_sentence(first.novelty))
    if first.novelty.is_unusual:
        terminal.write("Measure some of them before you rely on these choices. The furthest:")
        for row in first.novelty.unlike[:_SHOWN_UNLIKE]:
            line = " ".join(prompts[row].split())
            terminal.write(f"  {line if len(line) <= _QUERY_WIDTH else line[: _QUERY_WIDTH - 3] + '...'}")


def _write_foreseen(each: "Foreseen") -> None:
    said = [f"predicted quality {each.quality:.3f}"]
    said += [] if each.latency_s is None else [f"latency {each.latency_s:.2f} s"]
    said += [] if each.cost_usd is None else [f"{_usd(each.cost_usd)} a query"]
    terminal.write(f"{each.name}, {objective_label(each.objective)}: {', '.join(said)}")
    terminal.write("")
    columns = (Column("model"), Column("chosen", "right"))
    terminal.write_table(Table(columns, tuple((model, _share(share)) for model, share in each.selection.items())))
    _write_categories(each.by_category, None)
    if len(each.selection) == 1 and each.n_queries > 1:
        terminal.write(f"Every query goes to {next(iter(each.selection))}.")


def _write_results(evaluation: "DeployedEvaluation") -> None:
    has_cost = any(each.cost_usd is not None for each in (*evaluation.artefacts, *evaluation.singles))
    titles = ["selector", "utility", "quality", "promised", "vs named", "95 %", "latency", "cost"]
    # With a weight of 1, utility is quality; where training named no model there is no gain over it.
    left_out = {"utility"} if evaluation.objective.is_quality_alone else set()
    left_out |= set() if has_cost else {"cost"}
    columns = [
        Column(title, "left" if title == "selector" else "right", is_spare=title in ("latency", "cost"))
        for title in titles
        if title not in left_out
    ]
    rows = []
    kept = [each for each in evaluation.singles if each.name == f"always {evaluation.named}"]
    kept += [each for each in evaluation.singles[:_SHOWN_SINGLES] if each not in kept]
    for each in (*kept, *evaluation.artefacts):
        cells = {
            "selector": _label(evaluation, each),
            "utility": f"{each.utility:.3f}",
            "quality": f"{each.quality:.3f}",
            "promised": "" if each.promise is None else f"{each.promise.quality:.3f}",
            "vs named": _gain(evaluation, each),
            "95 %": "" if each.over_named is None else _interval(each.over_named),
            "latency": "-" if each.latency_s is None else f"{each.latency_s:.2f} s",
            "cost": "-" if each.cost_usd is None else _usd(each.cost_usd),
        }
        rows.append(tuple(cells[column.title] for column in columns))
    terminal.write_table(Table(tuple(columns), tuple(rows)))
    if len(evaluation.singles) > len(kept):
        terminal.write(
            f"{terminal.counted(len(evaluation.singles) - len(kept), 'more single model')}: --json has them."
        )
    if evaluation.n_missing_cells:
        share = evaluation.n_missing_cells / (evaluation.n_queries * len(evaluation.models))
        terminal.write(
            f"{share:.0%} of the cells were not measured: every line is an estimate over all queries, which assumes "
            "that cells are missing at random."
        )


def _label(evaluation: "DeployedEvaluation", result: "DeployedResult") -> str:
    marks = []
    if result.name == evaluation.recommended:
        marks.append("recommended")
    if result.name == f"always {evaluation.named}":
        marks.append("named at training")
    if result.name == f"always {evaluation.best_single}":
        marks.append("best here")
    name = result.name.removeprefix("always ")
    return f"{name} ({', '.join(marks)})" if marks else name


def _gain(evaluation: "DeployedEvaluation", result: "DeployedResult") -> str:
    if result.over_named is not None:
        return points(result.over_named.mean)
    return "identical" if evaluation.named in result.selection and not result.name.startswith("always") else "-"


def _of_interest(evaluation: "DeployedEvaluation") -> "DeployedResult":
    """Give the artefact whose shares are shown: the recommended one, else the first."""
    name = evaluation.recommended or evaluation.artefacts[0].name
    return evaluation.artefact(name)


def _sentences(evaluation: "DeployedEvaluation", result: "DeployedResult") -> list[str]:
    """Say what the artefact gains, what was promised, and whether it chose at all."""
    subject = f"{result.name}{', recommended,' if result.name == evaluation.recommended else ''}"
    named, promise = evaluation.named, result.promise
    said = []
    if named is None:
        said.append(f"Training named no single model, so {subject} is compared with the best one here alone.")
    elif result.over_named is not None:
        kept = None if promise is None else promise.is_kept_by(result.over_named)
        promised = "" if promise is None or promise.gain is None else f"; promised {_points_with(promise.gain)}"
        verdict = {True: ", which is in keeping", False: ", and this is surely less", None: ""}[kept]
        said.append(
            f"{subject} gains {_points_with(result.over_named)} over always using {named}, which training "
            f"named{promised}{verdict}."
        )
    elif named not in evaluation.models:
        said.append(f"{named}, which training named, is not in these records: the gain over it cannot be said.")
    else:
        said.append(f"{subject} always chooses {named}, which training named: there is no gain.")
    if evaluation.best_single != named and result.over_best is not None:
        luck = 100.0 * evaluation.luck
        lucky = f" ({luck:.1f} points of its lead count as luck)" if round(luck, 1) > 0.0 else ""
        said.append(
            f"Against {evaluation.best_single}, the best single model of these records{lucky}: "
            f"{_points_with(result.over_best)}."
        )
    n_chosen, n_categories = len(result.selection), evaluation.n_categories
    if n_chosen == 1:
        was_so = promise is not None and len(promise.selection) == 1
        said.append(
            f"{'As promised, every' if was_so else 'It collapsed onto one model: every'} query goes to "
            f"{next(iter(result.selection))}."
        )
    else:
        over = "" if n_categories == 1 else f" of {n_categories} categories"
        said.append(f"It chose {n_chosen} models for {evaluation.n_queries:,} queries{over}.")
    return said


def _write_selection(result: "DeployedResult") -> None:
    promised: Mapping[str, float] | None = None if result.promise is None else result.promise.selection
    names = list(result.selection)
    names += [] if promised is None else [name for name in promised if name not in result.selection]
    columns = [Column("model"), Column("chosen", "right")]
    columns += [] if promised is None else [Column("promised", "right")]
    rows = [
        (
            name,
            _share(result.selection.get(name, 0.0)),
            *(() if promised is None else (_share(promised.get(name, 0.0)),)),
        )
        for name in names
    ]
    terminal.write_table(Table(tuple(columns), tuple(rows)))


def _write_categories(found: "Sequence[CategorySelection]", promised: "Sequence[CategorySelection] | None") -> None:
    """Print the models that each category goes to, with the promised share behind each; nothing where it is one."""
    if len({model for row in (*found, *(promised or ())) for model in row.shares}) == 1:
        return
    terminal.write("")
    by_name = {row.category: row.shares for row in promised or ()}
    rows = []
    for row in found:
        before = by_name.get(row.category)
        shown = list(row.shares.items())[:_SHOWN_IN_CATEGORY]
        parts = [
            f"{model} {_share(share)}" + ("" if before is None else f" (promised {_share(before.get(model, 0.0))})")
            for model, share in shown
        ]
        more = len(row.shares) - len(shown)
        rows.append((row.category, f"{row.n_queries:,}", ", ".join(parts) + (f" and {more} more" if more else "")))
    terminal.write_table(Table((Column("category"), Column("queries", "right"), Column("goes to")), tuple(rows)))


def _categories_sentence(each: "Foreseen") -> str:
    parts = [f"given for {each.n_given:,}"] if each.n_given else []
    if each.n_predicted:
        right = "" if each.classifier_accuracy is None else f" (right for {each.classifier_accuracy:.0%} in training)"
        parts.append(f"predicted for {each.n_predicted:,}{right}")
    if each.n_assumed:
        parts.append(f"assumed other for {each.n_assumed:,}, because the artefact has no classifier")
    return f"Categories: {', '.join(parts)}."


def _novelty_sentence(novelty: "Novelty") -> str:
    return (
        f"{_share(novelty.share)} of these queries (95 % {_share(novelty.low)} .. {_share(novelty.high)}) are unlike "
        "anything measured: further from the training queries than 99 % of these from each other, where 1 % would be "
        f"usual. A typical one is further away than {_share(novelty.typical_rank)} of the training queries."
    )


def _novelty_document(novelty: "Novelty | None") -> dict[str, Any] | None:
    if novelty is None:
        return None
    document = {name: value for name, value in asdict(novelty).items() if name != "unlike"}
    return {**document, "share": novelty.share, "is_unusual": novelty.is_unusual}


def _points_with(interval: "Interval") -> str:
    return f"{points(interval.mean)} points (95 % {_interval(interval)})"


def _interval(interval: "Interval") -> str:
    return f"{points(interval.low)} .. {points(interval.high)}"


def _share(share: float) -> str:
    return f"{share:.1%}" if 0.0 < share < 0.0995 else f"{share:.0%}"


def _usd(cost_usd: float) -> str:
    return f"${cost_usd:.2g}" if cost_usd < 0.01 else f"${cost_usd:,.3f}"
