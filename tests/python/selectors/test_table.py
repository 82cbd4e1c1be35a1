"""The category means as a selector, with categories and without."""

import json
from pathlib import Path

import numpy as np

from pools import DIM, make_pool, planted_pool
from vsr.choice.chooser import choose
from vsr.choice.objective import Objective
from vsr.data.categories import CATEGORIES
from vsr.features import build_features
from vsr.persistence import load_artefact, load_selector, save_selector
from vsr.training.trainer import Trainer


def table_where_categories_matter() -> Trainer:
    generator = np.random.default_rng(0)
    categories = ("math", "law") * 60
    expected = np.array([[0.9, 0.5], [0.3, 0.6]] * 60)
    latency_s = np.where(np.arange(120)[:, None] % 2 == 0, [1.0, 4.0], [4.0, 1.0])
    quality = (generator.random((120, 2)) < expected).astype(float)
    pool = make_pool(generator.standard_normal((120, DIM)), categories, quality, latency_s=latency_s)
    return Trainer.prepare(pool.features, pool.outcomes)


def test_scores_are_the_means_of_the_category() -> None:
    table = table_where_categories_matter()
    selector = table.train("table")
    assert (selector.slope, selector.gain, selector.parameters) == (0.0, 0.0, {"categories": True})
    rows = build_features(np.ones((3, DIM)), ["law", "math", "biology"])
    prior = table.data.prior
    np.testing.assert_array_equal(
        selector.scores(rows), prior.by_category[[CATEGORIES.index(name) for name in ("law", "math", "biology")]]
    )
    assert selector.scores(rows).argmax(axis=1)[:2].tolist() == [1, 0]


def test_without_categories_it_is_one_model_at_every_weight(tmp_path: Path) -> None:
    table = table_where_categories_matter()
    selector = table.without_categories().train("table")
    assert selector.parameters == {"categories": False}
    save_selector(selector, tmp_path)
    loaded = load_selector(tmp_path, "table")
    rows = build_features(np.eye(14, DIM), list(CATEGORIES))
    np.testing.assert_allclose(loaded.scores(rows), np.tile(table.data.prior.overall, (14, 1)), atol=1e-12)
    for weight in (1.0, 0.9, 0.5, 0.0):
        chosen = choose(loaded.scores(rows), loaded.statistics, list(CATEGORIES), objective=Objective(weight))
        assert len({choice.model for choice in chosen}) == 1
    np.testing.assert_array_equal(loaded.statistics.counts, table.data.prior.counts)


def test_a_file_without_the_block_answers_the_means(tmp_path: Path) -> None:
    pool = planted_pool(80)
    selector = Trainer.prepare(pool.features, pool.outcomes).train("table")
    path = save_selector(selector, tmp_path)
    content = json.loads(path.read_text())
    del content["vsr"]
    path.write_text(json.dumps(content))
    bare = load_artefact(path).selector
    assert bare.models == selector.models
    np.testing.assert_array_equal(bare.scores(pool.features), selector.scores(pool.features))
