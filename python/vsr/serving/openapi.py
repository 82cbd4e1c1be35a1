"""`/openapi.json`: the description of the server, from the same definitions that read the bodies."""

from typing import Any, Literal

import msgspec

from vsr.choice.chooser import CategorySource, Reason
from vsr.persistence.writing import version
from vsr.serving.bodies import MOST_REQUESTS, SelectBody
from vsr.serving.feedback import Outcome, Receipt
from vsr.serving.feedback_bodies import MOST_FEEDBACK, FeedbackBody

SESSION_HEADER = "x-session-id"
FEEDBACK_CODES: dict[Outcome, int] = {"counted": 200, "unknown": 404, "other_model": 409, "late": 410, "repeated": 409}
_KEY = "key"


class Reference(msgspec.Struct, forbid_unknown_fields=True):
    """The chosen model as the decision refers to it."""

    model: str
    use_reasoning: bool | None
    lora_name: str | None


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """The choice for a request; `ranking` says whom to ask next should the model fail."""

    id: str
    model: str
    quality: float | None
    utility: float | None
    margin: float | None
    reason: Reason
    propensity: float
    category: str | None
    category_source: CategorySource | None
    scores: dict[str, float]
    utilities: dict[str, float]
    ranking: list[str]
    decision: str | None
    reference: Reference | None
    excluded: dict[str, str]
    missing_signals: list[str]
    request_id: str | msgspec.UnsetType = msgspec.UNSET


class Problem(msgspec.Struct):
    """Why a request is not answered as it wishes."""

    error: str
    default: str | msgspec.UnsetType | None = msgspec.UNSET


class Models(msgspec.Struct, forbid_unknown_fields=True):
    """What can be chosen, and the training that is served."""

    models: list[str]
    default: str | None
    run_id: str | None


class Status(msgspec.Struct, forbid_unknown_fields=True):
    """Whether the server is there, and takes requests."""

    status: Literal["ok", "draining"]
    routing: Literal["on", "shadow", "fixed"] | msgspec.UnsetType = msgspec.UNSET


def openapi_document(has_key: bool) -> dict[str, Any]:
    """Describe the server as OpenAPI 3.1 does.

    Args:
        has_key: whether callers have to know a key.
    """
    types = (
        SelectBody | list[SelectBody],
        Answer | list[Answer],
        FeedbackBody | list[FeedbackBody],
        Receipt | list[Receipt],
        Receipt,
        Models,
        Status,
        Problem,
    )
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    select, answer, feedback, receipts, receipt, models, status, problem = schemas
    problems = {"default": _content("Why it is not answered, in a line.", problem)}
    does_not_count = _content("The feedback does not count; `error` says why.", {"anyOf": [receipt, problem]})
    refused = {str(code): does_not_count for code in sorted(set(FEEDBACK_CODES.values()) - {200})}
    session = {
        "name": SESSION_HEADER,
        "in": "header",
        "description": "Id of the conversation of requests that have no `session_id`.",
        "schema": {"type": "string"},
    }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "vsr-train serve",
            "version": version(),
            "description": "Which of several LLMs to ask, by what was measured and trained.",
        },
        "paths": {
            "/v1/select": {
                "post": {
                    "operationId": "select",
                    "summary": f"Choose the model for a request, or for each of a list of at most {MOST_REQUESTS}.",
                    "parameters": [session],
                    "requestBody": _body(select),
                    "responses": {"200": _content("The choice, or a list of them.", answer), **problems},
                }
            },
            "/v1/feedback": {
                "post": {
                    "operationId": "feedback",
                    "summary": f"Say what an answer was worth, or a list of at most {MOST_FEEDBACK}.",
                    "requestBody": _body(feedback),
                    "responses": {"200": _content("What became of it, or of each.", receipts), **refused, **problems},
                }
            },
            "/v1/models": _get("models", "Name what can be chosen.", models, problems),
            "/openapi.json": _get("openapi", "This description.", {"type": "object"}, problems),
            "/healthz": _get("health", "Whether the server is there.", status, {}, is_free=True),
            "/readyz": _get(
                "readiness",
                "Whether it takes requests.",
                status,
                {"503": _content("It is about to end.", status)},
                is_free=True,
            ),
            "/metrics": {
                "get": {
                    "operationId": "metrics",
                    "summary": "Counters in Prometheus' form.",
                    "responses": {
                        "200": {"description": "The page.", "content": {"text/plain": {"schema": {"type": "string"}}}},
                        **problems,
                    },
                }
            },
        },
        "components": {"schemas": components},
    }
    if has_key:
        document["components"]["securitySchemes"] = {_KEY: {"type": "http", "scheme": "bearer"}}
        document["security"] = [{_KEY: []}]
    return document


def _get(
    operation: str, summary: str, schema: dict[str, Any], more: dict[str, Any], *, is_free: bool = False
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation,
        "summary": summary,
        "responses": {"200": _content(summary, schema), **more},
    }
    if is_free:
        described["security"] = []
    return {"get": described}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
