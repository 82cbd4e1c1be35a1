"""What queries and records have in common: lines that cannot be read, field names, metrics, categories."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vsr.data.categories import CATEGORIES, meant_category, normalise_category
from vsr.data.fields import meant_field
from vsr.data.json_lines import BadLine
from vsr.diagnosis.findings import Finding, Level, counted, listed
from vsr.scoring import METRICS, is_unknown_metric, meant_metric

_MOST_BAD_LINES = 5
_FEW_OF_A_CATEGORY = 5
_ENOUGH_TO_COMPARE = 20  # queries: of fewer, every category has few


@dataclass
class Seen:
    """How often something occurs and on which line first."""

    count: int = 0
    line: int | None = None

    def add(self, line: int | None) -> None:
        """Count one more."""
        if not self.count:
            self.line = line
        self.count += 1


class Tally(dict[str, Seen]):
    """Texts, how often each occurs, and on which line first."""

    def add(self, text: str, line: int | None) -> None:
        """Count a text."""
        seen = self.get(text)
        if seen is None:
            seen = self[text] = Seen()
        seen.add(line)

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(seen.count for seen in self.values())


def check_bad_lines(path: str, bad_lines: Sequence[BadLine], n_bad_lines: int) -> Iterator[Finding]:
    """Name the lines that cannot be used."""
    for bad in bad_lines[:_MOST_BAD_LINES]:
        yield Finding(
            "error", "bad-line", path, bad.problem, "Mend the line, or leave it out with --skip-bad-lines.", bad.line
        )
    more = n_bad_lines - _MOST_BAD_LINES
    if more > 0:
        what = f"{counted(more, 'more line')} cannot be used"
        yield Finding("error", "bad-line", path, what, "Mend them, or leave them out with --skip-bad-lines.")


def check_field_names(path: str, misnamed: Tally, known: Sequence[str]) -> Iterator[Finding]:
    """Name fields that mean nothing but look like one of ours.

    Args:
        path: the file.
        misnamed: their names, counted on the lines where our own field is not there.
        known: the names that mean something.
    """
    for name, seen in misnamed.items():
        meant = meant_field(name, known)
        what = f"field `{name[:60]}` means nothing here, and there is no `{meant}` ({counted(seen.count, 'line')})"
        yield Finding("warning", "unknown-field", path, what, f"Did you mean `{meant}`? Rename it.", seen.line, name)


def check_metrics(path: str, metrics: Tally, misspelt: Level = "error") -> Iterator[Finding]:
    """Find metrics that no scoring rule has.

    Args:
        path: the file.
        metrics: as the file has them.
        misspelt: how bad a misspelt one is.
    """
    for name, seen in metrics.items():
        if not is_unknown_metric(name):
            continue
        meant = meant_metric(name)
        what = f'"metric": "{name[:60]}" names no scoring rule ({counted(seen.count, "line")})'
        if meant is not None:
            yield Finding(misspelt, "misspelt-metric", path, what, f"Did you mean {meant}?", seen.line, "metric")
        else:
            fix = f"The kind of the ground truth decides how answers are scored; known are {', '.join(METRICS)}."
            yield Finding("warning", "unknown-metric", path, what, fix, seen.line, "metric")


def check_answers_given_away(path: str, leaking: Seen) -> Iterator[Finding]:
    """Report queries that end with their own answer."""
    if leaking.count:
        what = f"the query ends with its own answer ({counted(leaking.count, 'query', 'queries')})"
        yield Finding(
            "warning", "leaked-answer", path, what, "Take the answer out: every model is right.", leaking.line, "query"
        )


def check_categories(path: str, categories: Tally, n_without: int) -> Iterator[Finding]:
    """Find categories that are not known, misspelt, or hardly there.

    Args:
        path: the file.
        categories: as the file has them, one count a query.
        n_without: queries that have none.
    """
    n_queries = categories.total + n_without
    n_of_known: dict[str, int] = {}
    for name, seen in categories.items():
        known = normalise_category(name)
        if known is not None:
            n_of_known[known] = n_of_known.get(known, 0) + seen.count
            continue
        meant = meant_category(name)
        what = f'category "{name[:60]}" is not known and counts as other ({counted(seen.count, "query", "queries")})'
        if meant is not None:
            yield Finding("warning", "misspelt-category", path, what, f"Did you mean {meant}?", seen.line, "category")
        else:
            fix = f"Use one of {', '.join(CATEGORIES)}, or leave it as other."
            yield Finding("note", "unknown-category", path, what, fix, seen.line, "category")
    few = {name: n for name, n in n_of_known.items() if n < _FEW_OF_A_CATEGORY and name != "other"}
    if few and n_queries >= _ENOUGH_TO_COMPARE:
        what = f"there is hardly any query of {listed(f'{name} ({n})' for name, n in few.items())}"
        fix = "Nothing is learnt of these by themselves; add queries if they matter."
        yield Finding("note", "near-empty-category", path, what, fix, field="category")
    if n_without and n_without == n_queries:
        yield Finding(
            "note",
            "no-category",
            path,
            "no query has a category",
            "`vsr-train categorize` adds them; without, only the text tells queries apart.",
            field="category",
        )
    elif n_without:
        what = f"{counted(n_without, 'query', 'queries')} of {n_queries:,} have no category"
        fix = "It is predicted from the others; `vsr-train categorize` writes it into the file."
        yield Finding("note", "missing-category", path, what, fix, field="category")
