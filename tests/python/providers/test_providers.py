"""One suite over all providers: each is asked over a real socket and answers as its documentation says."""

import asyncio
import datetime as dt
import email.utils
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from servers.scripted import Scripted, json_response
from vsr.asking.client import ChatClient
from vsr.asking.models import Target
from vsr.data.failures import failure_of
from vsr.providers import PROVIDERS
from vsr.providers.call import Answer, ChatRequest, ErrorKind, FailedCall
from vsr.providers.errors import retry_after_s
from vsr.simulation.server.http import Response

REQUEST = ChatRequest("model-id", "What is 2 + 2?", 64, 0.5)


@dataclass(frozen=True)
class Documented:
    """A provider's true answer to a chat request, as its documentation shows it, and what has to be read from it."""

    path: str
    body: dict[str, object]
    answer: dict[str, object]
    text: str
    n_input: int
    n_output: int


OPENAI_BODY = {
    "model": "model-id",
    "messages": [{"role": "user", "content": "What is 2 + 2?"}],
    "max_tokens": 64,
    "temperature": 0.5,
}

DOCUMENTED = {
    "ollama": Documented(
        "/api/chat",
        {
            "model": "model-id",
            "messages": [{"role": "user", "content": "What is 2 + 2?"}],
            "stream": False,
            "options": {"num_predict": 64, "temperature": 0.5},
        },
        {
            "model": "llama3.2",
            "created_at": "2023-12-12T14:13:43.416799Z",
            "message": {"role": "assistant", "content": "Hello! How are you today?"},
            "done_reason": "stop",
            "done": True,
            "total_duration": 5191566416,
            "load_duration": 2154458,
            "prompt_eval_count": 26,
            "prompt_eval_duration": 383809000,
            "eval_count": 298,
            "eval_duration": 4799921000,
        },
        "Hello! How are you today?",
        26,
        298,
    ),
    "vllm": Documented(
        "/v1/chat/completions",
        OPENAI_BODY,
        {
            "id": "chatcmpl-4c9e7e4b9b4a4d0e",
            "object": "chat.completion",
            "created": 1728501622,
            "model": "Qwen/Qwen2.5-1.5B-Instruct",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "reasoning_content": None,
                        "content": "Joke: what do you call a fish with no eyes? Fsh.",
                        "tool_calls": [],
                    },
                    "logprobs": None,
                    "finish_reason": "stop",
                    "stop_reason": None,
                }
            ],
            "usage": {
                "prompt_tokens": 31,
                "total_tokens": 45,
                "completion_tokens": 14,
                "prompt_tokens_details": None,
            },
            "prompt_logprobs": None,
        },
        "Joke: what do you call a fish with no eyes? Fsh.",
        31,
        14,
    ),
    "openai": Documented(
        "/v1/chat/completions",
        OPENAI_BODY,
        {
            "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
            "object": "chat.completion",
            "created": 1741569952,
            "model": "gpt-4.1-2025-04-14",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": "Hello! How can I assist you today?",
                        "refusal": None,
                        "annotations": [],
                    },
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 19,
                "completion_tokens": 10,
                "total_tokens": 29,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
        },
        "Hello! How can I assist you today?",
        19,
        10,
    ),
    "huggingface": Documented(
        "/v1/chat/completions",
        OPENAI_BODY,
        {
            "id": "",
            "object": "chat.completion",
            "created": 1738236000,
            "model": "meta-llama/Llama-3.1-8B-Instruct",
            "system_fingerprint": "3.0.1-sha-bb9095a",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "The capital of France is Paris."},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 42, "completion_tokens": 8, "total_tokens": 50},
        },
        "The capital of France is Paris.",
        42,
        8,
    ),
    "nvidia": Documented(
        "/v1/chat/completions",
        OPENAI_BODY,
        {
            "id": "cmpl-0d6a4a3e5b",
            "object": "chat.completion",
            "created": 1711483232,
            "model": "meta/llama-3.1-8b-instruct",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "A wonderful limerick."},
                    "logprobs": None,
                    "finish_reason": "stop",
                    "stop_reason": None,
                }
            ],
            "usage": {"prompt_tokens": 21, "total_tokens": 27, "completion_tokens": 6},
        },
        "A wonderful limerick.",
        21,
        6,
    ),
    "openrouter": Documented(
        "/api/v1/chat/completions",
        OPENAI_BODY,
        {
            "id": "gen-1752000000-abcdef",
            "provider": "Fireworks",
            "object": "chat.completion",
            "created": 1752000000,
            "model": "openai/gpt-3.5-turbo",
            "choices": [
                {
                    "logprobs": None,
                    "finish_reason": "stop",
                    "native_finish_reason": "stop",
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hello there!", "refusal": None, "reasoning": None},
                }
            ],
            "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9, "cost": 0.00014},
        },
        "Hello there!",
        5,
        4,
    ),
}
OPENAI_LIKE = tuple(name for name in DOCUMENTED if name != "ollama")


