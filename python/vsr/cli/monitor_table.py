"""What the checks of a monitor found, as `monitor` prints it."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vsr.cli import terminal
from vsr.cli.evaluation_table import points
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.traffic.checks import Check
    from vsr.traffic.counting import Counted
    from vsr.traffic.monitor import Verdict, Windows
    from vsr.traffic.watched import WatchedTraining

_ADVICE = {
    "queries": (
        "{found} of the queries are unlike anything measured, where 1 % would be usual: predictions for them are "
        "guesses. Measure such queries (--output names them) and train again."
    ),
    "categories": (
        "{subject} has {found} of the queries, {expected} in training. Measure more of them where they have become "
        "more, and train again: the training was chosen for another mix."
    ),
    "models": (
        "{subject} is chosen for {found} of the queries, for {expected} before. Look at what its queries have in "
        "common (--output names them), and at cost and load."
    ),
    "quality": (
        "answers of {subject} are {worse} points worse than predicted, further than they were on held-out queries. Has "
        "its version, prompt or quantisation changed? Measure it again and train; leave it out of the candidates until "
        "then."
    ),
    "latency": "{subject} takes {found}, {expected} in the records. If that stays, measure again and train.",
    "cost": (
        "an answer of {subject} costs {found}, {expected} in the records. If that stays, put the prices right and "
        "train again."
    ),
}


def write_monitor(
    training: "WatchedTraining", counted: "Counted", verdict: "Verdict", windows: "Windows", *, has_feedback: bool
) -> None:
    """Print what was compared, a line for each check, and what to do."""
    n_shown = min(windows.days, len(counted.days))
    n_window = sum(day.n_decisions for day in counted.days[-windows.days :])
    days = f"the last {terminal.counted(n_shown, 'day')}" if n_shown > 1 else "the last day"
    terminal.write(
        f"{terminal.counted(n_window, 'decision')} of {days} up to {counted.until:%Y-%m-%d %H:%M} UTC, against "
        f"training {training.run_id} ({len(training.queries.hashes):,} queries)."
    )
    if has_feedback:
        n_days = min(windows.feedback_days, len(counted.days))
        terminal.write(
            f"{terminal.counted(counted.n_fed_back, 'answer')} with feedback; quality, latency and cost are of the "
            f"last {terminal.counted(n_days, 'day')}."
        )
    left_out = _left_out(counted)
    if left_out:
        terminal.write(left_out)
    terminal.write("")
    columns = (
        Column("check"),
        Column("what moved most"),
        Column("expected", "right"),
        Column("found", "right"),
        Column("of", "right"),
        Column("by chance", "right"),
        Column("against", is_spare=True),
    )
    alarms = verdict.alarms
    terminal.write_table(Table(columns, tuple(_row(each, is_alarm=each in alarms) for each in verdict.checks)))
    terminal.write("")
    for each in alarms:
        terminal.write(f"ALARM, {each.name}: {_advice(each)}")
    if not verdict.can_tell:
        terminal.write("Whether the traffic is still what was measured cannot be told yet. A longer --window may do.")
    elif not alarms:
        terminal.write(
            f"No alarm: nothing has moved further than chance moves it (all checks together alarm on one quiet day "
            f"in a hundred; each below {verdict.threshold:.2g})."
        )


def monitor_document(
    training: "WatchedTraining", counted: "Counted", verdict: "Verdict", windows: "Windows"
) -> dict[str, Any]:
    """Give the same as plain JSON values."""
    alarms = verdict.alarms
    return {
        "alarm": bool(alarms),
        "can_tell": verdict.can_tell,
        "run_id": training.run_id,
        "algorithm": training.algorithm,
        "until": counted.until.isoformat(),
        "n_days": len(counted.days),
        "window_days": windows.days,
        "feedback_window_days": windows.feedback_days,
        "n_decisions": sum(day.n_decisions for day in counted.days[-windows.days :]),
        "n_fed_back": counted.n_fed_back,
        "n_other_trainings": counted.n_other_trainings,
        "n_otherwise": counted.n_otherwise,
        "threshold": verdict.threshold,
        "checks": [
            {**asdict(each), "is_alarm": each in alarms, "advice": _advice(each) if each in alarms else None}
            for each in verdict.checks
        ],
    }


def _left_out(counted: "Counted") -> str:
    parts = []
    if counted.n_other_trainings:
        parts.append(f"{terminal.counted(counted.n_other_trainings, 'decision')} of other trainings are left out")
    if counted.n_otherwise:
        share = counted.n_otherwise / counted.n_decisions
        parts.append(
            f"{share:.0%} of the decisions had other candidates or another objective than the training: models and "
            "quality do not count them"
        )
    return "" if not parts else f"{'; '.join(parts)}."


def _row(check: "Check", *, is_alarm: bool) -> tuple[str, ...]:
    name = f"{check.name} (!)" if is_alarm else check.name
    if check.p_value is None:
        return (name, f"cannot tell: {check.why_unknown}", "-", "-", f"{check.n:,}", "-", "")
    subject = check.subject or "unlike queries"
    chance = "< 1e-6" if check.p_value < 1e-6 else f"{check.p_value:.2g}"
    return (
        name,
        subject,
        _value(check, check.expected),
        _value(check, check.found),
        f"{check.n:,}",
        chance,
        check.against,
    )


def _value(check: "Check", value: float | None) -> str:
    if value is None:
        return "-"
    if check.unit == "share":
        return f"{value:.1%}" if value < 0.0995 else f"{value:.0%}"
    if check.unit == "points":
        return points(value)
    number = math.exp(value)
    return f"{number:.3g} s" if check.name == "latency" else f"${number:.2g}"


def _advice(check: "Check") -> str:
    worse = 100.0 * ((check.expected or 0.0) - (check.found or 0.0))
    return _ADVICE[check.name].format(
        subject=check.subject,
        found=_value(check, check.found),
        expected=_value(check, check.expected),
        worse=f"{worse:.1f}",
    )
