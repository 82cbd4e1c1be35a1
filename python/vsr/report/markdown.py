"""The same report for a pull request or a wiki: Markdown with pictures beside it."""

import re

from vsr.evaluation.shown.examples import Example
from vsr.report import chapters, figures
from vsr.report.contents import ReportContents
from vsr.report.glossary import glossary
from vsr.report.sections import DataTable, Section

# What Markdown would take for its own, in the middle of a line; `$` begins a formula on some hosts.
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
# HTML inside Markdown; and what hosts make mentions and references of, which would bother people.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "#": "&#35;"})
_LONGEST_QUERY = 300


def markdown(contents: ReportContents, sections: tuple[Section, ...], *, with_queries: bool) -> str:
    """Write the report as Markdown that refers to one PNG per picture.

    Args:
        contents: what the report tells.
        sections: those with pictures, in order.
        with_queries: whether texts of queries may stand in it.
    """
    head = chapters.headline(contents.evaluation)
    parts = [f"# {_plain(head.verdict)}", _plain(head.reason)]
    facts = [
        f"| {fact.name} | {_plain(fact.value)} | {_plain(fact.beside)} | {_plain(fact.change)} |" for fact in head.facts
    ]
    columns = f"| | selector | {_plain(head.best_single)} alone | difference |"
    parts.append("\n".join((columns, "|---|--:|--:|--:|", *facts)))
    parts += [_plain(remark) for remark in contents.remarks]
    for section in sections:
        parts += _section(section)
        if section.key == "gains" and contents.categories:
            parts += _categories(contents)
    if contents.examples is not None:
        found = contents.examples
        parts.append("## Where it wins, where it loses")
        parts.append(
            f"Another model than {_plain(head.best_single)} was chosen and gave the better answer on "
            f"{found.n_wins:,} queries, the worse on {found.n_losses:,}; on {found.n_same:,} quality is the same."
        )
        if with_queries:
            parts += [_queries("Routing wins", found.wins), _queries("Routing loses", found.losses)]
    if contents.metrics:
        parts += ["## In the measures of the literature", _table(chapters.metrics_table(contents.metrics))]
    parts.append("## How this was measured")
    parts.append("\n".join(f"- {_plain(sentence)}" for sentence in chapters.measuring(contents)))
    parts.append("## What the words mean")
    words = [
        f"- **{_plain(term.name)}**: {_plain(term.definition)}" + (f" ({_plain(term.source)})" if term.source else "")
        for term in glossary(contents.metrics)
    ]
    parts.append("\n".join(words))
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> list[str]:
    parts = [f"## {section.title}", "\n".join(_findings(section.findings))]
    for picture in section.pictures:
        parts += [f"![{section.title}]({picture.name}.png)", f"*{_plain(picture.look)}*"]
    if section.table is not None:
        parts += ["<details><summary>The figures behind it</summary>", _table(section.table), "</details>"]
    return parts


def _findings(findings: tuple[str, ...]) -> list[str]:
    return [_plain(findings[0])] if len(findings) == 1 else [f"- {_plain(finding)}" for finding in findings]


def _categories(contents: ReportContents) -> list[str]:
    grid = chapters.category_grid(contents.categories)
    heads = ["category", "queries", *map(_plain, grid.models)]
    rows = [
        [row.category, row.n_queries, *(f"{cell.share or '·'} ({cell.quality})" for cell in row.cells)]
        for row in grid.rows
    ]
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return [
        "## Which model answers what",
        f"{_plain(grid.finding)} Share of the category's queries that go to each model, and its mean quality there.",
        "\n".join(f"| {' | '.join(line)} |" for line in lines),
    ]


def _queries(title: str, found: tuple[Example, ...]) -> str:
    lines = ["| points | category | query | chosen | instead of |", "|--:|---|---|---|---|"]
    for example in found:
        sides = [f"{_plain(one.model)} {figures.quality(one.quality)}" for one in (example.chosen, example.best_single)]
        text = " ".join(example.query.split())
        text = text if len(text) <= _LONGEST_QUERY else text[: _LONGEST_QUERY - 1] + "…"
        lines.append(
            f"| {figures.whole_points(example.gain)} | {example.category} | {_plain(text)} | {' | '.join(sides)} |"
        )
    return f"### {title}\n\n" + "\n".join(lines)


def _table(table: DataTable) -> str:
    heads = [_plain(column.title) for column in table.columns]
    rules = ["--:" if column.is_number else "---" for column in table.columns]
    rows = [[_plain(text) for text in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rules, *rows))


def _plain(text: str) -> str:
    """Write text so that Markdown shows it as it stands, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()).translate(_ENTITIES))
