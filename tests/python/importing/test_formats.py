"""Files of every program, real ones where it could be run (files/README.md): what of them becomes which record."""

import json
from pathlib import Path
from typing import Any

import pytest

from vsr.data.outcomes import Outcomes
from vsr.data.preferences import read_preferences
from vsr.data.records import read_records
from vsr.errors import RecordError
from vsr.importing.formats import FORMATS
from vsr.importing.run import ImportReport, import_rows
from vsr.training.outcomes import score_record

FILES = Path(__file__).parent / "files"
OF_FORMAT = {
    "lm-eval": "lm-eval",
    "inspect": "inspect",
    "promptfoo": "promptfoo",
    "litellm": "litellm",
    "openai": "openai_requests.jsonl",
    "llmrouter": "llmrouter.jsonl",
    "routerbench": "routerbench.csv",
    "llmrouterbench": "llmrouterbench",
    "routellm": "routellm_battles.jsonl",
}


def imported(
    folder: Path, form: str, source: Path | str | None = None, score: str | None = None
) -> tuple[list[dict[str, Any]], ImportReport]:
    path = folder / "out.jsonl"
    report = import_rows(FORMATS[form], [FILES / (source or OF_FORMAT[form])], path, score=score)
    return [json.loads(line) for line in path.read_text().splitlines()], report


def test_every_format_has_files_here():
    assert set(OF_FORMAT) == set(FORMATS)


@pytest.mark.parametrize("form", [name for name, form in FORMATS.items() if form.gives == "records"])
def test_what_is_imported_is_what_training_reads(form, tmp_path):
    rows, report = imported(tmp_path, form)
    records = list(read_records(tmp_path / "out.jsonl"))
    assert len(records) == len(rows) == report.n_rows
    assert {record.model_name for record in records} == set(report.models)
    assert all(record.prompt.strip() for record in records)


def test_lm_eval_takes_one_filter_and_the_model_of_the_results_file(tmp_path):
    rows, report = imported(tmp_path, "lm-eval")
    generated = [row for row in rows if row["task_name"] == "vsr_open"]
    assert {row["model_name"] for row in generated} == {"sim-large-70b", "sim-small-1b"}
    assert generated[0] == {
        "task_name": "vsr_open",
        "query": "A convict is sentenced to 9 years in prison and has spent 13 months in custody before the trial, "
        "which count. How many months remain?",
        "category": "law",
        "model_name": "sim-large-70b",
        "response": generated[0]["response"],
        "ground_truth": "95",
        "performance": 1.0,
    }
    assert generated[0]["response"].endswith("The answer is 95.")
    assert report.left_out["samples of another filter than strict"].n_rows == 6


def test_lm_eval_takes_the_score_that_is_asked_for(tmp_path):
    strict, _ = imported(tmp_path, "lm-eval", "lm-eval/sim-large-70b")
    whole, _ = imported(tmp_path, "lm-eval", "lm-eval/sim-large-70b", score="exact_match,whole")
    assert [row["performance"] for row in strict] == [1.0, 0.0, 0.0]
    assert [row["performance"] for row in whole] == [0.0, 0.0, 0.0]
    with pytest.raises(
        RecordError, match=r"nothing was imported; left out 3: samples without the score bleu; .*it has exact_match"
    ):
        imported(tmp_path, "lm-eval", "lm-eval/sim-large-70b", score="bleu")


def test_lm_eval_by_log_likelihood_answers_with_a_letter(tmp_path):
    rows, _ = imported(tmp_path, "lm-eval", "lm-eval/dummy", score="acc_norm")
    assert rows[0]["choices"] == ["301", "307", "309", "305"]
    for row in rows:
        assert row["metric"] == "em_mc"
        assert row["performance"] == float(row["response"] == row["ground_truth"])


def test_lm_eval_without_its_results_file_says_what_is_missing(tmp_path):
    source = next((FILES / "lm-eval/dummy").glob("samples*"))
    copy = tmp_path / source.name
    copy.write_bytes(source.read_bytes())
    with pytest.raises(RecordError, match="names the model of the samples beside it"):
        import_rows(FORMATS["lm-eval"], [copy], tmp_path / "out.jsonl")
    with pytest.raises(RecordError, match="expected a name such as samples_TASK"):
        import_rows(FORMATS["lm-eval"], [FILES / "openai_requests.jsonl"], tmp_path / "out.jsonl")


