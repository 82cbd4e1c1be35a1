"""Write a report into a folder."""

import json
import os
from dataclasses import replace
from pathlib import Path

from vsr._files import atomic_writer, require_writable
from vsr.evaluation.shown.examples import Example, Examples, ModelAnswer
from vsr.report import chapters
from vsr.report.contents import ReportContents
from vsr.report.document import report_document
from vsr.report.drawing import png
from vsr.report.markdown import markdown
from vsr.report.page import page
from vsr.report.sections import Section

# Eighty answers of some thousand characters each are as much as anybody reads, and keep the page small.
_MOST_CHARACTERS = 4000


def write_report(
    directory: str | os.PathLike[str], contents: ReportContents, *, with_queries: bool = True
) -> tuple[Path, ...]:
    """Write `report.html`, `report.json` and `report.md` with its pictures.

    Args:
        directory: the folder; made if it is missing.
        contents: what the report tells.
        with_queries: whether texts of queries and answers may stand in it.

    Returns:
        The files, the page first.

    Raises:
        OutputError: The folder or a file in it cannot be written.
    """
    require_writable(directory)
    folder = Path(directory)
    contents = replace(contents, examples=None if contents.examples is None else _cut(contents.examples))
    sections = sections_of(contents)
    drawn = {f"{each.name}.png": png(each) for section in sections for each in section.pictures}
    document = json.dumps(report_document(contents, with_queries=with_queries), ensure_ascii=False, indent=1)
    texts = {
        "report.html": page(contents, sections, with_queries=with_queries),
        "report.json": document + "\n",
        "report.md": markdown(contents, sections, with_queries=with_queries),
    }
    # Nothing but text can stand in a file: half a surrogate pair, which JSON can hold, cannot.
    everything = {name: text.encode("utf-8", errors="replace") for name, text in texts.items()} | drawn
    paths = []
    for name, content in everything.items():
        with atomic_writer(folder / name) as file:
            file.write(content)
        paths.append(folder / name)
    return tuple(paths)


def sections_of(contents: ReportContents) -> tuple[Section, ...]:
    """Give the sections with pictures that there are figures for."""
    evaluation = contents.evaluation
    sections = []
    section = None if evaluation.curve is None else chapters.tradeoff_section(evaluation.curve, evaluation.best_single)
    if section is not None:
        sections.append(section)
    sections.append(chapters.gains_section(evaluation))
    sections.append(chapters.shares_section(evaluation))
    if len(evaluation.learning_curve) > 1:
        sections.append(chapters.learning_section(evaluation))
    if contents.reliability is not None:
        sections.append(chapters.calibration_section(contents.reliability))
    return tuple(sections)


def _cut(found: Examples) -> Examples:
    return replace(found, wins=tuple(map(_cut_example, found.wins)), losses=tuple(map(_cut_example, found.losses)))


def _cut_example(example: Example) -> Example:
    return replace(
        example,
        query=_shortened(example.query),
        chosen=_cut_answer(example.chosen),
        best_single=_cut_answer(example.best_single),
    )


def _cut_answer(answer: ModelAnswer) -> ModelAnswer:
    return answer if answer.response is None else replace(answer, response=_shortened(answer.response))


def _shortened(text: str) -> str:
    beyond = len(text) - _MOST_CHARACTERS
    return text if beyond <= 0 else f"{text[:_MOST_CHARACTERS]}\n… and {beyond:,} more characters"
