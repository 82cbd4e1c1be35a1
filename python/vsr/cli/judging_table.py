"""What judges are worth: their table, and the sentences below it."""

from pathlib import Path
from typing import TYPE_CHECKING

from vsr.cli import terminal
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.judging.agreement import Agreement
    from vsr.judging.bias import Difference, LengthBias, Share
    from vsr.judging.report import JudgingReport
    from vsr.judging.writing import Written

_FEW_TRUE = 100


def write_report(report: "JudgingReport", written: "Written", output: Path, *, as_json: bool) -> None:
    """Print how far judges are to be trusted to stdout, and where the records are."""
    if as_json:
        counts = {"records": written.n_records, "judged": written.n_judged, "labelled": written.n_labelled}
        terminal.write_json({"output": str(output), **counts, "true": written.n_true, **report.to_json()})
    else:
        _write_models(report)
        terminal.write("")
        _write_judges(report)
        _write_trust(report)
    terminal.say(
        f"{written.n_judged:,} of {terminal.counted(written.n_records, 'record')} have a judged quality, "
        f"{written.n_labelled:,} of them as their performance: {output}"
    )


def _write_models(report: "JudgingReport") -> None:
    rows = sorted(report.models.items(), key=lambda entry: -entry[1][0])
    columns = (Column("model"), Column("judged", "right"), Column("responses", "right"))
    terminal.write_table(Table(columns, tuple((name, f"{mean:.3f}", f"{n:,}") for name, (mean, n) in rows)))


def _write_judges(report: "JudgingReport") -> None:
    names = [judge.name for judge in report.judges]
    rows = [
        ("verdicts", *(f"{judge.n_verdicts:,}" for judge in report.judges)),
        ("unreadable, asked twice", *(f"{judge.n_unreadable:,}" for judge in report.judges)),
        ("agrees with the truth", *(_same(judge.truth) for judge in report.judges)),
        ("  Cohen's kappa", *(_number(judge.truth.kappa) for judge in report.judges)),
        ("  Spearman", *(_number(judge.truth.spearman) for judge in report.judges)),
        ("says the same again", *(_share(judge.self_agreement) for judge in report.judges)),
    ]
    if report.mode == "pairwise":
        rows.append(("flips with the order", *(_share(judge.position) for judge in report.judges)))
    rows += [
        ("gain of its own family", *(_gain(judge.own_family) for judge in report.judges)),
    ]
    if any(judge.own_family is not None and judge.own_family.basis != "truth" for judge in report.judges):
        rows.append(("  of like quality by", *(_basis(judge.own_family) for judge in report.judges)))
    rows += [
        ("gain by twice the length", *(_length(judge.length) for judge in report.judges)),
        ("  correlation with length", *(_correlation(judge.length) for judge in report.judges)),
    ]
    columns = (Column("judge"), *(Column(name, "right") for name in names))
    terminal.write_table(Table(columns, tuple(rows)))


def _write_trust(report: "JudgingReport") -> None:
    for (first, second), held in report.between.items():
        if held.same_share is not None:
            terminal.write(
                f"{first} and {second} agree on {held.same_share:.0%} of {held.n:,} (kappa {_number(held.kappa)})."
            )
    known = report.truth
    if known.same_share is None:
        terminal.write(
            "No judged record has a true label: nothing here says whether judges are right. Label every response to "
            f"some queries, drawn at random, by hand (`performance`), {_FEW_TRUE} responses or more, and judge again."
        )
        return
    terminal.write(
        f"Joined, they agree with the truth on {known.same_share:.0%} of {known.n:,} (kappa {_number(known.kappa)}, "
        f"Spearman {_number(known.spearman)})."
    )
    if known.n < _FEW_TRUE:
        terminal.write(f"{known.n:,} true labels are few: {_FEW_TRUE} or more make such figures firm.")
    points = report.calibration
    if len(points) > 1:
        steps = [points[round(i * (len(points) - 1) / 4)] for i in range(5)] if len(points) > 5 else list(points)
        said = ", ".join(f"{point.judged:.2f} -> {point.true:.2f}" for point in steps)
        terminal.write(f"What a judged quality is worth: {said}.")


def _same(held: "Agreement") -> str:
    return "-" if held.same_share is None else f"{held.same_share:.0%} of {held.n:,}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(share: "Share | None") -> str:
    return "-" if share is None else f"{share.value:.0%} ({share.low:.0%} .. {share.high:.0%})"


def _gain(gain: "Difference | None") -> str:
    return "-" if gain is None else _interval(gain.value, gain.low, gain.high)


def _basis(gain: "Difference | None") -> str:
    if gain is None:
        return "-"
    return "truth" if gain.basis == "truth" else f"{gain.basis} (truth unknown)"


def _length(length: "LengthBias | None") -> str:
    return "-" if length is None else _interval(length.per_doubling, length.low, length.high)


def _correlation(length: "LengthBias | None") -> str:
    return "-" if length is None else f"{length.correlation:+.2f}{'' if length.given_truth else ' (truth unknown)'}"


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:+.3f} ({low:+.3f} .. {high:+.3f})"
