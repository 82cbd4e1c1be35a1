"""`vsr-train export` and `vsr-train import`, there and back."""

import json
import shutil
from pathlib import Path

import pytest

from cli.conftest import Command, write_records
from documented import document

NAMES = ["knn_model.json", "kmeans_model.json", "mlp_model.json", "svm_model.json", "mf_model.json"]


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of other queries than the training's."""
    path = write_records(tmp_path_factory.mktemp("unseen") / "records.jsonl", 60)
    path.write_text(path.read_text().replace("What is the", "Please explain the"))
    return path


def test_all_five_with_figures(trained: Path, unseen: Path, tmp_path: Path, vsr_train: Command) -> None:
    target = tmp_path / "out"
    result = vsr_train("export", trained, "--format", "documented", "--output-dir", target, "--data-file", unseen)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "60 held-out queries; baked in: quality weight 0.9, cost share 0"
    assert [line.split()[0] for line in lines if "_model.json" in line] == NAMES
    assert all(len(line) <= 80 for line in lines)
    assert result.err.splitlines()[-1] == f"Written to {target}, with export.json."
    written = json.loads((target / "export.json").read_text())
    assert list(written["files"]) == NAMES
    assert written["queries"] == {"n": 60, "source": "records", "utility": "measured"}
    assert written["models"] == ["newton", "cicero", "darwin"]
    assert all(0.0 <= figures["agreement"] <= 1.0 for figures in written["files"].values())


def test_json_and_another_objective(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    arguments = ("export", trained, "--format", "semantic-router", "--output-dir", tmp_path, "--quality-weight", "0")
    result = vsr_train(*arguments, "--json")
    assert result.code == 0, result.err
    assert result.json["objective"] == {"quality_weight": 0.0, "cost_share": 0.0}
    assert result.json["path"] == str(tmp_path / "export.json")
    # Speed alone: always the fastest model, in every file.
    assert {name: figures["agreement"] for name, figures in result.json["files"].items()} == dict.fromkeys(NAMES, 1.0)
    assert set(json.loads((tmp_path / "knn_model.json").read_text())["labels"]) == {"newton"}


def test_exported_and_imported_again_selects(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    out, back = tmp_path / "out", tmp_path / "back"
    assert vsr_train("export", trained, "--format", "semantic-router-v2", "--output-dir", out).code == 0
    result = vsr_train("import", "--from", "semantic-router", out, "--output-dir", back, "--json")
    assert result.code == 0, result.err
    assert sorted(Path(file["path"]).name for file in result.json["files"]) == sorted(NAMES)
    chosen = vsr_train(
        "select", "contract court statute", "--category", "law", "--models-dir", back, "--algorithm", "mlp",
        "--embedding-model", "hash", "--embedding-dim", "32", "--json",
    )  # fmt: skip
    ours = vsr_train("select", "contract court statute", "--category", "law", "--models-dir", trained, "--algorithm",
                     "mlp", "--json")  # fmt: skip
    assert chosen.code == 0, chosen.err
    assert chosen.json["model"] == ours.json["model"]


def test_lora_names_of_a_configuration(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "vllm_endpoints: [{name: e, address: 127.0.0.1, port: 1, type: ollama}]\n"
        "model_config:\n"
        + "".join(f"  {name}: {{preferred_endpoints: [e]}}\n" for name in ("newton", "cicero", "darwin"))
        + "decisions:\n"
        "  - name: all\n"
        "    priority: 1\n"
        "    rules: {operator: OR, conditions: [{type: domain, name: math}]}\n"
        "    algorithm: {type: knn}\n"
        "    modelRefs: [{model: newton, lora_name: newton-math}, {model: cicero}, {model: darwin}]\n"
    )
    target = tmp_path / "out"
    result = vsr_train("export", trained, "--format", "documented", "--output-dir", target, "--config", config)
    assert result.code == 0, result.err
    assert json.loads((target / "export.json").read_text())["models"] == ["newton-math", "cicero", "darwin"]
    assert "newton-math" in json.loads((target / "mf_model.json").read_text())["model_biases"]


def test_trained_queries_are_left_out(
    trained: Path, records: Path, unseen: Path, tmp_path: Path, vsr_train: Command
) -> None:
    result = vsr_train("export", trained, "--format", "documented", "--output-dir", tmp_path, "--data-file", records)
    assert result.code == 1
    assert "all 90 queries were trained on" in result.err
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text(records.read_text() + unseen.read_text())
    result = vsr_train("export", trained, "--format", "documented", "--output-dir", tmp_path, "--data-file", mixed)
    assert result.code == 0
    assert "90 of 150 queries were trained on and are left out" in result.err
    assert result.out.startswith("60 held-out queries")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--skip-bad-lines",), "--skip-bad-lines has no effect without --data-file"),
        (("--embedding-model", "hash"), "embedding flags have no effect without --data-file"),
    ],
)
def test_flags_without_effect(
    arguments: tuple[str, ...], message: str, trained: Path, tmp_path: Path, vsr_train: Command
) -> None:
    result = vsr_train("export", trained, "--format", "documented", "--output-dir", tmp_path / "out", *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_what_cannot_be_exported(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    same = vsr_train("export", trained, "--format", "documented", "--output-dir", trained)
    assert (same.code, "--output-dir is MODELS_DIR" in same.err) == (2, True)
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = vsr_train("export", empty, "--format", "documented", "--output-dir", tmp_path / "out")
    assert (nothing.code, "has no artefact that can be exported" in nothing.err) == (1, True)
    part = tmp_path / "part"
    part.mkdir()
    shutil.copy(trained / "knn_model.json", part)
    some = vsr_train("export", part, "--format", "documented", "--output-dir", tmp_path / "out")
    assert some.code == 0
    assert "has no artefact of kmeans, mlp, svm, matrix_factorization" in some.err


def test_inspect_shows_what_can_be_read(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    """One bad file does not hide the others, and names may be given."""
    shutil.copy(trained / "knn_model.json", tmp_path)
    (tmp_path / "kmeans_model.json").write_text("{")
    (tmp_path / "mlp_model.json").write_text(json.dumps(document("mlp")))
    result = vsr_train("inspect", tmp_path)
    assert result.code == 1
    assert "newton, cicero, darwin" in result.out
    assert "kmeans_model.json: expected a key" in result.err
    assert "mlp_model.json: names no models" in result.err
    named = vsr_train("inspect", tmp_path / "mlp_model.json", "--models", "a, b", "--json")
    assert (named.code, named.json["errors"]) == (0, [])
    assert named.json["artefacts"][0]["models"] == ["a", "b"]
    twice = vsr_train("inspect", tmp_path / "mlp_model.json", "--models", "a,a")
    assert (twice.code, "names a model twice" in twice.err) == (2, True)


def test_select_takes_names(tmp_path: Path, vsr_train: Command) -> None:
    held = document("mlp")
    held["input_dim"], held["weights"][0] = 32 + 14, [[1.0, -1.0]] * (32 + 14)
    (tmp_path / "mlp_model.json").write_text(json.dumps(held))
    arguments = ("select", "hello", "--category", "math", "--models-dir", tmp_path, "--embedding-model", "hash",
                 "--embedding-dim", "32")  # fmt: skip
    assert "names no models" in vsr_train(*arguments).err
    result = vsr_train(*arguments, "--models", "a,b", "--json")
    assert result.code == 0, result.err
    assert set(result.json["scores"]) == {"a", "b"}
