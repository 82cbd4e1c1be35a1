"""Routing switched off and tried without effect: by flags, by a file, while the server runs."""

import json
import os
import signal
import time

import pytest

from routing.subjects import LAW
from serving.process import refused, served


def lines_of(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_shadow_logs_the_choice_and_answers_with_the_default_model(folder, tmp_path):
    with served("--models-dir", folder, "--shadow", "--log", tmp_path) as server:
        default = server.client.get("/v1/models").json()["default"]
        assert default != "cicero"
        answers = server.select([{"query": LAW}, {"query": LAW, "default": "mine"}]).json()
        assert [(each["model"], each["reason"], each["ranking"]) for each in answers] == [
            (default, "shadow", [default]),
            ("mine", "shadow", ["mine"]),
        ]
        assert server.select({"query": " "}).status_code == 400
        assert server.select({"query": LAW, "explore": 1.0}).json()["model"] == default
        assert server.client.get("/readyz").json() == {"status": "ok", "routing": "shadow"}
        assert server.metric('vsr_routing_info{model="",routing="shadow"}') == 1
        assert server.metric(f'vsr_choices_total{{model="{default}",reason="shadow"}}') == 2
        assert server.metric('vsr_choices_total{model="other",reason="shadow"}') == 1
        assert any("choices are logged alone" in line for line in server.said)
        assert server.end() == 0
    lines = lines_of(tmp_path / "decisions.jsonl")
    assert [(line["model"], line["reason"], line["shadow_model"]) for line in lines] == [
        (default, "shadow", "cicero"),
        ("mine", "shadow", "cicero"),
        (default, "shadow", lines[2]["shadow_model"]),
    ]
    # Whatever the choice left to chance: this answer was certain.
    assert [(line["propensity"], line.get("explore_margin")) for line in lines] == [(1.0, None)] * 3
    assert set(lines[0]["scores"]) == {"newton", "cicero", "darwin"}


def test_a_shadow_of_a_fixed_model_answers_with_that_one(folder, tmp_path):
    with served("--models-dir", folder, "--shadow", "--fixed", "safe", "--log", tmp_path) as server:
        answer = server.select({"query": LAW, "default": "mine"}).json()
        assert answer["model"] == "safe"
        assert server.client.post("/v1/feedback", json={"id": answer["id"], "quality": 1}).status_code == 200
        assert server.client.get("/readyz").json() == {"status": "ok", "routing": "shadow", "model": "safe"}
        assert server.end() == 0
    assert [(line["model"], line["shadow_model"]) for line in lines_of(tmp_path / "decisions.jsonl")] == [
        ("safe", "cicero")
    ]


def answered_by(server, model, seconds=10.0):
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        answer = server.select({"query": LAW}).json()
        if answer["model"] == model:
            return answer
        time.sleep(0.02)
    raise AssertionError((answer, server.said))


def test_a_file_turns_routing_off_and_on_while_the_server_runs(folder, tmp_path):
    switch = tmp_path / "fixed"
    with served("--models-dir", folder, "--fixed-file", switch, "--log", tmp_path / "log") as server:
        assert answered_by(server, "cicero")["reason"] == "predicted"
        switch.write_text("safe\n")
        time.sleep(0.7)
        assert server.select({"query": LAW}).json()["model"] == "cicero"  # until it is told to look
        server.process.send_signal(signal.SIGHUP)
        assert answered_by(server, "safe")["reason"] == "fixed"
        assert server.client.get("/readyz").json() == {"status": "ok", "routing": "fixed", "model": "safe"}
        assert server.metric('vsr_routing_info{model="safe",routing="fixed"}') == 1
        assert 'routing="on"' not in server.client.get("/metrics").text
        assert server.client.get("/v1/models").json()["default"] == "safe"
        server.wait_until_said("routing is switched off: every request is answered with safe")
        for nonsense in ("two\nnames\n", "x" * 300):
            switch.write_text(nonsense)
            server.process.send_signal(signal.SIGHUP)
            server.wait_until_said("holds more than a name")
            assert server.select({"query": LAW}).json()["model"] == "safe"
            server.said.clear()
        os.truncate(switch, 0)
        server.process.send_signal(signal.SIGHUP)
        assert answered_by(server, "cicero")["reason"] == "predicted"
        server.wait_until_said("requests are routed")
        assert server.end() == 0
    reasons = {line["reason"] for line in lines_of(tmp_path / "log" / "decisions.jsonl")}
    assert reasons == {"predicted", "fixed"}


def test_sighup_alone_ends_nothing(folder):
    with served("--models-dir", folder) as server:
        server.process.send_signal(signal.SIGHUP)
        assert answered_by(server, "cicero")
        assert server.end() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--shadow",), 2, "--shadow has no effect without --log"),
        (("--fixed", "x", "--fixed-file", "y"), 2, "two ways to say the same"),
        (("--fixed-file", "TWO"), 1, "holds more than a name"),
    ],
)
def test_what_cannot_be_meant_is_said(folder, tmp_path, arguments, code, said):
    (tmp_path / "two").write_text("a\nb")
    given = [str(tmp_path / "two") if each == "TWO" else each for each in arguments]
    ended, err = refused("--models-dir", folder, "--port", "0", *given)
    assert ended == code
    assert said in err


@pytest.mark.parametrize("flags", [("--explore", "0.1"), ("--explore-margin", "0.1"), ("--shadow", "--log", "LOG")])
def test_where_nothing_is_chosen_nothing_can_be_drawn_or_tried(tmp_path, flags):
    (tmp_path / "c.yaml").write_text(
        "default_model: safe\nmodel_config: {safe: {}}\nmodel_selection: {enabled: false}\n"
    )
    given = [str(tmp_path / "log") if each == "LOG" else each for each in flags]
    code, err = refused("--config", tmp_path / "c.yaml", "--port", "0", *given)
    assert code == 2
    assert f"{flags[0]} has no effect where the configuration says enabled: false" in err