def target_at(server, name, **fields):
    provider = PROVIDERS[name]
    return Target(
        model_name="model",
        endpoint="one",
        provider=provider,
        url=provider.url(server.url),
        model_id="model-id",
        headers={**provider.headers(), "Authorization": "Bearer the-key"},
        credential="",
        **{"timeout_s": 5.0, **fields},
    )


def ask(name, response, request=REQUEST, **fields):
    """Ask a server that gives one response; return what was read and what the server saw."""
    with Scripted(lambda _seen: response) as server:

        async def go():
            async with ChatClient() as client:
                return await client.ask(target_at(server, name, **fields), request)

        timed = asyncio.run(go())
    return timed, server.seen[0]


def outcome(name, response, **fields):
    return ask(name, response, **fields)[0].outcome


def changed(name, **message):
    """The documented answer with other fields in its message."""
    answer = json.loads(json.dumps(DOCUMENTED[name].answer))
    holder = answer if name == "ollama" else answer["choices"][0]
    holder["message"] |= message
    return answer


@pytest.fixture(params=sorted(DOCUMENTED))
def provider(request):
    return request.param


def test_the_suite_knows_every_provider():
    assert set(DOCUMENTED) == set(PROVIDERS)


def test_request_and_answer_are_the_documented_ones(provider):
    documented = DOCUMENTED[provider]
    timed, seen = ask(provider, json_response(documented.answer))
    assert (seen.path, seen.body) == (documented.path, documented.body)
    assert seen.headers["authorization"] == "Bearer the-key"
    assert seen.headers["content-type"] == "application/json"
    assert isinstance(timed.outcome, Answer)
    assert timed.outcome.text == documented.text
    assert timed.outcome.finish_reason == "stop"
    assert (timed.outcome.input_tokens, timed.outcome.output_tokens) == (documented.n_input, documented.n_output)
    assert timed.outcome.reasoning is None
    assert timed.latency_s is not None


def test_settings_that_are_not_given_are_not_sent(provider):
    _, seen = ask(provider, json_response(DOCUMENTED[provider].answer), ChatRequest("m", "p", None, None))
    sent = json.dumps(seen.body)
    assert not any(word in sent for word in ("max_tokens", "temperature", "num_predict", "reasoning", "think"))


