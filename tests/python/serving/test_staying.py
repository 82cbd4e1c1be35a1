"""Conversations that the server keeps: by id, by their beginning, per key, across restarts."""

import pytest

from routing.subjects import LAW
from serving.process import served

BIOLOGY = "enzyme and protein of a cell?"
MODEL = "cicero"
STAY = {"objective": {"switch_margin": 5.0}}
TALK = [{"role": "user", "content": LAW}]
GOES_ON = [*TALK, {"role": "assistant", "content": "The high court."}, {"role": "user", "content": BIOLOGY}]


@pytest.fixture
def server(folder, tmp_path):
    with served("--models-dir", folder, XDG_RUNTIME_DIR=str(tmp_path)) as running:
        yield running


def reason(server, body, **settings):
    answer = server.select({**STAY, **body}, **settings).json()
    return answer["model"] if answer["reason"] == "stayed" else answer["reason"]


def test_a_conversation_stays_by_its_session_id(server):
    assert reason(server, {"query": LAW, "session_id": "one"}) == "predicted"
    assert reason(server, {"query": BIOLOGY, "session_id": "one"}) == MODEL
    assert reason(server, {"query": BIOLOGY, "session_id": "two"}) == "predicted"
    assert reason(server, {"query": BIOLOGY}) == "predicted"


def test_the_header_names_the_conversation_of_requests_that_do_not(server):
    headers = {"X-Session-Id": "one"}
    assert reason(server, {"query": LAW}, headers=headers) == "predicted"
    assert reason(server, {"query": BIOLOGY}, headers=headers) == MODEL
    assert reason(server, {"query": BIOLOGY, "session_id": "two"}, headers=headers) == "predicted"
    too_long = server.select({"query": LAW}, headers={"X-Session-Id": "y" * 257})
    assert too_long.status_code == 400
    assert server.select({"query": LAW, "session_id": "y" * 257}).status_code == 400


def test_without_an_id_it_stays_from_its_second_turn_on(server):
    assert reason(server, {"messages": TALK}) == "predicted"
    assert reason(server, {"messages": TALK}) == "predicted"
    assert reason(server, {"messages": GOES_ON}) == MODEL
    assert reason(server, {"messages": [{"role": "system", "content": "x"}, *GOES_ON]}) == "predicted"


def test_what_the_caller_says_holds_and_a_gain_above_the_margin_moves_it(server):
    assert reason(server, {"query": LAW, "session_id": "one"}) == "predicted"
    assert reason(server, {"query": BIOLOGY, "session_id": "one", "previous": "newton"}) == "newton"
    assert reason(server, {"query": BIOLOGY, "session_id": "one"}) == "newton"
    moved = server.select({"query": BIOLOGY, "session_id": "one"}).json()
    assert (moved["model"], moved["reason"]) == ("darwin", "predicted")


def test_a_model_that_is_not_on_offer_any_more_is_no_obstacle(server):
    assert reason(server, {"query": LAW, "session_id": "one"}) == "predicted"
    assert reason(server, {"query": BIOLOGY, "session_id": "one", "candidates": ["darwin", "newton"]}) == "predicted"


def test_another_server_of_the_folder_goes_on_with_it_and_one_with_another_key_does_not(server, folder, tmp_path):
    assert reason(server, {"query": LAW, "session_id": "one"}) == "predicted"
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with served("--models-dir", folder, **environment) as other:
        assert reason(other, {"query": BIOLOGY, "session_id": "one"}) == MODEL
    with served("--models-dir", folder, VSR_SERVE_KEY="k" * 32, **environment) as other:
        headers = {"Authorization": f"Bearer {'k' * 32}"}
        assert reason(other, {"query": BIOLOGY, "session_id": "one"}, headers=headers) == "predicted"
