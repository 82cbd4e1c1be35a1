"""The words of the held-out table."""

import numpy as np
import pytest

from pools import DIM, make_pool, planted_pool, some_categories
from vsr.choice.objective import Objective
from vsr.cli.evaluation_table import points, write_evaluation
from vsr.evaluation import cross_validate
from vsr.evaluation.cross_validation import compare
from vsr.evaluation.settings import ComparisonSettings


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(0.0123, "+1.2"), (-0.267, "-26.7"), (0.0, "0.0"), (-0.0, "0.0"), (-0.0004, "0.0"), (0.0004, "0.0")],
)
def test_points_that_round_to_nothing_have_no_sign(difference: float, expected: str) -> None:
    assert points(difference) == expected


def test_the_table_shows_five_single_models_and_says_what_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    chances = np.array([0.5, 0.62, 0.56, 0.6, 0.58, 0.45, 0.64])
    quality = (generator.random((200, 7)) < chances).astype(float)
    quality[generator.random(quality.shape) < 0.2] = np.nan
    names = tuple(f"model-{number}" for number in range(7))
    pool = make_pool(generator.standard_normal((200, DIM)), some_categories(200, generator), quality, names=names)
    evaluation = cross_validate(pool.features, pool.outcomes, ["knn"], objective=Objective(1.0), splits=2)
    write_evaluation(evaluation)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "200 queries, 7 models, 3 categories; held out: 2 times 5-fold, quality weight 1"
    singles = [line.split()[0] for line in lines[: lines.index("", 2)] if line.startswith("model-")]
    assert len(singles) == 4
    assert f"best single ({evaluation.best_single})" in lines[3]
    ranked = sorted(
        (method for method in evaluation.methods if method.kind == "single"), key=lambda method: -method.utility
    )
    assert singles == [method.label for method in ranked[:4]]
    text = " ".join(lines)
    assert "2 more single models below these: --json has them." in text
    share = f"{evaluation.n_missing_cells / (200 * 7):.0%}"
    assert f"{share} of the cells were not measured: every line is an estimate over all queries, which assumes" in text
    assert f"{evaluation.best_single} was picked on these queries: " in text
    assert f"{100 * evaluation.luck:.1f} points of its lead are counted as luck" in text
    assert lines[-1] == evaluation.verdict.sentence


def test_a_sample_is_said_in_the_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    pool = planted_pool(90)
    settings = ComparisonSettings(("knn",), splits=1, objective=Objective(1.0), most_queries=60)
    write_evaluation(compare(pool.features, pool.outcomes, settings).evaluation)
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("compared on a random sample of 60 of 90 queries, 3 models, ")
