"""What more queries would bring."""

from vsr.evaluation.results import Evaluation
from vsr.report.figures import interval, points
from vsr.report.pictures.learning import learning
from vsr.report.sections import Column, DataTable, Picture, Section


def learning_section(evaluation: Evaluation) -> Section:
    """Say how the gain grows with the queries, and how many would decide."""
    curve = evaluation.learning_curve
    needed = evaluation.verdict.queries_needed
    last, first = curve[-1], curve[0]
    finding = (
        f"From {first.n_queries:,} to {last.n_queries:,} queries the gain went from {points(first.gain)} to "
        f"{points(last.gain)} points."
    )
    if needed is not None:
        finding += f" About {needed:,} queries would decide."
    elif last.low > 0.0:
        finding += f" With {last.n_queries:,} it is surely above zero."
    return Section(
        key="learning",
        title="What more queries would bring",
        findings=(finding,),
        pictures=(
            Picture(
                "learning",
                lambda width: learning(curve, needed, width),
                "The line is the gain after training on so many queries, the band its 95 % interval. Look whether "
                "the line still climbs, and where the band leaves zero.",
            ),
        ),
        table=DataTable(
            "Gain over the number of queries",
            (Column("queries"), Column("gain, points", "gain"), Column("95 % interval", "interval")),
            tuple((f"{point.n_queries:,}", points(point.gain), interval(point.low, point.high)) for point in curve),
        ),
        terms=("gain", "interval"),
    )