@pytest.mark.parametrize("wish", [True, False])
def test_the_wish_for_reasoning_has_the_providers_own_form(provider, wish):
    expected = {
        "ollama": {"think": wish},
        "vllm": {"chat_template_kwargs": {"enable_thinking": wish}},
        "nvidia": {"chat_template_kwargs": {"enable_thinking": wish}},
        "openai": {"reasoning_effort": "medium" if wish else "low"},
        "huggingface": {"reasoning_effort": "medium" if wish else "low"},
        "openrouter": {"reasoning": {"enabled": wish}},
    }
    body = PROVIDERS[provider].body(replace(REQUEST, use_reasoning=wish))
    assert expected[provider].items() <= body.items()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", ""),
        (None, ""),
        ([{"type": "text", "text": "one "}, {"type": "text", "text": "two"}], "one two"),
        (["plain ", {"type": "text", "text": "parts"}], "plain parts"),
        ([], ""),
    ],
)
def test_content_comes_in_several_forms(provider, content, text):
    found = outcome(provider, json_response(changed(provider, content=content)))
    assert isinstance(found, Answer)
    assert found.text == text


def test_thoughts_are_kept_apart(provider):
    fields = {"ollama": ("thinking",)}.get(provider, ("reasoning_content", "reasoning"))
    for field in fields:
        found = outcome(provider, json_response(changed(provider, **{field: "2 and 2 ..."})))
        assert found.reasoning == "2 and 2 ..."
        assert found.text == DOCUMENTED[provider].text


def test_thoughts_as_a_part_of_the_content(provider):
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "4"}]
    found = outcome(provider, json_response(changed(provider, content=parts)))
    assert found.text == "4"
    if provider != "ollama":
        assert found.reasoning == "hm"


@pytest.mark.parametrize("name", OPENAI_LIKE)
def test_a_refusal_is_a_failure_of_the_model(name):
    said = "I'm sorry, I can't assist with that request."
    refused = outcome(name, json_response(changed(name, content=None, refusal=said)))
    part = outcome(name, json_response(changed(name, content=[{"type": "refusal", "refusal": said}])))
    filtered = changed(name, content="")
    filtered["choices"][0]["finish_reason"] = "content_filter"
    held_back = outcome(name, json_response(filtered))
    assert [found.kind for found in (refused, part, held_back)] == [ErrorKind.REFUSAL] * 3
    assert refused.message == said


def test_missing_counts_are_none(provider):
    answer = json.loads(json.dumps(DOCUMENTED[provider].answer))
    for field in ("usage", "prompt_eval_count", "eval_count", "load_duration"):
        answer.pop(field, None)
    found = outcome(provider, json_response(answer))
    assert (found.input_tokens, found.output_tokens) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"choices": [',
        b"[]",
        b"null",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": {"content": 3}}], "message": {"content": 3}}',
        b'{"choices": "x", "message": "x"}',
        b"<html>Bad gateway</html>",
        b"\xff\xfe",
    ],
)
def test_an_answer_that_cannot_be_understood_is_not_retried(provider, body):
    found = outcome(provider, Response(200, body))
    assert isinstance(found, FailedCall)
    assert found.kind is ErrorKind.INVALID_ANSWER
    assert not found.is_retryable


ERROR_BODIES = {
    "openai": {"error": {"message": "MESSAGE", "type": "invalid_request_error", "param": None, "code": None}},
    "openrouter": {"error": {"code": 400, "message": "MESSAGE", "metadata": {"provider_name": "x"}}},
    "vllm": {"object": "error", "message": "MESSAGE", "type": "BadRequestError", "param": None, "code": 400},
    "ollama": {"error": "MESSAGE"},
    "nvidia": {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "MESSAGE"},
    "huggingface": {"detail": [{"loc": ["body"], "msg": "MESSAGE", "type": "value_error"}]},
}


