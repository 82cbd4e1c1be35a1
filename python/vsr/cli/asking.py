"""Asking the LLMs of a configuration: what `benchmark` and `train --benchmark` have in common."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.drawing import DrawOptions, vectors_of
from vsr.cli.metric_option import metric_option
from vsr.cli.option_groups import flags_given
from vsr.cli.options import SHARE, EmbeddingOptions, FiniteRange
from vsr.cli.sections import option

if TYPE_CHECKING:
    from vsr.asking.models import AskedModels
    from vsr.benchmark.plan import Plan
    from vsr.benchmark.runner import RunSettings
    from vsr.benchmark.summary import BenchmarkSummary
    from vsr.choice.objective import Objective
    from vsr.config import RouterConfig
    from vsr.data.records import Queries
    from vsr.diagnosis import Finding

TOO_MANY_FAILED = 3

_CONCURRENCY = 1
_DELAY_MS = 500
_MAX_FAILURES = 0.2


@dataclass(frozen=True)
class AskingOptions:
    """How the LLMs are asked, as the flags say; None or false where a flag was not given."""

    query_limit: int | None = None
    concurrency: int | None = None
    rate_limit_delay: float | None = None
    max_failures: float | None = None
    retry_failed: bool = False
    max_cost: float | None = None
    measure_ttft: bool = False
    metric: str | None = None
    samples: int | None = None

    def given(self) -> list[str]:
        """Flags that were given."""
        return list(flags_given(self))

    def settings(self, seed: int) -> "RunSettings":
        """Give what the flags say of how a run goes about it."""
        from vsr.asking.queue import RetryPolicy
        from vsr.benchmark.runner import RunSettings

        delay_ms = _DELAY_MS if self.rate_limit_delay is None else self.rate_limit_delay
        return RunSettings(
            RetryPolicy(concurrency=self.concurrency or _CONCURRENCY, delay_s=delay_ms / 1000),
            retry_failed=self.retry_failed,
            max_cost_usd=self.max_cost,
            seed=seed,
            measure_first_token=self.measure_ttft,
        )

    def exit_code(self, summary: "BenchmarkSummary") -> int:
        """Return how the command ends after a run: 0, 3 if too many calls failed, 130 if it was interrupted."""
        if summary.interrupted_by is not None:
            return 128 + summary.interrupted_by
        return TOO_MANY_FAILED if summary.failed_share > self._max_failures else 0

    def say_too_many_failed(self, summary: "BenchmarkSummary") -> None:
        """Say why the exit code is 3."""
        terminal.fail(
            f"{summary.failed_share:.0%} of the calls failed, more than the {self._max_failures:.0%} of --max-failures."
        )

    @property
    def _max_failures(self) -> float:
        return _MAX_FAILURES if self.max_failures is None else self.max_failures


def asking_options(section: str, *, but: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the flags that say how LLMs are asked; the command gets them as `asking: AskingOptions`.

    Args:
        section: the heading that they stand under in the help.
        but: names of fields of `AskingOptions` whose flags the command has no use for.
    """
    declarations: tuple[Callable[[Any], Any], ...] = (
        option(
            "--query-limit",
            section=section,
            type=click.IntRange(min=1),
            metavar="N",
            help="Ask N queries at most, spread over the categories.",
        ),
        option(
            "--concurrency",
            section=section,
            type=click.IntRange(min=1),
            metavar="N",
            show_default=str(_CONCURRENCY),
            help="Requests at a time, in all.",
        ),
        option(
            "--rate-limit-delay",
            section=section,
            type=FiniteRange(min=0),
            metavar="MS",
            show_default=str(_DELAY_MS),
            help="Milliseconds between the starts of two requests to one endpoint.",
        ),
        option(
            "--max-failures",
            section=section,
            type=SHARE,
            metavar="SHARE",
            show_default=str(_MAX_FAILURES),
            help="Exit with code 3 if more of the calls failed.",
        ),
        option("--retry-failed", section=section, is_flag=True, help="Ask the calls again that failed before."),
        option(
            "--max-cost",
            section=section,
            type=FiniteRange(min=0),
            metavar="USD",
            help="Stop before all records of the output cost more.",
        ),
        option(
            "--measure-ttft",
            section=section,
            is_flag=True,
            help="Have answers streamed, so that records hold the time to the first token.",
        ),
        metric_option(section),
        option(
            "--samples",
            section=section,
            type=click.IntRange(min=1),
            metavar="K",
            show_default="1",
            help="Ask every query K times, at a temperature above 0.",
        ),
    )

    # A declaration does not say which field it fills: they stand in the order of the fields.
    declared = [(field.name, declare) for field, declare in zip(fields(AskingOptions), declarations, strict=True)]
    names = [name for name, _ in declared if name not in but]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def collecting(**values: Any) -> Any:  # noqa: ANN401 whatever the command returns
            return command(asking=AskingOptions(**{name: values.pop(name) for name in names}), **values)

        for name, declare in reversed(declared):
            if name in names:
                collecting = declare(collecting)
        return collecting

    return decorate


