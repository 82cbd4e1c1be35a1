"""`vsr-train benchmark`: ask every LLM of a configuration every query, and write records."""

from pathlib import Path

import click
from click.core import ParameterSource

from vsr.cli import terminal
from vsr.cli.options import SHARE, FiniteRange, seed_option
from vsr.cli.sections import command, option

TOO_MANY_FAILED = 3
_INTERRUPTED = 130

RUN = "Run"
MONEY = "Money"


@command("benchmark")
@option("--config", "config_path", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Who is asked.")
@option(
    "--data-file",
    type=click.Path(path_type=Path),
    default=Path("training_data_with_category.jsonl"),
    show_default=True,
    metavar="FILE",
    help="The queries.",
)
@option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("benchmark_training_data.jsonl"),
    show_default=True,
    metavar="FILE",
    help="The records; taken up where an earlier run left them.",
)
@option(
    "--query-limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Ask N queries at most, spread over the categories.",
)
@option("--concise", is_flag=True, help="Ask for the bare answer.")
@option("--skip-bad-lines", is_flag=True, help="Leave unreadable lines of the queries out.")
@option(
    "--concurrency",
    section=RUN,
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Requests at a time, in all.",
)
@option(
    "--rate-limit-delay",
    section=RUN,
    type=FiniteRange(min=0),
    default=500,
    show_default=True,
    metavar="MS",
    help="Milliseconds between the starts of two requests to one endpoint.",
)
@option(
    "--max-failures",
    section=RUN,
    type=SHARE,
    default=0.2,
    show_default=True,
    metavar="SHARE",
    help="Exit with code 3 if more of the calls failed.",
)
@option("--retry-failed", section=RUN, is_flag=True, help="Ask the calls again that failed before.")
@option(
    "--max-cost",
    section=MONEY,
    type=FiniteRange(min=0),
    metavar="USD",
    help="Stop before all records of the output cost more.",
)
@option("--dry-run", section=MONEY, is_flag=True, help="Say how many calls, how long and how dear; ask nothing.")
@seed_option
@click.pass_context
def benchmark(
    context: click.Context,
    *,
    config_path: Path,
    data_file: Path,
    output: Path,
    query_limit: int | None,
    concise: bool,
    skip_bad_lines: bool,
    concurrency: int,
    rate_limit_delay: float,
    max_failures: float,
    retry_failed: bool,
    max_cost: float | None,
    dry_run: bool,
    seed: int,
) -> int:
    """Ask every LLM every query and write one record per call.

    Every answer is written at once: after an interruption, a crash or a power cut the same command goes on where it
    stopped. A failed call is a record with its error.
    """
    from vsr.benchmark.lanes import Pace
    from vsr.benchmark.plan import make_plan
    from vsr.benchmark.runner import RunSettings, preview, run_benchmark
    from vsr.cli.run_display import run_display, say_estimate, write_summary
    from vsr.config import load_config
    from vsr.records import read_queries

    if dry_run and context.get_parameter_source("max_failures") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--max-failures has no effect with --dry-run: nothing is asked, so nothing can fail.")
    config = load_config(config_path)
    queries = read_queries(data_file, skip_bad_lines=skip_bad_lines)
    plan = make_plan(queries, config, query_limit=query_limit, seed=seed, is_concise=concise)
    for warning in (*config.warnings, *plan.cast.warnings):
        terminal.warn(warning)
    if queries.n_bad_lines:
        terminal.warn(f"{queries.n_bad_lines:,} lines of {data_file} cannot be read and are left out.")
    if max_cost is not None and all(model.pricing is None for model in plan.models):
        raise click.UsageError("--max-cost has no effect: no model in the configuration has prices (pricing).")
    terminal.say(
        f"{len(plan.questions):,} queries, {len(plan.models)} models: {', '.join(m.name for m in plan.models)}."
    )
    if plan.n_repeated:
        terminal.say(f"{plan.n_repeated:,} lines repeat a query; each query is asked once.")
    settings = RunSettings(
        Pace(concurrency=concurrency, delay_s=rate_limit_delay / 1000),
        retry_failed=retry_failed,
        max_cost_usd=max_cost,
        seed=seed,
    )
    say_estimate(preview(plan, output, settings))
    if dry_run:
        return 0
    summary = run_benchmark(plan, output, settings, run_display())
    write_summary(summary)
    if summary.is_interrupted:
        return _INTERRUPTED
    if summary.failed_share > max_failures:
        terminal.fail(
            f"{summary.failed_share:.0%} of the calls failed, more than the {max_failures:.0%} of --max-failures."
        )
        return TOO_MANY_FAILED
    return 0