@pytest.mark.parametrize(
    ("status", "message", "kind", "retryable", "hopeless"),
    [
        (400, "temperature is wrong", ErrorKind.BAD_REQUEST, False, None),
        (401, "Incorrect API key provided", ErrorKind.AUTHENTICATION, False, "endpoint"),
        (402, "Insufficient credits", ErrorKind.PAYMENT, False, "endpoint"),
        (403, "Forbidden", ErrorKind.AUTHENTICATION, False, "endpoint"),
        (403, "Your input was flagged by moderation", ErrorKind.REFUSAL, False, None),
        (404, "model 'x' not found, try pulling it first", ErrorKind.MODEL_NOT_FOUND, False, "model"),
        (400, "openai/gpt-9 is not a valid model ID", ErrorKind.MODEL_NOT_FOUND, False, "model"),
        (400, "The requested model 'x' does not exist", ErrorKind.MODEL_NOT_FOUND, False, "model"),
        (405, "Method Not Allowed", ErrorKind.ENDPOINT_DOWN, False, "endpoint"),
        (408, "Request timeout", ErrorKind.ENDPOINT_DOWN, True, None),
        (409, "Conflict", ErrorKind.ENDPOINT_DOWN, True, None),
        (413, "too large", ErrorKind.BAD_REQUEST, False, None),
        (
            422,
            "`inputs` must have less than 4096 tokens",
            ErrorKind.CONTEXT_OVERFLOW,
            False,
            None,
        ),
        (400, "This model's maximum context length is 8192 tokens.", ErrorKind.CONTEXT_OVERFLOW, False, None),
        (400, "The response was filtered: content_filter", ErrorKind.REFUSAL, False, None),
        (425, "Too early", ErrorKind.ENDPOINT_DOWN, True, None),
        (429, "Rate limit reached", ErrorKind.RATE_LIMITED, True, None),
        (429, "You exceeded your current quota: insufficient_quota", ErrorKind.PAYMENT, False, "endpoint"),
        (500, "internal error", ErrorKind.ENDPOINT_DOWN, True, None),
        (503, "model is loading", ErrorKind.ENDPOINT_DOWN, True, None),
        (529, "overloaded", ErrorKind.ENDPOINT_DOWN, True, None),
    ],
)
def test_errors_are_understood_in_every_providers_form(provider, status, message, kind, retryable, hopeless):
    body = json.loads(json.dumps(ERROR_BODIES[provider]).replace("MESSAGE", message))
    found = outcome(provider, json_response(body, status))
    assert isinstance(found, FailedCall)
    assert (found.kind, found.is_retryable, found.hopeless) == (kind, retryable, hopeless)
    assert f"HTTP {status}" in found.message
    assert message in found.message


