import json
from pathlib import Path

import pytest

from servers.scripted import config_for
from vsr.cli import main
from vsr.config import load_config
from vsr.config.analysis import analyze
from vsr.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "configs"
ENDPOINTS = [{"name": "one", "address": "127.0.0.1", "port": 1}]


def analysis(models, decisions):
    entries = {name: {"preferred_endpoints": ["one"]} for name in models}
    return analyze(config_for(ENDPOINTS, entries, decisions=decisions))


def refs(*names):
    return [{"model": name} for name in names]


def test_which_decisions_need_training_and_why_the_others_do_not():
    found = analysis(
        "abcd",
        [
            {"name": "several", "algorithm": {"type": "knn"}, "modelRefs": refs("a", "b")},
            {"name": "single", "algorithm": {"type": "svm"}, "modelRefs": refs("a", "a")},
            {"name": "own", "algorithm": {"type": "elo"}, "modelRefs": refs("b", "c")},
            {"name": "first", "modelRefs": refs("b", "c")},
            {"name": "none", "algorithm": {"type": "mlp"}},
        ],
    )
    assert {decision.name: decision.reason for decision in found.decisions} == {
        "several": "chooses between 2 models by knn",
        "single": "one model only",
        "own": "elo is the router's own algorithm and is not trained",
        "first": "chooses between 2 models by what the training recommends",
        "none": "no model",
    }
    assert (found.n_to_train, found.algorithms) == (2, {"knn": 1})
    assert (found.models, found.unused) == (("a", "b", "c"), ("d",))


def test_a_configuration_without_decisions_offers_all():
    found = analysis("ab", [])
    assert (found.models, found.unused, found.n_to_train) == (("a", "b"), (), 0)


def test_a_contradiction_is_found_before_anything_is_asked():
    def decision(name, k):
        return {
            "name": name,
            "algorithm": {"type": "kmeans", "kmeans": {"num_clusters": k}},
            "modelRefs": refs("a", "b"),
        }

    with pytest.raises(ConfigError, match="decisions 'x' and 'y' want different kmeans artefacts"):
        analysis("ab", [decision("x", 3), decision("y", 4)])


def test_the_shipped_decisions():
    found = analyze(load_config(CONFIGS / "decisions.yaml", environment={}))
    assert found.n_to_train == 4
    assert found.decisions[0].domains == ("math", "physics")


def test_the_command_prints_a_table_or_json(capsys):
    assert main(["analyze", "--config", str(CONFIGS / "decisions.yaml")]) == 0
    text = capsys.readouterr().out
    assert "code_decision" in text
    assert "needed: chooses between 2 models by mlp" in text
    assert "4 of 4 decisions need training (algorithms: knn, mlp, kmeans, svm)" in text
    assert main(["analyze", "--config", str(CONFIGS / "decisions.yaml"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n_to_train"] == 4
    assert found["decisions"][2]["algorithm"] == "kmeans"
    assert main(["analyze", "--config", str(CONFIGS / "ollama.yaml")]) == 0
    assert capsys.readouterr().out.startswith("There are no decisions: all 3 models")


def test_queries_are_counted_by_the_decision_that_they_reach(tmp_path, capsys):
    queries = tmp_path / "queries.jsonl"
    categories = ["math", "Math", "law", None, "philosophy"]
    queries.write_text("".join(json.dumps({"query": str(n), "category": c}) + "\n" for n, c in enumerate(categories)))
    command = ["analyze", "--config", str(CONFIGS / "decisions.yaml"), "--data-file", str(queries)]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reach"] == {
        "n_queries": 5,
        "by_decision": {"math_decision": 2, "code_decision": 0, "business_decision": 1, "general_decision": 0},
        "n_outside": 1,
        "n_undecided": 1,
        "signal_types": [],
    }
    assert main(command) == 0
    assert "No decision holds for 1 (20%) of 5 queries. 1 have no category" in capsys.readouterr().out
