import json

import pytest

from judging.court import SETTINGS, Court
from servers.scripted import Scripted, chat, is_warm_up, json_response
from vsr.benchmark.display import NoDisplay
from vsr.data.outcomes import Outcomes
from vsr.data.records import read_records
from vsr.errors import OutputError, RecordError
from vsr.judging.opinions import qualities, read_opinions
from vsr.judging.writing import check_output, journal_of, write_judged
from vsr.simulation import SimulatedJudge

BASE = {"query": "What is the capital of France?", "category": "history"}
ROWS = (
    {**BASE, "model_name": "known", "response": "Paris", "performance": 1.0},
    {**BASE, "model_name": "filler", "response": "Paris, I think", "performance": 0.5, "unscored": True},
    {**BASE, "model_name": "bare", "response": "It is Paris."},
    {**BASE, "model_name": "rough", "response": "The capital of France is Paris.", "ground_truth": "Paris",
     "performance": 0.33, "scoring_rule": "text"},
    {**BASE, "model_name": "old", "response": "Lyon", "performance": 0.9, "is_judged": True, "judged": 0.9},
    {**BASE, "model_name": "failed", "response": None, "error": "unavailable: gone", "performance": None},
    {**BASE, "model_name": "mute", "response": "Who knows?"},
)  # fmt: skip


def written(tmp_path, mode, reply):
    court = Court(tmp_path, 1, SimulatedJudge("judge"), mode=mode)
    court.records.write_text("\n".join(map(json.dumps, ROWS)))
    with Scripted(lambda seen: json_response(chat("ready" if is_warm_up(seen) else reply(seen.prompt)))) as server:
        judging = court.judging(server)
        judging.run(court.journal, SETTINGS, NoDisplay())
    verdicts = judging.verdicts(court.journal)
    opinions = read_opinions(judging, verdicts)
    out = tmp_path / "judged.jsonl"
    counts = write_judged(out, judging, verdicts, opinions, qualities(judging, opinions), source=court.records)
    return {row["model_name"]: row for row in map(json.loads, out.read_text().splitlines())}, counts, out


def test_true_labels_stay_and_the_others_get_what_judges_say(tmp_path):
    def reply(prompt):
        return "Hard to say." if "Who knows?" in prompt else '{"reason": "so", "score": 7}'

    rows, counts, out = written(tmp_path, "rubric", reply)
    judged = pytest.approx(6 / 9, abs=1e-5)
    assert {name: row.get("performance") for name, row in rows.items()} == {
        "known": 1.0, "filler": judged, "bare": judged, "rough": 0.33, "old": judged, "failed": None, "mute": None,
    }  # fmt: skip
    assert {name for name, row in rows.items() if row.get("is_judged")} == {"filler", "bare", "old"}
    assert {name for name, row in rows.items() if "judged" in row} == {"known", "filler", "bare", "rough", "old"}
    assert rows["known"]["judge_verdicts"] == [{"judge": "judge", "said": 7.0, "reason": "so"}]
    assert (rows["known"]["judge"], rows["known"]["judge_mode"]) == ("judge", "rubric")
    assert rows["failed"] == ROWS[5]
    assert rows["mute"] == {**ROWS[6], "judge_unreadable": True}
    assert "unscored" not in rows["filler"]
    assert (counts.n_records, counts.n_judged, counts.n_labelled, counts.n_true) == (7, 5, 3, 1)
    outcomes = Outcomes.from_records(read_records(out), scorer=lambda _record: None)
    assert set(outcomes.models) == {"known", "filler", "bare", "rough", "old"}


def test_a_reference_judge_takes_the_place_of_shared_words(tmp_path):
    rows, _, _ = written(tmp_path, "reference", lambda _prompt: '{"reason": "same", "verdict": "correct"}')
    assert (rows["rough"]["performance"], rows["rough"]["scored_performance"], rows["rough"]["is_judged"]) == (
        1.0,
        0.33,
        True,
    )
    assert "judged" not in rows["bare"]  # there is nothing to compare it with


def test_records_that_changed_meanwhile_are_not_mixed_up(tmp_path):
    court = Court(tmp_path, 1, SimulatedJudge("judge"))
    with court.pool() as pool:
        judging = court.judging(pool)
    verdicts = judging.verdicts(court.journal)
    opinions = read_opinions(judging, verdicts)
    lines = court.records.read_text().splitlines()
    court.records.write_text("\n".join(reversed(lines)))
    out = tmp_path / "judged.jsonl"
    with pytest.raises(RecordError, match="was changed while it was judged"):
        write_judged(out, judging, verdicts, opinions, qualities(judging, opinions), source=court.records)
    assert not out.exists()


@pytest.mark.parametrize("content", ["{}", "%PDF-1.7", '{"query": "q"}\n', "judges: []\n", ""])
@pytest.mark.parametrize("has_journal", [False, True])
def test_a_wrong_output_stays_as_it_is(tmp_path, content, has_journal):
    out = tmp_path / "out.jsonl"
    out.write_text(content)
    if has_journal:
        journal_of(out).write_text("")
    with pytest.raises(OutputError, match="stays as it is"):
        check_output(out)
    assert out.read_text() == content
