"""The page: one HTML file that opens from disk, without network, in light and dark, on a phone and on paper."""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from vsr.report import chapters, figures
from vsr.report.contents import ReportContents
from vsr.report.drawing import NARROW, WIDE, inline_svg
from vsr.report.glossary import glossary, key_of
from vsr.report.ink import DARK, LIGHT
from vsr.report.sections import DataTable, Picture, Section
from vsr.report.sliding import Slider, slider

_SUMMARY_LENGTH = 160
_SHORT = {
    "tradeoff": "Quality and cost",
    "gains": "Gains",
    "categories": "Categories",
    "shares": "Shares",
    "learning": "Learning",
    "calibration": "Calibration",
}


@dataclass(frozen=True)
class _Figure:
    """A picture as it stands in the page, for screens and for phones."""

    wide: Markup
    narrow: Markup
    look: str


@dataclass(frozen=True)
class _PageSection:
    """A section as the template reads it."""

    key: str
    title: str
    findings: tuple[str, ...]
    figures: tuple[_Figure, ...]
    table: DataTable | None
    terms: tuple[tuple[str, str], ...]
    grid: chapters.CategoryGrid | None


def page(contents: ReportContents, sections: tuple[Section, ...], *, with_queries: bool) -> str:
    """Write the page.

    Args:
        contents: what the report tells.
        sections: those with pictures, in order; the models by category follow the gains.
        with_queries: whether texts of queries and answers may stand in it.
    """
    terms = glossary(contents.metrics)
    names = {term.key: term.name for term in terms}
    shown = [_section(section, names) for section in sections]
    if contents.categories:
        grid = chapters.category_grid(contents.categories)
        after = next((at for at, section in enumerate(shown) if section.key == "gains"), -1)
        title = "Which model answers what"
        shown.insert(after + 1, _PageSection("categories", title, (grid.finding,), (), None, (), grid))
    listed = [(section.key, _SHORT[section.key]) for section in shown]
    if contents.examples is not None:
        listed.append(("queries", "Queries"))
    if contents.metrics:
        listed.append(("metrics", "Metrics"))
    listed += [("measured", "Method"), ("definitions", "Words")]
    curve = contents.evaluation.curve
    stops = None if curve is None or len(curve.judged) < 2 else slider(curve)
    script = _file("report.js").strip()
    texts = contents.examples if with_queries else None
    return _template().render(
        contents=contents,
        headline=chapters.headline(contents.evaluation),
        sections=shown,
        contents_list=listed,
        slider=stops,
        slider_json=None if stops is None else _script_json(stops),
        examples=contents.examples,
        has_answers=texts is not None
        and any(each.chosen.response or each.best_single.response for each in (*texts.wins, *texts.losses)),
        with_queries=with_queries,
        metrics=chapters.metrics_table(contents.metrics) if contents.metrics else None,
        measured=chapters.measuring(contents),
        glossary=terms,
        style=Markup(_style()),  # noqa: S704 -- our own file
        script=Markup(script),  # noqa: S704 -- our own file
        script_hash=_hash(script),
    )


def _section(section: Section, names: dict[str, str]) -> _PageSection:
    return _PageSection(
        section.key,
        section.title,
        section.findings,
        tuple(_figure(picture, section.title) for picture in section.pictures),
        section.table,
        tuple((key, names[key]) for key in section.terms if key in names),
        None,
    )


def _figure(picture: Picture, title: str) -> _Figure:
    name = f"{title}: {picture.name.replace('_', ' ')}. The figures are in the table below."
    return _Figure(
        wide=Markup(inline_svg(picture, WIDE, name, "wide")),  # noqa: S704 -- texts are escaped in the drawing
        narrow=Markup(inline_svg(picture, NARROW, name, "narrow")),  # noqa: S704 -- the same
        look=picture.look,
    )


def _style() -> str:
    """Put the colours before the rules; dark ones on screens alone, paper is white."""
    light = "".join(f"--{name}:{value};" for name, value in LIGHT.items())
    dark = "".join(f"--{name}:{value};" for name, value in DARK.items())
    dark_tint = "--tint-of:87 205 191;"
    return _file("report.css").replace("/* colours */", light).strip() + (
        f"\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}{dark_tint}}}}}"
    )


def _script_json(stops: Slider) -> Markup:
    """Write what the script reads; nothing in it can end the element that it stands in."""
    text = json.dumps(asdict(stops), ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["summary"] = _summary
    environment.globals["figures"] = figures
    environment.globals["key_of"] = key_of
    return environment.from_string(_file("report.html.j2"))


def _summary(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SUMMARY_LENGTH else line[: _SUMMARY_LENGTH - 1] + "…"


def _file(name: str) -> str:
    return files("vsr.report").joinpath("templates", name).read_text(encoding="utf-8")
