"""What the doctor found, whole for its own command and short for those that check before they begin."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from vsr.cli import terminal
from vsr.errors import RecordError

if TYPE_CHECKING:
    from vsr.diagnosis import Diagnosis, Finding

_MOST_SAID = 8
_INDENT = " " * 9  # as wide as the longest level and its gap


def write_diagnosis(diagnosis: "Diagnosis", *, as_json: bool) -> None:
    """Print everything that was found to stdout."""
    counts = {level: diagnosis.count(level) for level in ("error", "warning", "note")}
    if as_json:
        files = [
            {"path": file.path, "kind": file.kind, "summary": file.summary, "models": list(file.models)}
            for file in diagnosis.files
        ]
        found = [asdict(finding) for finding in diagnosis.findings]
        terminal.write_json({**{f"n_{level}s": n for level, n in counts.items()}, "files": files, "findings": found})
        return
    for file in diagnosis.files:
        terminal.write(f"{file.path}: {file.summary}")
        for finding in file.findings:
            place = "" if finding.line is None else f"line {finding.line:,}: "
            terminal.write(f"{finding.level:<9}{place}{finding.sentence}")
            terminal.write(f"{_INDENT}{finding.fix}")
        if not file.findings:
            terminal.write(f"{'fine':<9}nothing to say.")
        terminal.write("")
    said = ", ".join(terminal.counted(n, level) for level, n in counts.items())
    terminal.write(f"{said} in {terminal.counted(len(diagnosis.files), 'file')}.")


def say_findings(findings: Iterable["Finding"], advice: str) -> None:
    """Print what matters before a long job to stderr: warnings, a line each; errors end the command.

    Args:
        findings: what was found; notes are left to `vsr-train doctor`.
        advice: what the job would have cost, to stand behind the errors.

    Raises:
        RecordError: There are errors; the message holds them.
    """
    serious = [finding for finding in findings if finding.level != "note"]
    warnings = [finding for finding in serious if finding.level == "warning"]
    for finding in warnings[:_MOST_SAID]:
        terminal.warn(str(finding))
    if len(warnings) > _MOST_SAID:
        terminal.warn(f"{len(warnings) - _MOST_SAID} more: `vsr-train doctor {warnings[0].path}` shows them.")
    errors = [finding for finding in serious if finding.level == "error"]
    if errors:
        more = f"\nand {len(errors) - _MOST_SAID} more" if len(errors) > _MOST_SAID else ""
        raise RecordError("\n".join(map(str, errors[:_MOST_SAID])) + f"{more}\n{advice}")
