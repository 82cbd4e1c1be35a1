"""Who is chosen how often."""

from vsr.evaluation.results import Evaluation
from vsr.report.figures import share
from vsr.report.pictures import shares as picture
from vsr.report.sections import Column, DataTable, Picture, Section

_COLLAPSED = 0.95


def shares_section(evaluation: Evaluation) -> Section:
    """Say how the choices are spread over the models, and whether they have collapsed onto one."""
    judged, best = evaluation.method("judged"), evaluation.best_model_share
    ordered = picture.models_by_share(evaluation)
    first = ordered[0]
    top = judged.selection.get(first, 0.0)
    finding = (
        f"Nearly everything, {share(top)}, goes to {first}: there is hardly any routing."
        if top >= _COLLAPSED
        else f"{first} answers {share(top)} of the queries; {len(judged.selection)} of {evaluation.n_models} models "
        "answer any."
    )
    finding += (
        f" A best model was chosen on {share(judged.hit_rate)} of the queries, by the best single model on "
        f"{share(evaluation.method('best single').hit_rate)}."
    )
    return Section(
        key="shares",
        title="Who answers how much",
        findings=(finding,),
        pictures=(
            Picture(
                "shares",
                lambda width: picture.shares(evaluation, width),
                "Bars are how often a model is chosen, grey ticks how often it is among the best. Look for models "
                "with a tick far to the right and no bar: they are good, but the queries do not show when.",
            ),
        ),
        table=DataTable(
            "Share of the choices, and how often each model is among the best",
            (Column("model", is_number=False), Column("share", "share"), Column("among the best", "among-the-best")),
            tuple((model, share(judged.selection.get(model, 0.0)), share(best[model])) for model in ordered),
        ),
        terms=("share", "among-the-best"),
    )
