"""Asking the LLMs of a configuration before training on their answers."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from vsr.cli import terminal

if TYPE_CHECKING:
    from vsr.config import RouterConfig

_TOO_MANY_FAILED = 3
_INTERRUPTED = 130


@dataclass(frozen=True)
class AskingOptions:
    """How the LLMs are asked, as the flags say; None where a flag was not given."""

    query_limit: int | None = None
    concurrency: int | None = None
    rate_limit_delay: float | None = None
    max_failures: float | None = None

    def given(self) -> list[str]:
        """Flags that were given."""
        return [f"--{field.name.replace('_', '-')}" for field in fields(self) if getattr(self, field.name) is not None]


def ask(
    config: "RouterConfig",
    queries_path: Path,
    records_path: Path,
    options: AskingOptions,
    seed: int,
    skip_bad_lines: bool,
) -> int:
    """Ask every LLM every query, append the records to a file, and say how it went.

    Args:
        config: who is asked.
        queries_path: what is asked.
        records_path: the records; taken up where an earlier run left them.
        options: the flags.
        seed: draws the queries of `--query-limit`.
        skip_bad_lines: leave lines of the queries out that cannot be read.

    Returns:
        0, 3 if too many calls failed, 130 if the run was interrupted.
    """
    from vsr.benchmark.lanes import Pace
    from vsr.benchmark.plan import make_plan
    from vsr.benchmark.runner import RunSettings, preview, run_benchmark
    from vsr.cli.run_display import run_display, say_estimate, write_summary
    from vsr.records import read_queries

    queries = read_queries(queries_path, skip_bad_lines=skip_bad_lines)
    plan = make_plan(queries, config, query_limit=options.query_limit, seed=seed)
    for warning in plan.cast.warnings:
        terminal.warn(warning)
    terminal.say(f"{len(plan.questions):,} queries, {len(plan.models)} models.")
    delay_ms = 500.0 if options.rate_limit_delay is None else options.rate_limit_delay
    settings = RunSettings(Pace(concurrency=options.concurrency or 1, delay_s=delay_ms / 1000), seed=seed)
    say_estimate(preview(plan, records_path, settings))
    summary = run_benchmark(plan, records_path, settings, run_display())
    write_summary(summary)
    if summary.is_interrupted:
        return _INTERRUPTED
    limit = 0.2 if options.max_failures is None else options.max_failures
    if summary.failed_share > limit:
        terminal.warn(f"{summary.failed_share:.0%} of the calls failed, more than the {limit:.0%} of --max-failures")
        return _TOO_MANY_FAILED
    return 0
