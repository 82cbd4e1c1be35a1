"""Which model answers which category: a table whose tint says what a picture would."""

from collections import Counter
from dataclasses import dataclass

from vsr.evaluation.shown.by_category import CategoryRow
from vsr.report.figures import NOT_KNOWN, quality, share

_MOST_MODELS = 7
_NAMED = 3


@dataclass(frozen=True)
class GridCell:
    """One model in one category.

    Attributes:
        share: of the choices, as text; empty for none.
        quality: as text.
        tint: 0 to 1.
        is_best: whether no model has a higher mean quality there.
    """

    share: str
    quality: str
    tint: float
    is_best: bool


@dataclass(frozen=True)
class GridRow:
    """One category.

    Attributes:
        category: its name.
        n_queries: held-out queries of it.
        quality: of the chosen models.
        cells: one a model of the grid.
    """

    category: str
    n_queries: str
    quality: str
    cells: tuple[GridCell, ...]


@dataclass(frozen=True)
class CategoryGrid:
    """Models by category.

    Attributes:
        finding: what was found.
        models: those with a column, the most chosen first.
        n_left_out: models without a column.
        rows: categories, the largest first.
    """

    finding: str
    models: tuple[str, ...]
    n_left_out: int
    rows: tuple[GridRow, ...]


def category_grid(found: tuple[CategoryRow, ...]) -> CategoryGrid:
    """Lay out models by category: those that are chosen most, and those that are best somewhere."""
    chosen: dict[str, float] = {}
    n_best: dict[str, int] = {}
    for row in found:
        best = _best(row)
        for cell in row.cells:
            chosen[cell.model] = chosen.get(cell.model, 0.0) + cell.share * row.n_queries
            n_best[cell.model] = n_best.get(cell.model, 0) + (cell.model == best)
    ordered = sorted(chosen, key=lambda model: (-chosen[model], -n_best[model], model))
    models = tuple(ordered[:_MOST_MODELS])
    rows = []
    for row in found:
        by_model = {cell.model: cell for cell in row.cells}
        best = _best(row)
        cells = tuple(
            GridCell(
                share(by_model[model].share) if by_model[model].share > 0.0 else "",
                quality(by_model[model].quality),
                by_model[model].share,
                model == best,
            )
            for model in models
        )
        rows.append(GridRow(row.category, f"{row.n_queries:,}", quality(row.quality), cells))
    return CategoryGrid(_finding(found), models, len(ordered) - len(models), tuple(rows))


def _finding(found: tuple[CategoryRow, ...]) -> str:
    tops = Counter(max(row.cells, key=lambda cell: cell.share).model for row in found).most_common()
    n_agreeing = sum(max(row.cells, key=lambda cell: cell.share).model == _best(row) for row in found)
    (first, n_first), others = tops[0], tops[1:]
    more = "".join(f", {name} in {count}" for name, count in others[:_NAMED])
    return (
        f"{first} answers most in {n_first} of {len(found)} categories{more}. In {n_agreeing or 'none'} of them the "
        "model that answers most is also the one of highest mean quality."
    )


def _best(row: CategoryRow) -> str:
    measured = [cell for cell in row.cells if cell.quality is not None]
    return max(measured, key=lambda cell: cell.quality or 0.0).model if measured else NOT_KNOWN
