"""Who is chosen, beside who is best."""

import altair as alt

from vsr.evaluation.results import Evaluation
from vsr.report.figures import share
from vsr.report.ink import ACCENT, MARK, rows_of, styled
from vsr.report.pictures.axes import row_names
from vsr.report.sections import Chart

_ROW = 26
_MOST = 12


def models_by_share(evaluation: Evaluation) -> list[str]:
    """Order the models by how often they are chosen, then by how often they are among the best."""
    chosen = evaluation.method("judged").selection
    best = evaluation.best_model_share
    return sorted(best, key=lambda model: (-chosen.get(model, 0.0), -best[model], model))


def shares(evaluation: Evaluation, width: int) -> Chart:
    """Draw a bar per model for its share of the choices, and a tick for how often it is among the best."""
    chosen = evaluation.method("judged").selection
    models = models_by_share(evaluation)[:_MOST]
    labels, axis = row_names(models, width)
    rows = [
        {
            "name": label,
            "chosen": chosen.get(model, 0.0),
            "best": evaluation.best_model_share[model],
            "said": f"{model}: chosen for {share(chosen.get(model, 0.0))} of the queries, among the best on "
            f"{share(evaluation.best_model_share[model])}",
        }
        for model, label in zip(models, labels, strict=True)
    ]
    names = alt.Y("name:N", sort=None, title=None, axis=axis)
    base = alt.Chart(rows_of(rows))
    bars = base.mark_bar(color=ACCENT, height=12, cornerRadiusEnd=2).encode(
        x=alt.X(
            "chosen:Q",
            title="share of the queries",
            scale=alt.Scale(domainMin=0),
            axis=alt.Axis(format="%", tickCount=6 if width > 500 else 4),
        ),
        y=names,
        description="said:N",
    )
    ticks = base.mark_tick(color=MARK, thickness=2.5, height=18).encode(x="best:Q", y=names, description="said:N")
    return styled(bars + ticks, width, _ROW * len(rows))
