"""Conversations are asked as they are, over real sockets."""

import json

import pytest

from servers.scripted import Scripted, always, chat, config_for, endpoint, json_response
from vsr.asking.budget import highest_cost_usd
from vsr.benchmark.plan import CONCISE_LINE, make_plan
from vsr.benchmark.runner import RunSettings, run_benchmark
from vsr.data.outcomes import Outcomes
from vsr.data.records import read_queries, read_records
from vsr.errors import BenchmarkError

INSIDE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
ELSEWHERE = {"type": "image_url", "image_url": {"url": "https://example.org/cell.png"}}
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is a cell?"},
    {"role": "assistant", "content": "A room."},
    {"role": "user", "content": [{"type": "text", "text": "And this?"}, INSIDE]},
]
MODELS = {"a": {"preferred_endpoints": ["one"], "pricing": {"prompt_per_1m": 1.0, "completion_per_1m": 1.0}}}


def plan_of(tmp_path, server, lines, kind="vllm", **settings):
    path = tmp_path / "queries.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = config_for([endpoint(server, kind=kind)], MODELS)
    return make_plan(read_queries(path), config, environment={}, **settings)


def test_a_conversation_is_sent_as_it_is_and_asked_once(tmp_path):
    out = tmp_path / "out.jsonl"
    other = [{"role": "system", "content": "Be long."}, *TALK[1:]]
    lines = [{"messages": TALK, "ground_truth": "B"}, {"messages": other}, {"messages": TALK}, {"query": "Why?"}]
    with Scripted(always("The answer is (B).")) as server:
        plan = plan_of(tmp_path, server, lines)
        run_benchmark(plan, out, RunSettings())
        sent = [seen.body["messages"] for seen in server.asked()]
        assert len(sent) == 3
        for messages in (TALK, other, [{"role": "user", "content": "Why?"}]):
            assert messages in sent
        again = run_benchmark(plan, out, RunSettings())
        assert (again.n_asked, len(server.asked())) == (0, 3)
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert {record["query"] for record in records} == {"And this?", "Why?"}
    assert [record.get("messages") for record in records].count(TALK) == 1
    assert [record.get("messages") for record in records].count(None) == 1
    users = Outcomes.from_records(read_records(out, text="all"))
    assert len(users.queries) == 3
    assert "Be long.\n\nWhat is a cell?\n\nA room.\n\nAnd this?" in users.queries


def test_choices_and_the_wish_for_a_bare_answer_stand_in_the_last_question(tmp_path):
    with Scripted(always()) as server:
        plan = plan_of(tmp_path, server, [{"messages": TALK[:2], "choices": ["x", "y"]}], is_concise=True)
    assert plan.questions[0].prompt == (
        TALK[0],
        {"role": "user", "content": f"What is a cell?\nA) x\nB) y\n\n{CONCISE_LINE}"},
    )


def ollama_answer(_seen):
    return json_response({"message": {"role": "assistant", "content": "(B)"}, "done": True, "done_reason": "stop"})


def test_ollama_takes_images_beside_the_text(tmp_path):
    with Scripted(ollama_answer) as server:
        run_benchmark(plan_of(tmp_path, server, [{"messages": TALK}], "ollama"), tmp_path / "o.jsonl", RunSettings())
        asked = [seen.body["messages"] for seen in server.asked()]
    assert asked == [[*TALK[:3], {"role": "user", "content": "And this?", "images": ["AAAA"]}]]


def test_who_cannot_fetch_an_image_is_not_asked_about_it(tmp_path):
    line = {"messages": [{"role": "user", "content": [{"type": "text", "text": "And this?"}, ELSEWHERE]}]}
    with Scripted(ollama_answer) as server:
        with pytest.raises(BenchmarkError, match=r"one: does not fetch images.*'And this\?'"):
            plan_of(tmp_path, server, [line], "ollama")
        assert plan_of(tmp_path, server, [line]).n_calls == 1


def test_all_messages_and_images_count_for_the_highest_cost(tmp_path):
    with Scripted(lambda _seen: json_response(chat())) as server:
        long, short, seen = (
            plan_of(tmp_path, server, [{"messages": messages}])
            for messages in ([{"role": "system", "content": "x" * 9000}, TALK[1]], TALK[:2], TALK)
        )
    costs = [highest_cost_usd(plan.models[0], plan.questions[0].prompt) for plan in (short, seen, long)]
    assert costs[0] < costs[1] < costs[2]