# Error answers as the providers' documentation and source give them, and what has to be read from them.
DOCUMENTED_ERRORS = [
    json.loads(line) for line in Path(__file__).with_name("documented_errors.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("row", DOCUMENTED_ERRORS, ids=lambda row: f"{row['provider']}-{row['status']}-{row['kind']}")
def test_the_providers_own_error_answers_are_understood(row):
    body = row["body"]
    response = Response(row["status"], body.encode()) if isinstance(body, str) else json_response(body, row["status"])
    found = outcome(row["provider"], response)
    assert isinstance(found, FailedCall)
    assert {"kind": found.kind, "is_retryable": found.is_retryable, "hopeless": found.hopeless}.items() <= row.items()
    assert found.message.startswith(f"HTTP {row['status']}: ")


def test_error_answers_of_every_provider_are_among_them():
    assert {row["provider"] for row in DOCUMENTED_ERRORS} == set(PROVIDERS)


@pytest.mark.parametrize("kind", ErrorKind)
def test_training_reads_the_blame_from_the_text_of_the_error(kind):
    # The message itself says the opposite: the first word decides.
    failed = FailedCall(kind, "HTTP 401: connection refused, request timed out, content filter")
    assert failure_of(failed.text) is kind.failure


def test_an_error_without_json_shows_its_text(provider):
    found = outcome(provider, Response(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>"))
    assert found.message == "HTTP 502: 502 Bad Gateway"
    assert outcome(provider, Response(500, b"")).message == "HTTP 500: the server gave no reason"


@pytest.mark.parametrize("name", OPENAI_LIKE)
def test_a_server_may_want_the_limit_under_another_name(name):
    said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    found = outcome(name, json_response({"error": {"message": said, "param": "max_tokens"}}, 400))
    assert found.wants_completion_tokens
    body = PROVIDERS[name].body(replace(REQUEST, limit_field="max_completion_tokens"))
    assert body["max_completion_tokens"] == 64
    assert "max_tokens" not in body


@pytest.mark.parametrize("name", OPENAI_LIKE)
def test_an_error_inside_an_answer_counts_as_one(name):
    inside = {"error": {"code": 429, "message": "Rate limit exceeded"}}
    late = {"choices": [{"error": {"code": 502, "message": "Provider disconnected"}, "finish_reason": "error"}]}
    assert outcome(name, json_response(inside)).kind is ErrorKind.RATE_LIMITED
    assert outcome(name, json_response(late)).is_retryable


def test_openrouter_names_the_application_and_says_what_a_call_cost():
    timed, seen = ask("openrouter", json_response(DOCUMENTED["openrouter"].answer))
    assert seen.headers["x-title"] == "vsr-train"
    assert seen.headers["http-referer"].startswith("https://")
    assert timed.outcome.cost_usd == 0.00014


def test_loading_weights_is_no_latency():
    answer = DOCUMENTED["ollama"].answer | {"load_duration": 150_000_000}
    with Scripted(lambda _seen: (0.2, json_response(answer))) as server:

        async def go():
            async with ChatClient() as client:
                return await client.ask(target_at(server, "ollama"), REQUEST)

        timed = asyncio.run(go())
    assert 0.05 <= timed.latency_s < 0.1


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("https://h/v1", "https://h/v1/chat/completions"),
        ("https://h/openai/v1", "https://h/openai/v1/chat/completions"),
        ("https://h/v1beta/openai", "https://h/v1beta/openai/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
        ("https://h/proxy", "https://h/proxy/v1/chat/completions"),
    ],
)
def test_a_url_is_completed_where_it_needs_to_be(server, url):
    assert PROVIDERS["vllm"].url(server) == url


def test_openrouters_and_ollamas_paths():
    assert PROVIDERS["openrouter"].url("https://openrouter.ai") == "https://openrouter.ai/api/v1/chat/completions"
    assert (
        PROVIDERS["openrouter"].url("https://openrouter.ai/api/v1") == "https://openrouter.ai/api/v1/chat/completions"
    )
    assert PROVIDERS["ollama"].url("http://h") == "http://h/api/chat"
    assert PROVIDERS["ollama"].url("http://h/api") == "http://h/api/chat"
    assert PROVIDERS["ollama"].url("http://h/api/chat") == "http://h/api/chat"


def test_retry_after_is_read_in_all_its_forms():
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    past = email.utils.format_datetime(dt.datetime(2020, 1, 1, tzinfo=dt.UTC), usegmt=True)
    assert retry_after_s({"retry-after": "7"}) == 7.0
    assert retry_after_s({"retry-after": " 1.5 "}) == 1.5
    assert retry_after_s({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert retry_after_s({"retry-after": email.utils.format_datetime(soon, usegmt=True)}) == pytest.approx(90, abs=2)
    assert retry_after_s({"retry-after": past}) == 0.0
    # A clock that is 6 years behind: the date is read against the answer's own.
    own = email.utils.format_datetime(dt.datetime(2019, 12, 31, 23, 59, 30, tzinfo=dt.UTC), usegmt=True)
    assert retry_after_s({"retry-after": past, "date": own}) == 30.0
    assert retry_after_s({"retry-after": past, "date": "unreadable"}) == 0.0
    assert retry_after_s({"retry-after": "86400"}) == 600.0
    assert retry_after_s({}) is None
    assert retry_after_s({"retry-after": "soon"}) is None
    assert retry_after_s({"retry-after": "-5"}) is None


def test_a_429_carries_the_wait(provider):
    found = outcome(provider, json_response({"error": "slow down"}, 429, retry_after="12"))
    assert found.retry_after_s == 12.0
