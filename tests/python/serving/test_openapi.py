"""The description of the server: sound, and true of what the server takes and gives."""

import json
import random

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from routing.trainings import write_training
from serving.process import served
from vsr.errors import VsrError
from vsr.serving.application import Application
from vsr.serving.bodies import read_requests
from vsr.serving.feedback_bodies import read_feedback_body
from vsr.serving.openapi import openapi_document
from vsr.serving.service import Service
from vsr.serving.settings import ServeSettings
from vsr.serving.switch import FixedRouter

KEY = "a-key-of-nobody"


def content_of(described, path, *, method="post", code=None):
    """A validator of a body: of the request, or of the answer with a code."""
    operation = described["paths"][path][method]
    content = (operation["requestBody"] if code is None else operation["responses"][code])["content"]
    schema = {**content["application/json"]["schema"], "components": described["components"]}
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("has_key", [False, True])
def test_it_is_openapi(has_key):
    described = openapi_document(has_key=has_key)
    OpenAPIV31SpecValidator(described).validate()
    assert ("security" in described) == has_key
    assert described["paths"]["/healthz"]["get"]["security"] == []


def test_every_path_is_described_with_its_method():
    application = Application(Service(FixedRouter("safe")), ServeSettings())
    paths = {path: method for path, (method, _) in application._paths.items()}
    described = openapi_document(has_key=False)["paths"]
    assert {path: next(iter(each)).upper() for path, each in described.items()} == paths


def test_what_the_server_gives_is_what_it_describes(tmp_path):
    write_training(tmp_path / "models")
    with served("--models-dir", tmp_path / "models", "--log", tmp_path / "log", VSR_SERVE_KEY=KEY * 2) as server:
        server.client.headers["authorization"] = f"Bearer {KEY * 2}"
        described = server.client.get("/openapi.json").json()
        assert described == openapi_document(has_key=True)
        one = server.select({"query": "Which court?", "request_id": "mine", "limits": {"max_latency_s": 1.5}})
        many = server.select([{"query": "Which court?", "candidates": ["x"], "default": "y"}] * 2)
        for answer in (one, many):
            content_of(described, "/v1/select", code="200").validate(answer.json())
        wrong = server.select({"quary": "x"})
        content_of(described, "/v1/select", code="default").validate(wrong.json())
        given = {"id": one.json()["id"], "quality": 1}
        for body, code in ((given, 200), (given, 409), ({**given, "id": "x"}, 404), ([given], 200), ({}, 400)):
            answer = server.client.post("/v1/feedback", json=body)
            assert answer.status_code == code
            described_as = "default" if code == 400 else str(code)
            content_of(described, "/v1/feedback", code=described_as).validate(answer.json())
        for path in ("/v1/models", "/healthz", "/readyz", "/openapi.json"):
            content_of(described, path, method="get", code="200").validate(server.client.get(path).json())


def is_taken(read, body):
    try:
        read(json.dumps(body).encode())
    except VsrError:
        return False
    return True


def odd_bodies(schema, n_bodies):
    """Bodies of the fields of a schema, with values of right and wrong types."""
    drawn = random.Random(0)
    values = [None, "x", "", 0.5, 1, 2, -1, True, [], ["x"], [0.5], {}, {"x": ["y"]}, {"x": 0.5}, "relax", {"a": "b"}]
    names = [*schema["properties"], "nobody"]
    return [{name: drawn.choice(values) for name in drawn.sample(names, drawn.randint(0, 2))} for _ in range(n_bodies)]


@pytest.mark.parametrize(
    ("path", "name", "read"),
    [("/v1/select", "SelectBody", read_requests), ("/v1/feedback", "FeedbackBody", read_feedback_body)],
)
def test_what_the_description_refuses_is_refused(path, name, read):
    described = openapi_document(has_key=False)
    validator = content_of(described, path)
    bodies = odd_bodies(described["components"]["schemas"][name], 2_000)
    refused = [body for body in bodies if not validator.is_valid(body)]
    assert len(refused) > 500
    assert not [body for body in refused if is_taken(read, body)]


def test_what_the_description_allows_is_no_matter_of_types():
    described = openapi_document(has_key=False)
    validator = content_of(described, "/v1/select")
    for body in odd_bodies(described["components"]["schemas"]["SelectBody"], 2_000):
        if validator.is_valid(body):
            try:
                read_requests(json.dumps(body).encode())
            except VsrError as error:
                assert "cannot be read" not in str(error), body
