"""`vsr-train benchmark`: ask every LLM of a configuration every query, and write records."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.asking import TOO_MANY_FAILED, AskingOptions, ask, asking_options
from vsr.cli.drawing import DrawOptions, draw_options
from vsr.cli.file_formats import QUERIES
from vsr.cli.judge import MODES
from vsr.cli.options import EmbeddingOptions, ObjectiveOptions, embedding_options, objective_options, seed_option
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from vsr.benchmark.summary import BenchmarkSummary
    from vsr.config import RouterConfig


@command("benchmark", epilog=QUERIES)
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
@option("--concise", is_flag=True, help="Ask for the bare answer.")
@option("--skip-bad-lines", is_flag=True, help="Leave unreadable lines of the queries out.")
@option(
    "--judge",
    "judge_mode",
    type=click.Choice(MODES),
    help="Then have the judges of the configuration say what answers are worth, into OUTPUT with .judged in its name.",
)
@asking_options("Run")
@draw_options("Fewer calls")
@objective_options()
@embedding_options
@option("--dry-run", section="Run", is_flag=True, help="Say how many calls, how long and how dear; ask nothing.")
@seed_option
def benchmark(
    config_path: Path,
    data_file: Path,
    output: Path,
    concise: bool,
    skip_bad_lines: bool,
    judge_mode: str | None,
    asking: AskingOptions,
    draw: DrawOptions,
    objective: ObjectiveOptions,
    embedding: EmbeddingOptions,
    dry_run: bool,
    seed: int,
) -> int:
    """Ask every LLM every query and write one record per call.

    Every answer is written at once: after an interruption, a crash or a power cut the same command goes on where it
    stopped. A failed call is a record with its error.
    """
    from vsr.choice.objective import Objective
    from vsr.cli.run_display import write_summary
    from vsr.config import load_config

    if dry_run and judge_mode is not None:
        raise click.UsageError("--judge has no effect with --dry-run: there is no answer yet to judge.")
    if dry_run and asking.max_failures is not None:
        raise click.UsageError("--max-failures has no effect with --dry-run: nothing is asked, so nothing can fail.")
    draw.check(asking.samples)
    embedding = _embedding_in_force(draw, embedding, objective)
    if judge_mode is not None and draw.until_decided:
        raise click.UsageError("--until-decided contradicts --judge: the verdict needs qualities while calls are made.")
    if output.exists() and data_file.exists() and output.samefile(data_file):
        raise click.UsageError("--output is the file of --data-file: name another file for the records.")
    config = load_config(config_path)
    for warning in config.warnings:
        terminal.warn(warning)
    if judge_mode is not None:
        _check_judging(config, output)
    summary = ask(
        config,
        data_file,
        output,
        asking,
        seed=seed,
        skip_bad_lines=skip_bad_lines,
        is_concise=concise,
        is_dry_run=dry_run,
        draw=draw,
        embedding=embedding,
        objective=objective.over(Objective()),
    )
    if summary is None:
        return 0
    write_summary(summary)
    code = asking.exit_code(summary)
    if code == TOO_MANY_FAILED:
        asking.say_too_many_failed(summary)
    if judge_mode is None or summary.is_interrupted:
        return code
    return _judge(config, output, judge_mode, asking, summary, seed=seed) or code


def _embedding_in_force(
    draw: DrawOptions, embedding: EmbeddingOptions, objective: ObjectiveOptions
) -> EmbeddingOptions:
    """Say what embeds: as in `train` where there is a verdict; to tell the kinds of queries, hashing is good enough.

    Raises:
        click.UsageError: A flag has no effect.
    """
    is_given = embedding.names_embedder or embedding.file is not None
    if (is_given or embedding.text is not None) and not draw.makes_part:
        raise click.UsageError(
            "Embedding flags have no effect without --budget, --until-decided or --probe: nothing is embedded."
        )
    if not draw.until_decided and objective != ObjectiveOptions():
        flag = "--cost-share" if objective.quality_weight is None else "--quality-weight"
        raise click.UsageError(f"{flag} has no effect without --until-decided: no verdict is asked for.")
    return embedding if is_given or draw.until_decided else replace(embedding, use_fallback=True)


def _judged_name(output: Path) -> Path:
    return output.with_name(f"{output.name.removesuffix('.jsonl')}.judged.jsonl")


def _check_judging(config: "RouterConfig", output: Path) -> None:
    """Find out before money is spent on answers whether they can be judged.

    Raises:
        ConfigError: Nobody judges.
        OutputError: The judged records would replace another file.
    """
    from vsr.cli.judge import require_judges
    from vsr.judging.writing import check_output

    require_judges(config)
    check_output(_judged_name(output))


def _judge(
    config: "RouterConfig",
    output: Path,
    mode: str,
    asking: AskingOptions,
    summary: "BenchmarkSummary",
    *,
    seed: int,
) -> int:
    """Have the answers judged, for what is left of the money."""
    from vsr.cli.judge import JudgeOptions, judge_records

    is_priced = any(config.models[judge.model].pricing is not None for judge in config.judges)
    left = None if asking.max_cost is None or not is_priced else max(0.0, asking.max_cost - summary.cost_usd)
    asking = replace(asking, query_limit=None, max_cost=left, measure_ttft=False)
    options = JudgeOptions(mode)
    return judge_records(config, output, _judged_name(output), options, asking, seed=seed, skip_bad_lines=False)
