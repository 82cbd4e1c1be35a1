"""A choice on a real span of OpenTelemetry's SDK."""

import asyncio
import json

import pytest

from routing.trainings import write_training
from vsr.integrations.opentelemetry import trace_answer, trace_choice
from vsr.routing import Router
from vsr.serving.application import Application
from vsr.serving.service import Service
from vsr.serving.settings import ServeSettings

trace = pytest.importorskip("opentelemetry.sdk.trace")


@pytest.fixture
def tracer():
    return trace.TracerProvider().get_tracer("tests")


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_training(folder)
    return Router.load(folder)


def test_a_choice_is_on_the_span(tracer, router):
    choice = router.select("Which court reads this contract, and which statute?")
    with tracer.start_as_current_span("ask") as span:
        trace_choice(choice)
    assert span.attributes["vsr.model"] == "cicero"
    assert span.attributes["vsr.quality"] == choice.quality
    assert span.attributes["vsr.category"] == "law"
    assert "vsr.decision" not in span.attributes


def test_without_a_span_nothing_is_read():
    trace_answer(b"no JSON, and nobody looks")


def test_the_server_puts_its_answer_on_the_span_of_the_request(tracer, router):
    service = Service(router)
    application = Application(service, ServeSettings())

    async def ask(body):
        scope = {
            "type": "http", "method": "POST", "path": "/v1/select", "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        }  # fmt: skip
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        with tracer.start_as_current_span("POST /v1/select") as span:
            await application(scope, receive, send)
        return span, json.loads(sent[1]["body"])

    try:
        span, answer = asyncio.run(ask(b'{"query": "Which court reads this contract?"}'))
        assert span.attributes["vsr.id"] == answer["id"]
        assert span.attributes["vsr.model"] == answer["model"]
        span, _ = asyncio.run(ask(b'[{"query": "a court"}, {"query": "an enzyme"}]'))
        assert span.attributes["vsr.n_choices"] == 2
    finally:
        service.close()
