"""Whether predicted quality comes true."""

from vsr.evaluation.shown.reliability import Reliability
from vsr.report.figures import points, quality
from vsr.report.pictures.calibration import calibration
from vsr.report.sections import Column, DataTable, Picture, Section


def calibration_section(found: Reliability) -> Section:
    """Say how far predictions are from what was measured, above all for the chosen models."""
    difference = found.chosen_measured - found.chosen_predicted
    furthest = max(found.bins, key=lambda group: abs(group.predicted - group.measured))
    finding = (
        f"For the models that it chose the selector expected {quality(found.chosen_predicted)} and got "
        f"{quality(found.chosen_measured)} ({points(difference)} points). It is furthest off around "
        f"{quality(furthest.predicted)}, where {quality(furthest.measured)} was measured."
    )
    return Section(
        key="calibration",
        title="Can its predictions be believed",
        findings=(finding,),
        pictures=(
            Picture(
                "calibration",
                lambda width: calibration(found, width),
                "Each point stands for a tenth of the predictions, its line for the 95 % interval of what was "
                "measured. Look for points beside the dashed line: below it the selector promised too much, above it "
                "too little.",
            ),
        ),
        table=DataTable(
            "Predicted and measured quality of held-out queries",
            (
                Column("predicted", "predicted-quality"),
                Column("measured", "quality"),
                Column("95 % interval", "interval"),
                Column("predictions"),
            ),
            tuple(
                (
                    quality(group.predicted),
                    quality(group.measured),
                    f"{quality(group.low)} to {quality(group.high)}",
                    f"{group.n:,}",
                )
                for group in found.bins
            ),
        ),
        terms=("predicted-quality",),
    )
