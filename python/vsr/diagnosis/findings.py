"""What a check finds: how bad it is, what it is, where it stands, and how it is mended."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
"""From what cannot work, over what is hardly meant, to what is good to know."""


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing about a file.

    Attributes:
        level: `error` cannot work or wastes money, `warning` is hardly meant, `note` is good to know.
        check: short name of what was checked, for programs.
        path: the file.
        what: what is wrong, in one sentence, without its full stop.
        fix: what to do about it, one sentence.
        line: where it stands first, from 1; None where it is about the whole file.
        field: the field of the file that it is about, if it is about one.
    """

    level: Level
    check: str
    path: str
    what: str
    fix: str
    line: int | None = None
    field: str | None = None

    @property
    def where(self) -> str:
        """The file, and the line where there is one."""
        return self.path if self.line is None else f"{self.path}:{self.line}"

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence} {self.fix}"

    @property
    def sentence(self) -> str:
        """What is wrong, with the mark that ends a sentence."""
        return self.what if self.what.endswith("?") else f"{self.what}."


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by level; within one they keep their order."""
    return tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level)))


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun: "1 query", "1,200 queries"; `plural` where it is not the noun and an s."""
    return f"1 {noun}" if n == 1 else f"{n:,} {plural or f'{noun}s'}"


def listed(names: Iterable[str], most: int = 5) -> str:
    """Write names one after the other; of many the first ones and how many more there are."""
    given = [name if len(name) <= 60 else f"{name[:57]}..." for name in names]
    more = f" and {len(given) - most:,} more" if len(given) > most else ""
    return ", ".join(given[:most]) + more


def percent(share: float) -> str:
    """Write a share: "12 %", "less than 1 %"."""
    return "less than 1 %" if share < 0.01 else f"{share * 100:.0f} %"