def ask(
    config: "RouterConfig",
    queries_path: Path,
    records_path: Path,
    options: AskingOptions,
    *,
    seed: int,
    skip_bad_lines: bool,
    is_concise: bool = False,
    is_dry_run: bool = False,
    draw: DrawOptions | None = None,
    embedding: EmbeddingOptions | None = None,
    objective: "Objective | None" = None,
) -> "BenchmarkSummary | None":
    """Say what lies before, ask every LLM every query, and append the records to a file.

    Args:
        config: who is asked.
        queries_path: what is asked.
        records_path: the records; taken up where an earlier run left them.
        options: the flags.
        seed: draws the queries of `--query-limit`.
        skip_bad_lines: leave lines of the queries out that cannot be read.
        is_concise: ask for the bare answer.
        is_dry_run: stop after saying what lies before.
        draw: which of the calls are made; all without it.
        embedding: makes the vectors by which some of the calls are chosen, and the verdict is looked at.
        objective: what the verdict is about that ends the asking.

    Returns:
        What came of it; None after a dry run.
    """
    from vsr.benchmark.plan import make_plan
    from vsr.benchmark.rounds import probing, run_in_rounds
    from vsr.benchmark.rounds_file import RoundsFile
    from vsr.benchmark.runner import preview, run_benchmark
    from vsr.choice.objective import Objective
    from vsr.cli.deciding import decide_by, require_truth
    from vsr.cli.run_display import run_display, say_estimate
    from vsr.data.records import read_queries

    draw = draw or DrawOptions()
    queries = read_queries(queries_path, skip_bad_lines=skip_bad_lines)
    plan = make_plan(
        queries,
        config,
        query_limit=options.query_limit,
        seed=seed,
        is_concise=is_concise,
        metric=options.metric,
        n_draws=options.samples or 1,
    )
    everybody = plan
    if draw.only_model is not None:
        plan = plan.only(draw.only_model)
    if not is_dry_run:
        check_before_asking(config, queries, plan)
    if queries.n_bad_lines:
        terminal.warn(f"{queries.n_bad_lines:,} lines of {queries_path} cannot be read and are left out.")
    if draw.until_decided:
        require_truth(plan)
    if options.max_cost is not None and all(model.pricing is None for model in plan.models):
        raise click.UsageError("--max-cost has no effect: no model in the configuration has prices (pricing).")
    n_queries, n_models = terminal.counted(plan.n_queries, "query", "queries"), len(plan.models)
    unsaid = [model.name for model in plan.models if model.temperature is None] if plan.n_draws > 1 else []
    if unsaid:
        terminal.warn(f"no temperature is set for {', '.join(unsaid)}: the servers' own decides how answers differ.")
    times = f", {plan.n_draws} times each" if plan.n_draws > 1 else ""
    terminal.say(
        f"{n_queries}{times}, {terminal.counted(n_models, 'model')}: {', '.join(m.name for m in plan.models)}."
    )
    if plan.n_repeated:
        terminal.say(f"{plan.n_repeated:,} lines repeat a query; each query is asked once.")
    settings = options.settings(seed)
    if not draw.makes_part:
        say_estimate(preview(plan, records_path, settings))
        if is_dry_run:
            check_before_asking(config, queries, plan, is_dry_run=True)
            return None
        return run_benchmark(plan, records_path, settings, run_display())
    n_cells = draw.n_cells(everybody)
    vectors = vectors_of(everybody, embedding or EmbeddingOptions(use_fallback=True))
    rounds = draw.allocation(everybody, vectors, n_cells, seed)
    if draw.probe is not None:
        plan = probing(everybody, str(draw.only_model), records_path, rounds, draw.probe)
    before = preview(plan, records_path, settings)
    objective = objective or Objective()
    looked_for = repr(objective) if draw.until_decided else ""
    if draw.probe is None:
        if draw.until_decided:  # whole queries
            n_cells = sum(own.n_cells for own in rounds.rounds)
        draw.say(rounds, n_cells, everybody.n_calls)
        is_ended = draw.until_decided and RoundsFile(records_path, plan, rounds, looked_for).is_ended
        before = before.of_part(0 if is_ended else n_cells)
        if draw.budget is not None and draw.budget.is_usd and options.max_cost is None:
            settings = replace(settings, max_cost_usd=draw.budget.amount)
    say_estimate(before)
    if is_dry_run:
        check_before_asking(config, queries, plan, is_dry_run=True)
        return None
    if draw.probe is not None:
        return run_benchmark(plan, records_path, settings, run_display())
    decide = None
    if draw.until_decided:
        decide = decide_by(plan, records_path, vectors, rounds, objective, seed)
    return run_in_rounds(plan, records_path, rounds, settings, run_display(), decide, looked_for)


def check_before_asking(config: "RouterConfig", queries: "Queries", plan: "Plan", *, is_dry_run: bool = False) -> None:
    """Say what is wrong with queries and configuration before it costs money.

    Args:
        config: who is asked.
        queries: what is asked.
        plan: both, worked out.
        is_dry_run: try the endpoints by a connection as well; a run itself does that.

    Raises:
        RecordError: The money would be wasted, or nobody can be asked.
    """
    from vsr.cli.findings import say_findings
    from vsr.diagnosis import check_queries

    # Bad lines end the command already, or are counted where they are left out on purpose.
    of_queries = [finding for finding in check_queries(queries) if finding.check != "bad-line"]
    findings = findings_of_asked(config, plan.asked, probes=is_dry_run)
    n_notes = sum(finding.level == "note" for finding in (*of_queries, *findings))
    if is_dry_run and n_notes:
        notes = terminal.counted(n_notes, "more note")
        terminal.say(f"{notes}: `vsr-train doctor {queries.path} {config.path}` shows what else there is to know.")
    say_findings([*of_queries, *findings], "Nothing has been asked, and nothing spent.")


def findings_of_asked(config: "RouterConfig", asked: "AskedModels", *, probes: bool) -> "list[Finding]":
    """Say what is wrong with those who are asked; only a warning while others can still answer.

    Args:
        config: where they come from.
        asked: who is asked.
        probes: try the endpoints by a connection.
    """
    from vsr.diagnosis import check_asked

    found = check_asked(str(config.path or "configuration"), asked, probes=probes)
    if found.nobody_answers:
        return list(found.findings)
    # What is wrong with some endpoints need not stop the others.
    return [replace(each, level="warning") if each.level == "error" else each for each in found.findings]
