"""Judges from outside: the Python clients of OpenAI and Ollama talk to the pool as they talk to the real services."""

import ollama
import openai
import pytest

from vsr.simulation import SIMULATED_MODELS, answer, generate_queries
from vsr.simulation.server import Faults, SimulatedPool

QUERIES = generate_queries(30)
MODEL = SIMULATED_MODELS[1]
SAID = answer(MODEL, QUERIES[0], 0)
LONGEST = max(QUERIES, key=lambda query: answer(MODEL, query, 0).output_tokens)


@pytest.fixture(scope="module")
def pool():
    with SimulatedPool(QUERIES, time_scale=0.0) as running:
        yield running


@pytest.fixture
def as_openai(pool):
    with openai.OpenAI(base_url=f"{pool.url}/v1", api_key="any", max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def as_ollama(pool):
    with ollama.Client(host=pool.url, timeout=10) as client:
        yield client


def message(text):
    return [{"role": "user", "content": text}]


def ask(client, query=QUERIES[0], model=MODEL.name, **options):
    return client.chat.completions.create(model=model, messages=message(query.prompt), **options)


def test_openais_client_gets_the_answer_and_its_counts(as_openai):
    found = ask(as_openai)
    assert found.choices[0].message.role == "assistant"
    assert found.choices[0].message.content == SAID.text
    assert found.choices[0].finish_reason == "stop"
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (SAID.input_tokens, SAID.output_tokens)
    for limit in ("max_tokens", "max_completion_tokens"):
        cut = ask(as_openai, LONGEST, **{limit: 3})
        assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 3)


def test_openais_client_streams_the_same_answer(as_openai):
    chunks = list(ask(as_openai, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SAID.text
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == SAID.output_tokens


def test_openais_client_lists_the_models(as_openai):
    assert [model.id for model in as_openai.models.list()] == [model.name for model in SIMULATED_MODELS]
    assert as_openai.models.retrieve(MODEL.name).id == MODEL.name


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("rate_limited", openai.RateLimitError),
        ("server_error", openai.InternalServerError),
        ("unauthorized", openai.AuthenticationError),
        ("hang", openai.APITimeoutError),
        ("cut", openai.APIConnectionError),
    ],
)
def test_openais_client_knows_every_fault_by_its_name(as_openai, fault, raised):
    with pytest.raises(raised):
        ask(as_openai, extra_headers={"X-Simulate-Faults": f"{fault}=1"}, timeout=10 if fault != "hang" else 0.3)


def test_openais_client_is_told_what_is_wrong(as_openai, pool):
    with pytest.raises(openai.NotFoundError, match="The model `none` does not exist") as caught:
        ask(as_openai, model="none")
    assert caught.value.code == "model_not_found"
    with (
        openai.OpenAI(base_url=f"{pool.url}/v1", api_key="wrong-key", max_retries=0) as refused,
        pytest.raises(openai.AuthenticationError, match="Incorrect API key"),
    ):
        ask(refused)


def test_openais_client_comes_back_after_a_429():
    # Every second attempt or so is refused: with its own retries the client gets through, waiting as it was told.
    with (
        SimulatedPool(QUERIES, time_scale=0.0, faults=Faults({"rate_limited": 0.5}, retry_after_s=1)) as pool,
        openai.OpenAI(base_url=f"{pool.url}/v1", api_key="any", max_retries=8) as client,
    ):
        found = {ask(client, query).choices[0].message.content for query in QUERIES[:4]}
        assert found == {answer(MODEL, query, 0).text for query in QUERIES[:4]}
        assert pool.n_faults["rate_limited"] > 0


def test_ollamas_client_gets_the_answer_and_its_counts(as_ollama):
    found = as_ollama.chat(model=MODEL.name, messages=message(QUERIES[0].prompt))
    assert (found.message.role, found.message.content) == ("assistant", SAID.text)
    assert (found.done, found.done_reason) == (True, "stop")
    assert (found.prompt_eval_count, found.eval_count) == (SAID.input_tokens, SAID.output_tokens)
    assert found.total_duration == int(SAID.latency_s * 1e9)
    cut = as_ollama.chat(model=MODEL.name, messages=message(LONGEST.prompt), options={"num_predict": 3})
    assert (cut.done_reason, cut.eval_count) == ("length", 3)


def test_ollamas_client_streams_the_same_answer(as_ollama):
    parts = list(as_ollama.chat(model=MODEL.name, messages=message(QUERIES[0].prompt), stream=True))
    assert "".join(part.message.content for part in parts) == SAID.text
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == SAID.output_tokens


def test_ollamas_client_lists_the_models_and_is_told_what_is_wrong(as_ollama):
    assert [model.model for model in as_ollama.list().models] == [model.name for model in SIMULATED_MODELS]
    with pytest.raises(ollama.ResponseError, match="The model `none` does not exist") as caught:
        as_ollama.chat(model="none", messages=message("Hello"))
    assert caught.value.status_code == 404
