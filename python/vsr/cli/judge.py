"""`vsr-train judge`: have LLMs say what responses are worth that are already there."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.asking import TOO_MANY_FAILED, AskingOptions, asking_options, findings_of_asked
from vsr.cli.file_formats import JUDGED
from vsr.cli.options import SHARE, json_option, seed_option
from vsr.cli.sections import command, option
from vsr.errors import ConfigError, RecordError

if TYPE_CHECKING:
    from vsr.config import RouterConfig
    from vsr.judging.items import Judged
    from vsr.judging.responses import Responses
    from vsr.judging.run import Judging

MODES = ("rubric", "pairwise", "reference")
_RECHECK = 0.05


@dataclass(frozen=True)
class JudgeOptions:
    """What judges are asked, as the flags say; None or false where a flag was not given."""

    mode: str
    criteria: Path | None = None
    against: str | None = None
    graded: bool = False
    combine: str | None = None
    exclude_own_family: bool = False
    recheck: float | None = None

    def __post_init__(self) -> None:
        """Refuse flags that would do nothing.

        Raises:
            click.UsageError: A flag has no effect in this mode.
        """
        for flag, is_given, modes in (
            ("--criteria", self.criteria is not None, ("rubric", "pairwise")),
            ("--against", self.against is not None, ("pairwise",)),
            ("--graded", self.graded, ("reference",)),
            ("--combine", self.combine is not None, ("rubric", "reference")),
        ):
            if is_given and self.mode not in modes:
                raise click.UsageError(f"{flag} has no effect with --mode {self.mode}.")


@command("judge", epilog=JUDGED)
@option(
    "--config",
    "config_path",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Who judges: `judges: [{model, family}]`.",
)
@option(
    "--data-file",
    type=click.Path(path_type=Path),
    default=Path("benchmark_training_data.jsonl"),
    show_default=True,
    metavar="FILE",
    help="The records whose responses are judged.",
)
@option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("judged.jsonl"),
    show_default=True,
    metavar="FILE",
    help="The records with what judges said; their answers go beside it and are taken up where an earlier run left.",
)
@option(
    "--mode",
    type=click.Choice(MODES),
    default="rubric",
    show_default=True,
    help="A score of 1 to 10 for each response, which of two is better, or whether it agrees with the ground truth.",
)
@option(
    "--criteria", type=click.Path(path_type=Path), metavar="FILE", help="What is good: a text, or YAML by category."
)
@option("--against", metavar="MODEL", help="Compare every model with this one alone.")
@option("--graded", is_flag=True, help="Let a response be partly correct.")
@option(
    "--combine",
    type=click.Choice(("mean", "majority")),
    show_default="mean",
    help="How several judges are joined.",
)
@option("--exclude-own-family", is_flag=True, help="Ask no judge about models of its own family.")
@option(
    "--recheck",
    type=SHARE,
    metavar="SHARE",
    show_default=str(_RECHECK),
    help="Ask so many twice, to see whether judges say the same.",
)
@option("--skip-bad-lines", is_flag=True, help="Leave unreadable lines of the records out.")
@asking_options("Run", but=("measure_ttft",))
@option("--dry-run", section="Run", is_flag=True, help="Say how many calls, how long and how dear; ask nothing.")
@seed_option
@json_option
def judge(
    config_path: Path,
    data_file: Path,
    output: Path,
    skip_bad_lines: bool,
    asking: AskingOptions,
    dry_run: bool,
    seed: int,
    as_json: bool,
    **flags: object,
) -> int:
    """Have LLMs say what responses are worth, and measure how far they are to be trusted.

    Every answer of a judge is written at once: after an interruption, a crash or a power cut the same command goes on
    where it stopped. True labels are never overwritten.
    """
    from vsr.config import load_config

    options = JudgeOptions(**flags)  # type: ignore[arg-type]  # the names and types of the flags above
    if dry_run:
        for flag, is_given in (("--max-failures", asking.max_failures is not None), ("--json", as_json)):
            if is_given:
                raise click.UsageError(f"{flag} has no effect with --dry-run: nothing is asked.")
    config = load_config(config_path)
    for warning in config.warnings:
        terminal.warn(warning)
    return judge_records(
        config,
        data_file,
        output,
        options,
        asking,
        seed=seed,
        skip_bad_lines=skip_bad_lines,
        is_dry_run=dry_run,
        as_json=as_json,
    )


def require_judges(config: "RouterConfig") -> None:
    """Make sure that a configuration names somebody who judges.

    Raises:
        ConfigError: It does not.
    """
    if not config.judges:
        raise ConfigError(
            f"{config.path}: names nobody who judges; add `judges: [{{model: NAME}}]`, with a name from model_config."
        )


def judge_records(
    config: "RouterConfig",
    data_file: Path,
    output: Path,
    options: JudgeOptions,
    asking: AskingOptions,
    *,
    seed: int,
    skip_bad_lines: bool,
    is_dry_run: bool = False,
    as_json: bool = False,
) -> int:
    """Judge the responses of a file, and print how far the judges are to be trusted.

    Args:
        config: who judges.
        data_file: the records.
        output: the judged records.
        options: what judges are asked.
        asking: how they are asked.
        seed: draws the queries of `--query-limit` and what is asked twice.
        skip_bad_lines: leave out lines that cannot be read.
        is_dry_run: stop after saying what lies before.
        as_json: print one JSON object.

    Returns:
        The exit code.
    """
    from vsr.cli.findings import say_findings
    from vsr.cli.judging_table import write_report
    from vsr.cli.run_display import run_display, say_estimate, say_summary
    from vsr.judging.opinions import qualities, read_opinions
    from vsr.judging.report import report_on
    from vsr.judging.responses import limited, read_responses
    from vsr.judging.writing import check_output, journal_of, write_judged

    if output.exists() and data_file.exists() and output.samefile(data_file):
        raise click.UsageError("--output is the file of --data-file: name another file for the judged records.")
    check_output(output)
    responses = read_responses(data_file, needs_truth=options.mode == "reference", skip_bad_lines=skip_bad_lines)
    if asking.query_limit is not None:
        responses = limited(responses, asking.query_limit, seed)
    judging = _judging(config, _judged(responses, options, seed), options)
    if asking.max_cost is not None and all(model.pricing is None for model in judging.asked.models):
        raise click.UsageError("--max-cost has no effect: no judge in the configuration has prices (pricing).")
    findings = findings_of_asked(config, judging.asked, probes=is_dry_run)
    _say_what_is_judged(responses, judging)
    settings, journal = asking.settings(seed), journal_of(output)
    say_estimate(judging.preview(journal, settings))
    say_findings(findings, "Nothing has been asked, and nothing spent.")
    if is_dry_run:
        terminal.detail(f"The first question, as a judge reads it:\n\n{judging.items[0].prompt}")
        return 0
    summary = judging.run(journal, settings, run_display())
    verdicts = judging.verdicts(journal)
    opinions = read_opinions(judging, verdicts)
    judged = qualities(judging, opinions, is_majority=options.combine == "majority")
    written = write_judged(output, judging, verdicts, opinions, judged, source=data_file, skip_bad_lines=skip_bad_lines)
    say_summary(summary, "answers")
    write_report(report_on(judging, verdicts, opinions, judged), written, output, as_json=as_json)
    code = asking.exit_code(summary)
    if code == TOO_MANY_FAILED:
        asking.say_too_many_failed(summary)
    return code


def _judged(responses: "Responses", options: JudgeOptions, seed: int) -> "Judged":
    from vsr._spelling import nearest
    from vsr.judging.criteria import Criteria, read_criteria
    from vsr.judging.items import Judged
    from vsr.judging.modes import Mode, Task

    models = tuple(dict.fromkeys(response.model for response in responses.items))
    if options.against is not None and options.against not in models:
        meant = nearest(options.against, models)
        hint = f"did you mean {meant}?" if meant else f"there is: {', '.join(models)}."
        raise RecordError(f"{responses.path}: no response of a model {options.against} (--against); {hint}")
    judged = Judged(
        responses.items,
        Task(Mode(options.mode), options.graded),
        Criteria() if options.criteria is None else read_criteria(options.criteria),
        options.against,
        _RECHECK if options.recheck is None else options.recheck,
        seed,
    )
    if judged.task.mode is Mode.PAIRWISE and next(judged.pairs(), None) is None:
        raise RecordError(
            f"{responses.path}: no query has responses of two models to compare; judge each by itself: --mode rubric"
        )
    return judged


def _judging(config: "RouterConfig", judged: "Judged", options: JudgeOptions) -> "Judging":
    import os

    from vsr.asking.models import asked_models
    from vsr.judging.run import Judge, Judging

    require_judges(config)
    if options.combine is not None and len(config.judges) < 2:
        raise click.UsageError(f"--combine has no effect: {config.path} names one judge.")
    judges = tuple(Judge(each.model, each.family or config.family_of(each.model)) for each in config.judges)
    models = dict.fromkeys(response.model for response in judged.responses)
    families = {name: family for name in models if (family := config.family_of(name)) is not None}
    if options.exclude_own_family and not {judge.family for judge in judges} & {*families.values()}:
        raise click.UsageError(
            f"--exclude-own-family has no effect: {config.path} gives no judge the `family` of a model that is judged."
        )
    asked = asked_models(config, os.environ, [judge.name for judge in judges])
    judging = Judging(judged, judges, asked, families, options.exclude_own_family)
    if not any(judging.may_judge(judge, shown) for judge in judges for item in judging.items for shown in item.shown):
        raise click.UsageError("--exclude-own-family leaves nothing to judge: name a judge of another family.")
    return judging


def _say_what_is_judged(responses: "Responses", judging: "Judging") -> None:
    names = ", ".join(judge.name for judge in judging.judges)
    n_queries = len({response.key for response in responses.items})
    terminal.say(
        f"{terminal.counted(len(responses.items), 'response')} to {terminal.counted(n_queries, 'query', 'queries')}, "
        f"{terminal.counted(len(judging.judges), 'judge')}: {names}."
    )
    for n, what in (
        (responses.n_without_response, "without a response"),
        (responses.n_without_truth, "without a ground truth to compare with"),
    ):
        if n:
            terminal.say(f"{terminal.counted(n, 'record')} {what}: not judged.")
    if responses.n_bad_lines:
        terminal.warn(f"{responses.n_bad_lines:,} lines of {responses.path} cannot be read and are left out.")
