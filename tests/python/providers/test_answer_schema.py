"""An answer in the form of a schema: asked for as each protocol has it, and a server's word that it cannot."""

import pytest

from vsr.providers import PROVIDERS
from vsr.providers.call import AnswerSchema, ChatRequest
from vsr.providers.errors import failure_of_status

SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}}


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_the_schema_goes_along_only_where_it_is_wanted(name):
    plain = PROVIDERS[name].body(ChatRequest("m", "hello", 10, 0.0))
    wanted = PROVIDERS[name].body(ChatRequest("m", "hello", 10, 0.0, answer_schema=AnswerSchema("verdict", SCHEMA)))
    added = {key: value for key, value in wanted.items() if key not in plain}
    if name == "ollama":
        assert added == {"format": SCHEMA}
    else:
        inner = {"name": "verdict", "strict": True, "schema": SCHEMA}
        assert added == {"response_format": {"type": "json_schema", "json_schema": inner}}


@pytest.mark.parametrize(
    ("said", "refuses"),
    [
        ("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.", True),
        ('invalid format: "{}"; expected "json"', True),
        ("This model does not support structured outputs", True),
        ("temperature must be at most 2", False),
    ],
)
def test_a_server_that_cannot_is_understood(said, refuses):
    assert failure_of_status(400, {"error": {"message": said}}).refuses_schema is refuses
