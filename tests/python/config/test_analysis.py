import json
from pathlib import Path

import pytest

from routing.subjects import WIDTH, text_outcomes
from servers.scripted import config_for
from vsr.cli import main
from vsr.config import load_config
from vsr.config.analysis import analyze
from vsr.embedding import load_embedder
from vsr.errors import ConfigError
from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train

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


def test_a_domain_that_the_rules_exclude_is_no_domain_of_the_decision():
    excluded = {"operator": "NOT", "conditions": [{"type": "domain", "name": "law"}]}
    rules = {"operator": "AND", "conditions": [{"type": "domain", "name": "math"}, excluded]}
    found = analysis("ab", [{"name": "x", "rules": rules, "modelRefs": refs("a", "b")}])
    assert found.decisions[0].domains == ("math", "not law")


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


ROUTED = {
    "vllm_endpoints": ENDPOINTS,
    "model_config": {name: {"preferred_endpoints": ["one"]} for name in "abc"},
    "default_model": "c",
    "decisions": [
        {
            "name": "urgent law",
            "priority": 5,
            "rules": {
                "operator": "AND",
                "conditions": [{"type": "domain", "name": "law"}, {"type": "keyword", "name": "urgent"}],
            },
            "modelRefs": refs("a"),
        },
        {"name": "law", "priority": 1, "rules": {"type": "domain", "name": "law"}, "modelRefs": refs("a", "b")},
    ],
}
LINES = (
    {"query": "one", "category": "law", "signals": {"keyword": ["urgent"]}},
    {"query": "two", "category": "law", "signals": {"keyword": []}},
    {"query": " TWO", "category": "law"},  # the same query again
    {"query": "three", "category": "math", "signals": {"keyword": ["urgent"]}},
    {"query": "four", "signals": {"keyword": []}},
)


@pytest.fixture
def written(tmp_path):
    (tmp_path / "c.yaml").write_text(json.dumps(ROUTED | {"model_selection": {"models_path": str(tmp_path / "m")}}))
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return tmp_path


def test_how_many_queries_reach_every_decision(written, capsys):
    command = ["analyze", "--config", str(written / "c.yaml"), "--data-file", str(written / "q.jsonl")]
    assert main(command) == 0
    said = capsys.readouterr()
    rows = [line.split() for line in said.out.splitlines()]
    assert ["urgent", "law", "5", "1", "25.0%"] in rows
    assert ["law", "1", "1", "25.0%"] in rows
    assert ["none:", "default", "model", "c", "-", "1", "25.0%"] in rows
    assert ["category", "not", "known", "-", "1", "25.0%"] in rows
    assert "1 query has no category, and" in said.err
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["n_queries"], each["share"]) for each in found["decisions"]] == [(1, 0.25), (1, 0.25)]
    assert found["reach"] == {
        "n_queries": 4,
        "by_decision": {"urgent law": 1, "law": 1},
        "n_outside": 1,
        "n_undecided": 1,
        "missing_signals": [],
    }


def test_missing_categories_are_predicted_where_there_are_artefacts(written, capsys):
    outcomes = text_outcomes()
    embedder = load_embedder("hash", dim=WIDTH)
    settings = TrainingSettings(algorithms=("knn",), splits=1)
    compare_and_train(outcomes, embedder.embed(outcomes.queries), embedder.fingerprint, written / "m", settings)
    lines = [{"query": query, "category": None} for query in outcomes.queries]
    (written / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = ["analyze", "--config", str(written / "c.yaml"), "--data-file", str(written / "q.jsonl"), "--json"]
    assert main(command) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["decisions"][1]["n_queries"] == pytest.approx(40, abs=4)  # a third of the queries is about law
    assert (found["reach"]["n_undecided"], found["reach"]["missing_signals"]) == (0, ["keyword"])
    assert [each["verdict"] for each in found["decisions"]] == ["one model", "not known"]
    assert "no signals of type keyword" in said.err


def test_the_verdict_of_a_training_is_that_of_a_decision_which_offers_all_for_everything(written, capsys):
    outcomes = text_outcomes()
    embedder = load_embedder("hash", dim=WIDTH)
    settings = TrainingSettings(algorithms=("knn",), splits=1)
    compare_and_train(outcomes, embedder.embed(outcomes.queries), embedder.fingerprint, written / "m", settings)
    names = ["newton", "cicero", "darwin"]
    everything = {"name": "all", "modelRefs": refs(*names)}
    some = {"name": "some", "rules": {"type": "domain", "name": "law"}, "modelRefs": refs(*names)}
    entries = {name: {"preferred_endpoints": ["one"]} for name in names}
    document = ROUTED | {"model_config": entries, "decisions": [everything, some], "default_model": "newton"}
    (written / "c.yaml").write_text(json.dumps(document))
    kind = json.loads((written / "m" / "recommended.json").read_text())["verdict"]["kind"]
    command = ["analyze", "--config", str(written / "c.yaml"), "--models-dir", str(written / "m")]
    assert main([*command, "--json"]) == 0
    assert [each["verdict"] for each in json.loads(capsys.readouterr().out)["decisions"]] == [kind, "not known"]
    assert main(command) == 0
    assert "`vsr-train evaluate --config` says of every decision" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--skip-bad-lines"], "--skip-bad-lines has no effect without --data-file"),
        (["--embedding-model", "hash"], "The embedding flags have no effect without --data-file"),
    ],
)
def test_flags_without_queries_are_refused(flags, message, written, capsys):
    assert main(["analyze", "--config", str(written / "c.yaml"), *flags]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_signals_of_another_form_are_a_bad_line(written, capsys):
    (written / "q.jsonl").write_text('{"query": "a", "signals": {"keyword": "urgent"}}\n')
    assert main(["analyze", "--config", str(written / "c.yaml"), "--data-file", str(written / "q.jsonl")]) == 1
    assert "q.jsonl:1: `signals` is" in capsys.readouterr().err
