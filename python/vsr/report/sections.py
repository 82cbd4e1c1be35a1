"""What a report is made of: sections with a finding, a picture that says what to look for, and the table behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import altair as alt
from altair.utils.schemapi import debug_mode

Chart = alt.LayerChart | alt.FacetChart | alt.Chart


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: its head.
        term: the term of the glossary that its head links to.
        is_number: whether it stands to the right.
    """

    title: str
    term: str | None = None
    is_number: bool = True


@dataclass(frozen=True)
class DataTable:
    """A table for people; the first column names the rows.

    Attributes:
        caption: what it holds.
        columns: its heads.
        rows: texts, as many a row as there are columns.
        marked: the row that it is about, None for none.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None = None


@dataclass(frozen=True)
class Picture:
    """A chart that can be drawn at any width.

    Attributes:
        name: of its file, without the ending.
        draw: makes the chart for a width in pixels.
        look: what to look for.
    """

    name: str
    draw: Callable[[int], Chart]
    look: str

    def specification(self, width: int) -> dict[str, Any]:
        """Give the chart for a width as Vega-Lite.

        Altair's checks of its own objects are left out: they take most of the time, and tests do them.
        """
        with debug_mode(False):
            return dict(self.draw(width).to_dict(validate=False))


@dataclass(frozen=True)
class Section:
    """One question and its answer.

    Attributes:
        key: its anchor.
        title: what it is about.
        findings: what was found, a sentence or two; several stand as a list.
        pictures: the charts, mostly one.
        table: the figures behind them.
        terms: terms of the glossary that its words use.
    """

    key: str
    title: str
    findings: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()
    table: DataTable | None = None
    terms: tuple[str, ...] = ()
