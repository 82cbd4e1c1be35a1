"""The judge command: its screen, its refusals, and what survives its end."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from servers.scripted import endpoint
from vsr.simulation import SIMULATED_JUDGES, generate_queries, simulate, write_records
from vsr.simulation.server import SimulatedPool

PRICES = {"prompt_per_1m": 0.4, "completion_per_1m": 0.4}


@pytest.fixture(scope="module")
def pool():
    with SimulatedPool(generate_queries(30), judges=SIMULATED_JUDGES, time_scale=0.05) as pool:
        yield pool


@pytest.fixture
def folder(tmp_path, pool):
    write_records(tmp_path / "r.jsonl", simulate(generate_queries(30)))
    models = {judge.name: {"preferred_endpoints": ["one"], "pricing": PRICES} for judge in SIMULATED_JUDGES}
    models |= {"sim-large-70b": {"preferred_endpoints": ["one"], "family": "atlas"}}
    config = {
        "vllm_endpoints": [endpoint(pool)],
        "model_config": models,
        "judges": [{"model": "sim-judge-90", "family": "atlas"}, {"model": "sim-judge-75"}],
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    return tmp_path


def arguments(folder, *flags):
    files = ("--config", folder / "c.yaml", "--data-file", folder / "r.jsonl", "--output", folder / "j.jsonl")
    return ("judge", *files, "--concurrency", "32", "--rate-limit-delay", "0", *flags)


def records(folder):
    return [json.loads(line) for line in (folder / "j.jsonl").read_text().splitlines()]


def test_a_run_says_what_responses_are_worth_and_how_far_to_trust_it(folder, vsr_train):
    result = vsr_train(*arguments(folder, "--query-limit", "10"))
    assert result.code == 0, result.err
    titles = [line.split("  ")[0] for line in result.out.splitlines()]
    for title in ("model", "sim-large-70b", "judge", "verdicts", "agrees with the truth", "gain of its own family"):
        assert title in titles
    assert "sim-judge-90 and sim-judge-75 agree on" in result.out
    assert "50 true labels are few" in result.out
    assert "50 responses to 10 queries, 2 judges: sim-judge-90, sim-judge-75." in result.err
    assert "the answers are in" in result.err
    assert sum("judged" in row for row in records(folder)) == 50
    again = vsr_train(*arguments(folder, "--query-limit", "10", "--json"))
    assert "0 calls to make (10" in again.err
    assert again.json["judged"] == 50
    assert again.json["judges"][0]["name"] == "sim-judge-90"
    assert again.json["truth"]["n"] == 50


def test_a_dry_run_opens_nothing(folder, vsr_train):
    result = vsr_train(*arguments(folder, "--mode", "pairwise", "--against", "sim-large-70b", "--dry-run", "-v"))
    assert (result.code, result.out) == (0, "")
    assert "calls to make." in result.err
    assert "Cost: at most $" in result.err
    assert "[BEGIN RESPONSE A " in result.err
    assert {path.name for path in folder.iterdir()} == {"r.jsonl", "c.yaml"}


def test_the_limit_on_the_cost_is_kept(folder, vsr_train):
    result = vsr_train(*arguments(folder, "--max-cost", "0.02"))
    assert "--max-cost stopped the run" in result.err
    lines = (folder / "j.verdicts.jsonl").read_text().splitlines()
    assert 0 < sum(json.loads(line)["cost"] for line in lines) <= 0.02
    assert 0 < sum("judged" in row for row in records(folder)) < 150


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--graded",), 2, "--graded has no effect with --mode rubric"),
        (("--mode", "reference", "--criteria", "c.txt"), 2, "--criteria has no effect with --mode reference"),
        (("--against", "x"), 2, "--against has no effect with --mode rubric"),
        (("--mode", "pairwise", "--combine", "mean"), 2, "--combine has no effect with --mode pairwise"),
        (("--mode", "pairwise", "--against", "sim-large-70"), 1, "did you mean sim-large-70b?"),
        (("--samples", "3"), 2, "No such option"),
        (("--metric", "exact"), 2, "No such option"),
        (("--dry-run", "--json"), 2, "--json has no effect with --dry-run"),
        (("--samples", "3"), 2, "No such option '--samples'"),
        (("--metric", "contains"), 2, "No such option '--metric'"),
        (("--criteria", "none.txt"), 1, "none.txt: the criteria cannot be read: No such file or directory."),
    ],
)
def test_what_cannot_be_is_said(folder, vsr_train, flags, code, said):
    result = vsr_train(*arguments(folder, *flags))
    assert result.code == code
    assert said in result.err
    assert not (folder / "j.jsonl").exists()


def test_a_benchmark_can_have_its_answers_judged_at_once(folder, vsr_train):
    queries = [each.to_json() for each in generate_queries(30)[:4]]
    (folder / "q.jsonl").write_text("\n".join(map(json.dumps, queries)))
    files = ("--config", folder / "c.yaml", "--data-file", folder / "q.jsonl", "--output", folder / "b.jsonl")
    flags = ("benchmark", *files, "--rate-limit-delay", "0", "--judge", "rubric")
    result = vsr_train(*flags)
    assert result.code == 0, result.err
    rows = [json.loads(line) for line in (folder / "b.judged.jsonl").read_text().splitlines()]
    assert [("judged" in row, row["model_name"]) for row in rows] == [(True, "sim-large-70b")] * 4
    assert vsr_train(*flags, "--dry-run").code == 2
    (folder / "b.judged.jsonl").write_text("{}")
    assert "stays as it is" in vsr_train(*flags).err


def test_nobody_who_judges_is_an_error(folder, vsr_train):
    config = json.loads((folder / "c.yaml").read_text())
    del config["judges"]
    (folder / "c.yaml").write_text(json.dumps(config))
    result = vsr_train(*arguments(folder))
    assert result.code == 1
    assert "names nobody who judges; add `judges: [{model: NAME}]`" in result.err


def test_the_records_themselves_are_never_the_output(folder, vsr_train):
    before = (folder / "r.jsonl").read_bytes()
    result = vsr_train(*arguments(folder)[:5], "--output", folder / "r.jsonl")
    assert result.code == 2
    assert (folder / "r.jsonl").read_bytes() == before


def test_criteria_by_category_reach_the_judge(folder, vsr_train):
    (folder / "criteria.yaml").write_text("law: Cite the statute.\ndefault: Be brief.\n")
    flags = ("--criteria", folder / "criteria.yaml", "--dry-run", "-v")
    assert "Be brief." in vsr_train(*arguments(folder, *flags)).err
    (folder / "criteria.yaml").write_text("lore: Cite the statute.\n")
    assert "'lore' is no category" in vsr_train(*arguments(folder, *flags)).err


def test_killed_again_and_again_it_loses_nothing_and_asks_nothing_twice(folder):
    command = [sys.executable, "-c", "import sys; from vsr.__main__ import main; sys.exit(main())"]
    command += [str(each) for each in arguments(folder, "-q")]
    rng = random.Random(0)
    journal = folder / "j.verdicts.jsonl"
    n_before = 0
    for _ in range(2):
        process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        aim = n_before + rng.randrange(20, 60)
        while process.poll() is None and time.monotonic() < deadline:
            if journal.exists() and journal.read_bytes().count(b"\n") >= aim:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        n_before = journal.read_bytes().count(b"\n")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len({line["call_id"] for line in lines}) == len(lines)
    assert all("judged" in row for row in records(folder))
