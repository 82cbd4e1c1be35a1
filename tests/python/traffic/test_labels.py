"""Feedback becomes labels, by query or through a log that a server writes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from routing.subjects import MODELS
from traffic.days import train, usual, write_log
from vsr.data.feedback import Feedback
from vsr.errors import RecordError
from vsr.traffic.decisions import read_decisions
from vsr.traffic.labels import feedback_labels


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, dict[str, str]]]:
    """Give a log with texts, one without, and the model that each decision chose."""
    folder = tmp_path_factory.mktemp("logs")
    router = train(folder / "models")
    found = write_log(router, folder / "texts" / "decisions.jsonl", [usual], with_text=True)
    write_log(router, folder / "hashes" / "decisions.jsonl", [usual])
    yield folder / "texts", folder / "hashes", {name: model for name, model, _ in found}


def test_ids_are_joined_through_the_log(logs: tuple[Path, Path, dict[str, str]]) -> None:
    texts, _, chosen = logs
    feedback = [Feedback(id=f"0-{number}", quality=number / 149) for number in range(150)]
    labels = feedback_labels(feedback, read_decisions(texts), MODELS)
    assert labels.queries == tuple(usual(0, number) for number in range(150))
    rows, columns = np.nonzero(np.isfinite(labels.quality))
    assert rows.tolist() == list(range(150))
    assert [MODELS[column] for column in columns] == [chosen[f"0-{number}"] for number in range(150)]
    np.testing.assert_array_equal(labels.quality[rows, columns], np.arange(150) / 149)
    assert labels.categories == (None,) * 150  # they were predicted, and are predicted again
    assert (labels.report.n_lines, labels.report.n_grades, labels.report.lines()) == (150, 150, [])


def test_what_is_no_label_is_counted_with_what_to_do(logs: tuple[Path, Path, dict[str, str]]) -> None:
    texts, _, chosen = logs
    first = chosen["0-0"]
    other = next(name for name in MODELS if name != first)
    feedback = [
        Feedback(id="0-0", quality=1.0),
        Feedback(id="0-0", quality=0.0),
        Feedback(id="0-1", latency_s=1.0),
        Feedback(id="0-2", model="galen", quality=1.0),
        Feedback(id="nobody", quality=1.0),
        Feedback(query="A text?", model="galen", quality=1.0),
        Feedback(query="A text?", preferred="galen", other=first),
        Feedback(query=usual(0, 5), model=first, quality=1.0),
        Feedback(id="0-3", preferred=first, other=other),
        Feedback(id="0-3", preferred=other, other=first),
    ]
    labels = feedback_labels(feedback, read_decisions(texts), MODELS, [usual(0, 5)])
    assert labels.report.lines() == [
        "1 line of feedback left out: they say nothing of quality",
        "2 lines of feedback left out: their decision had one before",
        "1 line of feedback left out: no log holds their decision; name it with --log",
        "1 line of feedback left out: they name another model than was chosen",
        "2 lines of feedback left out: there are no records of their model; measure it, or leave it out",
        "1 line of feedback left out: records of their queries say more",
    ]
    assert labels.quality[0, MODELS.index(first)] == 1.0
    pairs = labels.pairs
    assert (pairs.queries, pairs.preferred, pairs.other) == ((usual(0, 3),), (first,), (other,))


def test_without_texts_an_id_needs_the_query_beside_it(logs: tuple[Path, Path, dict[str, str]]) -> None:
    _, hashes, chosen = logs
    feedback = [Feedback(id="0-0", quality=1.0), Feedback(id="0-1", query="A text of mine?", quality=0.5)]
    labels = feedback_labels(feedback, read_decisions(hashes), MODELS)
    assert labels.queries == ("A text of mine?",)
    assert labels.quality[0, MODELS.index(chosen["0-1"])] == 0.5
    said = "1 line of feedback left out: the log holds no text of their decision; log with `serve --log-text`"
    assert labels.report.lines() == [said]
    with pytest.raises(RecordError, match="no feedback can be trained on: 1 line of feedback left out: the log holds"):
        feedback_labels(feedback[:1], read_decisions(hashes), MODELS)


def test_grades_by_query_need_no_log_and_several_of_one_answer_are_averaged() -> None:
    newton, cicero, _ = MODELS
    feedback = [
        Feedback(query="One?", model=newton, quality=1.0),
        Feedback(query="One?", model=newton, quality=0.5),
        Feedback(query="One?", model=cicero, quality=0.0),
        Feedback(id="of another log", query="Two?", model=cicero, quality=1.0),
    ]
    labels = feedback_labels(feedback, (), MODELS)
    assert labels.queries == ("One?", "Two?")
    np.testing.assert_array_equal(labels.quality, [[0.75, 0.0, np.nan], [np.nan, 1.0, np.nan]])
    assert labels.report.n_grades == 4
