"""`vsr-train evaluate --log`: other policies on logged traffic."""

import json

import pytest

from cli.conftest import Command
from traffic.logs import write_traffic
from vsr.choice import Exploration
from vsr.routing import Request, Router
from vsr.routing.decision_log import Decision, DecisionLog


@pytest.fixture(scope="module")
def traffic(tmp_path_factory):
    return write_traffic(tmp_path_factory.mktemp("traffic"))


def test_another_quality_weight_by_the_log_alone(traffic, vsr_train: Command):
    log, feedback = traffic
    result = vsr_train("evaluate", "--log", log, "--feedback", feedback, "--quality-weight", 0.85, "--json")
    assert (result.code, result.err) == (0, "")
    own, other = result.json["policies"]
    assert (own["name"], other["name"]) == ("without exploration", "quality weight 0.85")
    assert own["covered"] == 1.0
    assert other["refusal"] is None
    assert other["effective_sample_size"] > 200
    assert other["doubly_robust"]["low"] < other["doubly_robust"]["value"] < other["doubly_robust"]["high"]
    assert result.json["decisions"]["n_judged"] == 6_000
    table = vsr_train("evaluate", "--log", log.parent, "--feedback", feedback, "--quality-weight", 0.7).out
    assert "quality weight 0.7" in table
    assert "doubly robust" in table
    assert max(map(len, table.splitlines()[2:7])) <= 80
    assert "% nothing is known." in table


def test_too_little_is_an_error(tmp_path, vsr_train: Command):
    log, feedback = write_traffic(tmp_path, 100)
    result = vsr_train("evaluate", "--log", log, "--feedback", feedback)
    assert (result.code, result.out) == (1, "")
    assert "effective sample size is" in result.err
    assert "expected 200 or more" in result.err


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--quality-weight", "0.8", "--cost-share", "0.5"), 1, "name the folder of the artefact"),
        (("--data-file", "x"), 2, "--data-file has no effect with --log"),
        (("--folds", "3"), 2, "--folds has no effect with --log"),
        (("--seed", "3"), 2, "--seed has no effect with --log"),
        (("--target-cost", "1"), 2, "--target-cost has no effect with --log"),
        (("--embedding-dim", "32"), 2, "Embedding flags have no effect"),
    ],
)
def test_what_does_not_go_together(traffic, vsr_train: Command, flags, code, said):
    log, feedback = traffic
    result = vsr_train("evaluate", "--log", log, "--feedback", feedback, *flags)
    assert result.code == code
    assert said in " ".join(result.err.split())
    assert vsr_train("evaluate", "--log", log).code == 2
    assert vsr_train("evaluate", "--feedback", feedback).code == 2


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    """A real router's log with texts, and feedback by id."""
    folder = tmp_path_factory.mktemp("served")
    router = Router.load(trained, "knn")
    words = ("integral equation", "contract court", "cell enzyme", "prime statute")
    log = DecisionLog(folder / "decisions.jsonl", with_text=True)
    with (folder / "feedback.jsonl").open("w") as feedback:
        for number in range(1_000):
            wide = Exploration(1.0, margin=2.0)
            request = Request(f"What is the {words[number % 4]} number {number}?", explore=wide)
            [choice] = router.route([request])
            log.add([Decision(f"id{number}", request, choice, router, 1.7e9 + number, 0.001)])
            feedback.write(json.dumps({"id": f"id{number}", "quality": float(choice.model == "newton")}) + "\n")
    log.close()
    return folder


def test_the_artefact_of_the_log_knows_speed_and_cost_apart(served, trained, vsr_train: Command):
    flags = ("--log", served, "--feedback", served / "feedback.jsonl", "--models-dir", trained)
    result = vsr_train("evaluate", *flags, "--quality-weight", 0.5, "--cost-share", 0.5, "--json")
    assert (result.code, result.err) == (0, "")
    other = result.json["policies"][1]
    assert other["covered"] == 1.0
    assert 0.5 <= other["expected"]["latency_s"] <= 1.5
    fastest = vsr_train("evaluate", *flags, "--quality-weight", 0, "--json").json["policies"][1]
    # The fastest is newton, of which the feedback thinks the world.
    assert fastest["self_normalised"]["value"] == 1.0
    assert fastest["gain_doubly_robust"]["low"] > 0.3


def test_another_algorithm_reads_the_texts(served, trained, tmp_path, vsr_train: Command):
    flags = ("--feedback", served / "feedback.jsonl", "--models-dir", trained)
    result = vsr_train("evaluate", "--log", served, *flags, "--algorithm", "kmeans", "--algorithm", "svm", "--json")
    assert result.code == 0, result.err
    names = [each["name"] for each in result.json["policies"]]
    assert names == ["without exploration", "kmeans, quality weight 0.9", "svm, quality weight 0.9"]
    assert {each["covered"] for each in result.json["policies"]} == {1.0}
    blind = tmp_path / "decisions.jsonl"
    lines = [json.loads(line) for line in (served / "decisions.jsonl").read_text().splitlines()]
    blind.write_text("".join(json.dumps({**line, "text": None}) + "\n" for line in lines))
    refused = vsr_train("evaluate", "--log", blind, *flags, "--algorithm", "kmeans")
    assert refused.code == 1
    assert "--log-text" in refused.err