def test_inspect_carries_options_latency_tokens_and_epochs(tmp_path):
    rows, _ = imported(tmp_path, "inspect")
    choice = next(row for row in rows if row["task_name"] == "sim_choice")
    assert choice["choices"] == ["301", "307", "309", "305"]
    assert (choice["ground_truth"], choice["performance"], choice["category"]) == ("B", 0.0, "math")
    assert (choice["response_time"], choice["input_tokens"], choice["output_tokens"]) == (2.282902, 28, 40)
    drawn = [row["draw"] for row in rows if row["task_name"] == "sim_open"]
    assert sorted(drawn) == [1, 1, 2, 2]
    outcomes = Outcomes.from_records(read_records(tmp_path / "out.jsonl"))
    assert outcomes.repeats is not None


def test_inspect_takes_the_scorer_that_is_asked_for(tmp_path):
    source = next((FILES / "inspect").glob("*open*"))
    by_default = [row["performance"] for row in imported(tmp_path, "inspect", source)[0]]
    log = json.loads(source.read_text())
    grades = {"C": 1.0, "I": 0.0}
    assert by_default == [grades[sample["scores"]["includes"]["value"]] for sample in log["samples"]]
    by_match = [row["performance"] for row in imported(tmp_path, "inspect", source, score="match")[0]]
    assert by_match == [grades[sample["scores"]["match"]["value"]] for sample in log["samples"]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning")
def test_inspect_reads_archives_that_inspect_has_written(tmp_path):
    log = pytest.importorskip("inspect_ai.log")
    source = next((FILES / "inspect").glob("*open*"))
    log.write_eval_log(log.read_eval_log(str(source)), str(tmp_path / "log.eval"))
    of_archive, of_json = (imported(tmp_path, "inspect", path)[0] for path in (tmp_path / "log.eval", source))
    assert len(of_archive) == len(of_json) == 4
    assert all(row in of_json for row in of_archive)  # an archive has an order of its own
    (tmp_path / "log.eval").write_bytes(b"PK broken")
    with pytest.raises(RecordError, match="Inspect cannot read it"):
        imported(tmp_path, "inspect", tmp_path / "log.eval")


def test_promptfoo_groups_the_prompts_of_a_test(tmp_path):
    rows, _ = imported(tmp_path, "promptfoo")
    assert [row["group"] for row in rows[:2]] == ["results.json test 0", "results.json test 0"]
    assert (rows[0]["model_name"], rows[0]["metric"], rows[0]["ground_truth"]) == ("small", "contains", "hepatologist")
    assert [row["performance"] for row in rows] == [0.0, 0.0, 0.5, 1.0]
    assert rows[0]["response_time"] == 0.073
    assert "cost" not in rows[0]  # 0 is what it writes without a price


@pytest.mark.parametrize("name", ["spend_logs.jsonl", "standard_logs.jsonl"])
def test_litellm_has_latency_tokens_and_cost_but_no_quality(name, tmp_path):
    rows, report = imported(tmp_path, "litellm", f"litellm/{name}")
    first = rows[0]
    assert first["model_name"] == "sim-large-70b"
    assert first["query"].startswith("A convict is sentenced")
    assert first["response"].endswith("The answer is 95.")
    assert (first["input_tokens"], first["output_tokens"], first["cost"]) == (35, 93, 0.000221)
    assert 1 < first["response_time"] < 10
    assert "time_to_first_token" not in first  # not streamed
    assert rows[2]["error"]
    assert (report.n_failed, report.n_without_quality, report.n_scorable) == (1, 2, 0)


def test_litellm_without_prompts_says_which_setting_keeps_them(tmp_path):
    path = tmp_path / "spend.jsonl"
    row = json.loads((FILES / "litellm/spend_logs.jsonl").read_text().splitlines()[0])
    path.write_text(json.dumps({**row, "proxy_server_request": "{}"}) + "\n")
    with pytest.raises(RecordError, match=r"left out 1: calls without a prompt .*store_prompts_in_spend_logs"):
        import_rows(FORMATS["litellm"], [path], tmp_path / "out.jsonl")
    cut = row["proxy_server_request"].replace("prison", "prison... (litellm_truncated skipped 9 chars) ...")
    path.write_text(json.dumps({**row, "proxy_server_request": cut}) + "\n")
    with pytest.raises(RecordError, match="left out 1: calls whose prompt LiteLLM has cut"):
        import_rows(FORMATS["litellm"], [path], tmp_path / "out.jsonl")


def test_openai_reads_both_of_its_apis(tmp_path):
    rows, report = imported(tmp_path, "openai")
    assert rows[0] == {
        "query": "How many days has a leap year?",
        "model_name": "sim-large-70b",
        "response": "366",
        "response_time": 0.412,
        "input_tokens": 14,
        "output_tokens": 1,
        "group": "c-1",
    }
    assert (rows[1]["response"], rows[1]["response_time"]) == ("The Sun.", 0.3)
    assert [message["role"] for message in rows[1]["messages"]] == ["system", "user"]
    assert rows[2]["error"] == "429: Rate limit reached"
    assert [reason.partition(" (")[0] for reason in report.left_out] == ["answers of a batch without their requests"]


def test_llmrouter_tells_options_from_tests_of_programs(tmp_path):
    rows, _ = imported(tmp_path, "llmrouter")
    assert rows[0]["choices"] == ["the Moon", "the Sun"]
    assert "choices" not in rows[1]
    assert rows[2]["error"] == "ERROR: timed out"
    assert "performance" not in rows[2]
    rows, report = imported(tmp_path, "llmrouter", "llmrouter_scores.json")
    assert [(row["model_name"], row["performance"]) for row in rows] == [
        ("qwen2.5-7b-instruct", 1.0),
        ("gemma-2-9b-it", 0.5),
    ]
    assert report.left_out["scores that are not from 0 to 1"].n_rows == 1


def test_routerbench_has_a_record_for_every_model_of_a_row(tmp_path):
    rows, _ = imported(tmp_path, "routerbench")
    assert [(row["model_name"], row["performance"], row["cost"]) for row in rows] == [
        ("WizardLM/WizardLM-13B-V1.2", 0.0, 1.2e-5),
        ("gpt-4-1106-preview", 1.0, 3.1e-4),
        ("WizardLM/WizardLM-13B-V1.2", 0.55, 1.2e-5),
        ("gpt-4-1106-preview", 0.9, 3.1e-4),
    ]
    assert rows[2]["query"] == "Write a haiku.\n\nNow in French."
    assert rows[0]["response"] == "B"


def test_pickles_are_refused_with_a_way_out(tmp_path):
    path = tmp_path / "routerbench_0shot.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    with pytest.raises(
        RecordError, match=r"can run any code.*pandas.read_pickle\('routerbench_0shot.pkl'\).to_parquet"
    ):
        import_rows(FORMATS["routerbench"], [path], tmp_path / "out.jsonl")


def test_llmrouterbench_names_model_and_data_set(tmp_path):
    rows, report = imported(tmp_path, "llmrouterbench")
    assert (rows[0]["model_name"], rows[0]["task_name"], rows[0]["performance"]) == ("Qwen3-8B", "aime", 1.0)
    assert report.n_failed == 1


def test_routellm_gives_pairs_that_training_reads(tmp_path):
    _, report = imported(tmp_path, "routellm")
    pairs = read_preferences(tmp_path / "out.jsonl", ("gpt-4", "mixtral"))
    assert pairs.preferred == ("gpt-4", "mixtral")
    assert pairs.queries[0] == "What is the sum of 2 and 2?"
    assert report.left_out["ties"].n_rows == 1


def test_real_multiple_choice_scores_as_its_program_did(tmp_path):
    """Our extractor on the answers of lm-eval's likeliest options: the same qualities again."""
    rows, _ = imported(tmp_path, "lm-eval", "lm-eval/dummy")
    bare = tmp_path / "bare.jsonl"
    bare.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "performance"}) + "\n" for row in rows))
    again = [score_record(record) for record in read_records(bare)]  # type: ignore[arg-type]
    assert again == [row["performance"] for row in rows]
