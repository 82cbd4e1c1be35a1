import http.client
import json
import time
import urllib.error
import urllib.request

import pytest

from vsr.errors import BenchmarkError, ConfigError
from vsr.simulation import SIMULATED_MODELS, answer, generate_queries
from vsr.simulation.server import FAULTS, Faults, SimulatedPool
from vsr.simulation.server.faults import parse_faults

QUERIES = generate_queries(30)
MODEL = SIMULATED_MODELS[1]


@pytest.fixture(scope="module")
def pool():
    with SimulatedPool(QUERIES, time_scale=0.0) as running:
        yield running


def post(pool, path, payload, **headers):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    request = urllib.request.Request(f"{pool.url}{path}", data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers


def openai(prompt, model=MODEL.name, **fields):
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}


def ollama(prompt, **options):
    return {**openai(prompt), "stream": False, "options": options}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/chat/completions"])
def test_openais_protocol(pool, path):
    status, body, _ = post(pool, path, openai(QUERIES[0].prompt))
    expected = answer(MODEL, QUERIES[0], 0)
    assert status == 200
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"] == {"role": "assistant", "content": expected.text}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == expected.output_tokens
    assert body["usage"]["total_tokens"] == expected.input_tokens + expected.output_tokens


def test_ollamas_protocol(pool):
    status, body, _ = post(pool, "/api/chat", ollama(QUERIES[0].prompt))
    expected = answer(MODEL, QUERIES[0], 0)
    assert (status, body["done"], body["done_reason"]) == (200, True, "stop")
    assert body["message"]["content"] == expected.text
    assert (body["prompt_eval_count"], body["eval_count"]) == (expected.input_tokens, expected.output_tokens)
    assert body["total_duration"] == int(expected.latency_s * 1e9)


def test_the_same_answer_in_both_protocols_and_after_a_wish_for_brevity(pool):
    texts = {
        post(pool, "/v1/chat/completions", openai(query))[1]["choices"][0]["message"]["content"]
        for query in (QUERIES[3].prompt, QUERIES[3].prompt.upper(), f"{QUERIES[3].prompt}\n\nReply shortly.")
    }
    texts.add(post(pool, "/api/chat", ollama(QUERIES[3].prompt))[1]["message"]["content"])
    assert len(texts) == 1


def test_limits_cut_the_answer(pool):
    long = max(QUERIES, key=lambda query: answer(MODEL, query, 0).output_tokens)
    _, body, _ = post(pool, "/v1/chat/completions", openai(long.prompt, max_tokens=3))
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 3
    _, body, _ = post(pool, "/v1/chat/completions", openai(long.prompt, max_completion_tokens=3))
    assert body["usage"]["completion_tokens"] == 3
    _, body, _ = post(pool, "/api/chat", ollama(long.prompt, num_predict=3))
    assert body["done_reason"] == "length"


def test_prompts_it_does_not_know_get_a_greeting(pool):
    _, body, _ = post(pool, "/v1/chat/completions", openai([{"type": "text", "text": "Hello"}]))
    assert body["choices"][0]["message"]["content"] == "Ready."


@pytest.mark.parametrize(
    ("path", "payload", "headers", "status"),
    [
        ("/v1/chat/completions", openai("x", model="unknown"), {}, 404),
        ("/api/chat", {**ollama("x"), "model": "unknown"}, {}, 404),
        ("/v1/chat/completions", openai("x"), {"Authorization": "Bearer wrong-key-1"}, 401),
        ("/v1/chat/completions", openai("x"), {"Authorization": "Bearer right"}, 200),
        ("/v1/chat/completions", b"{", {}, 400),
        ("/v1/chat/completions", {"model": MODEL.name}, {}, 400),
        ("/v1/chat/completions", openai("x", stream=False), {}, 200),
        ("/v1/other", openai("x"), {}, 404),
        ("/api/generate", openai("x"), {}, 404),
        ("/v1/chat/completions", openai("x"), {"X-Simulate-Faults": "nonsense=1"}, 400),
        ("/v1/chat/completions", openai("x"), {"X-Simulate-Faults": "hang"}, 400),
    ],
)
def test_refusals_have_the_form_of_the_protocol(pool, path, payload, headers, status):
    found, body, _ = post(pool, path, payload, **headers)
    assert found == status
    if found != 200:
        assert isinstance(body["error"], str if path.startswith("/api/") else dict)


def test_lists_of_models(pool):
    def get(path):
        with urllib.request.urlopen(f"{pool.url}{path}", timeout=10) as response:
            return json.load(response)

    names = [model.name for model in SIMULATED_MODELS]
    assert [entry["id"] for entry in get("/v1/models")["data"]] == names
    assert [entry["name"] for entry in get("/api/tags")["models"]] == names
    assert get("/health") == {"status": "ok"}


def test_faults_on_request(pool):
    def with_fault(name):
        return post(pool, "/v1/chat/completions", openai(QUERIES[0].prompt), **{"X-Simulate-Faults": f"{name}=1"})

    status, _, headers = with_fault("rate_limited")
    assert (status, headers["Retry-After"]) == (429, "1")
    assert with_fault("server_error")[0] == 500
    assert with_fault("unauthorized")[0] == 401
    with pytest.raises(json.JSONDecodeError):
        with_fault("malformed")
    with pytest.raises(http.client.IncompleteRead):
        with_fault("cut")


def test_a_hanging_call_is_dropped_in_the_end_and_a_date_may_say_when():
    faults = Faults({"hang": 0.5, "rate_limited": 0.5}, retry_after_s=30, as_date=True, hang_s=0.2)
    with SimulatedPool(QUERIES, time_scale=0.0, faults=faults) as pool:
        seen: set[object] = set()
        for query in QUERIES:
            started = time.monotonic()
            try:
                status, _, headers = post(pool, "/v1/chat/completions", openai(query.prompt))
                seen.add((status, headers["Retry-After"].endswith("GMT")))
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() - started >= 0.2
                seen.add("dropped")
        assert seen == {(429, True), "dropped"}


def test_faults_have_their_shares():
    faults = Faults({"cut": 0.2, "hang": 0.1})
    drawn = [faults.draw(0, i) for i in range(5000)]
    assert abs(drawn.count("cut") - 1000) < 120
    assert abs(drawn.count("hang") - 500) < 90
    assert drawn == [faults.draw(0, i) for i in range(5000)]
    assert parse_faults(" cut=0.2 , hang=0.1", Faults()) == faults
    for wrong in ("cut=1.5", "cut=0.6, hang=0.6", "crash=0.1"):
        with pytest.raises(ConfigError):
            parse_faults(wrong, Faults())
    assert len(FAULTS) == 6


def test_time_passes_as_the_models_need_it():
    expected = answer(MODEL, QUERIES[0], 0).latency_s
    with SimulatedPool(QUERIES, time_scale=0.5) as pool:
        started = time.monotonic()
        post(pool, "/v1/chat/completions", openai(QUERIES[0].prompt))
    assert time.monotonic() - started >= 0.5 * expected


def test_a_port_that_is_taken(pool):
    with pytest.raises(BenchmarkError, match=f"nothing can listen on 127.0.0.1:{pool.port}"):
        SimulatedPool(QUERIES, port=pool.port).__enter__()
