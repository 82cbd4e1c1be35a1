"""The distance of a logged query to those of its training, against their own."""

import json

import numpy as np
import pytest

from routing.subjects import text_outcomes
from routing.trainings import write_training
from vsr.embedding.vectors import unit_rows
from vsr.persistence.training_queries import (
    TRAINING_QUERIES_NAME,
    TrainingQueries,
    query_hashes,
    write_training_queries,
)
from vsr.persistence.yardstick import Yardstick
from vsr.routing import Request, Router
from vsr.routing.decision_log import Decision, DecisionLog


@pytest.fixture
def folder(tmp_path):
    write_training(tmp_path / "models")
    return tmp_path / "models"


def run_id_of(router):
    assert router.artefact.header is not None
    return router.artefact.header.run_id


def keep_queries(router, folder, run_id):
    queries = text_outcomes(120).queries
    yardstick = Yardstick.of(unit_rows(router.embedder.embed(queries)))
    hashes = query_hashes(queries, run_id)
    write_training_queries(folder, TrainingQueries(run_id, hashes, yardstick.sample, yardstick.distances))
    return yardstick


def logged(router, requests, path):
    log = DecisionLog(path, key="k")
    choices = router.route(requests)
    log.add([Decision(f"id{i}", *pair, router, 1e9, 0.0) for i, pair in enumerate(zip(requests, choices, strict=True))])
    log.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_distance_is_that_of_the_yardstick(folder, tmp_path):
    router = Router.load(folder)
    yardstick = keep_queries(router, folder, run_id_of(router))
    usual, foreign = text_outcomes(120).queries[3], "\u4f60\u597d " * 3_000
    assert router.embedder is not None
    vectors = unit_rows(router.embedder.embed([usual, foreign]))
    far = yardstick.distances_of(vectors)
    requests = [Request(usual), Request(foreign), Request(embedding=(3.0 * vectors[1]).tolist())]
    lines = logged(router, requests, tmp_path / "decisions.jsonl")
    found = [line["distance"] for line in lines]
    np.testing.assert_allclose(found, np.square(far[[0, 1, 1]]) / 2, atol=1e-4)
    assert lines[0]["distance_rank"] < 0.99 < lines[1]["distance_rank"] == lines[2]["distance_rank"]


@pytest.mark.parametrize("state", ["of another training", "damaged"])
def test_without_the_queries_of_the_training_there_is_no_distance(folder, tmp_path, state):
    router = Router.load(folder)
    keep_queries(router, folder, "another")
    if state == "damaged":
        (folder / TRAINING_QUERIES_NAME).write_text("{")
    [line] = logged(router, [Request("x")], tmp_path / "decisions.jsonl")
    assert (line["id"], line["distance"], line["distance_rank"]) == ("id0", None, None)


def test_of_many_choices_at_once_a_part_is_measured(folder, tmp_path, monkeypatch):
    router = Router.load(folder)
    keep_queries(router, folder, run_id_of(router))
    monkeypatch.setattr("vsr.routing.decision_log._MOST_MEASURED", 5)
    taken: list[int] = []
    complete = DecisionLog._with_distances

    def counting(log, some):
        taken.append(len(some))
        return complete(log, some)

    monkeypatch.setattr(DecisionLog, "_with_distances", counting)
    lines = logged(router, [Request(f"court {number}") for number in range(100)], tmp_path / "decisions.jsonl")
    n_measured = sum(line["distance"] is not None for line in lines)
    assert n_measured == sum(-(-count // -(-count // 5)) for count in taken)
    assert sum(taken) == len(lines) == 100
