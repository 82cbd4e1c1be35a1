"""The chat completions protocol: OpenAI defined it, others took it over; a provider changes single points of it."""

import re
from collections.abc import Mapping, Sequence

from vsr.providers.call import Answer, ChatRequest, ErrorKind, FailedCall
from vsr.providers.errors import failure_of_status
from vsr.providers.fields import END_OF_STREAM, join_parts, texts_of, whole_number

# A path that already names a version takes the endpoint's name directly: .../v1, .../v1beta/openai.
_VERSIONED = re.compile(r"/v\d\w*(/openai)?$")


class ChatCompletions:
    """OpenAI's protocol; base of the providers that speak it."""

    public_address: str | None = None
    key_variables: tuple[str, ...] = ()
    loads_on_demand = False
    states_cost = False
    path = "/v1/chat/completions"

    def url(self, server: str) -> str:
        """Return where chat requests go; a server that is given with its full path is left as it is."""
        if server.endswith("/chat/completions"):
            return server
        return f"{server}/chat/completions" if _VERSIONED.search(server) else f"{server}{self.path}"

    def headers(self) -> Mapping[str, str]:
        """Return no further headers."""
        return {}

    def body(self, request: ChatRequest) -> dict[str, object]:
        """Write model, message, limit and temperature, the form of the answer, and the wish for reasoning."""
        body: dict[str, object] = {
            "model": request.model_id,
            "messages": request.messages,
        }
        if request.max_tokens is not None:
            body[request.limit_field] = request.max_tokens
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.is_streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if request.answer_schema is not None:
            wanted = request.answer_schema
            schema = {"name": wanted.name, "strict": True, "schema": wanted.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.use_reasoning is not None:
            body |= self.reasoning(request.use_reasoning)
        return body

    def reasoning(self, use_reasoning: bool) -> dict[str, object]:
        """Return the fields that ask for reasoning or against it; `low` is the least that every model accepts."""
        return {"reasoning_effort": "medium" if use_reasoning else "low"}

    def answer(self, payload: object) -> Answer | FailedCall:
        """Read the first choice: its content (text or a list of parts), reasoning, refusal, and the usage."""
        if not isinstance(payload, dict):
            return _not_understood("a JSON object was expected")
        choices = payload.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            if payload.get("error"):
                return _error_inside(payload)
            return _not_understood("`choices` is missing or empty")
        choice = choices[0]
        if choice.get("error"):
            return _error_inside(choice)
        message = choice.get("message")
        if not isinstance(message, dict):
            return _not_understood("`choices[0].message` is missing")
        content = join_parts(message.get("content"))
        if content is None:
            return _not_understood("`choices[0].message.content` is neither text nor a list of parts")
        finish_reason = choice.get("finish_reason")
        refusal = message.get("refusal") or content.refusal
        if isinstance(refusal, str) and refusal and not content.text:
            return FailedCall(ErrorKind.REFUSAL, refusal)
        if finish_reason == "content_filter" and not content.text:
            return FailedCall(ErrorKind.REFUSAL, "the provider's content filter held the answer back")
        usage = payload.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        reasoning = message.get("reasoning_content") or message.get("reasoning") or content.reasoning
        return Answer(
            text=content.text,
            finish_reason=finish_reason if isinstance(finish_reason, str) else None,
            input_tokens=whole_number(usage.get("prompt_tokens")),
            output_tokens=whole_number(usage.get("completion_tokens")),
            reasoning=reasoning if isinstance(reasoning, str) and reasoning else None,
            cost_usd=self.cost_usd(usage),
        )

    def joined(self, pieces: Sequence[object]) -> object:
        """Join the deltas of the first choice; a reason for its end, or the stream's mark, says that it is whole."""
        chunks = [piece for piece in pieces if isinstance(piece, dict)]
        refused = next((chunk for chunk in chunks if chunk.get("error")), None)
        if refused is not None:
            return {"error": refused["error"]}
        choices = [
            choice
            for chunk in chunks
            if isinstance(chunk.get("choices"), list)
            for choice in chunk["choices"]
            if isinstance(choice, dict) and choice.get("index", 0) == 0
        ]
        finish_reason = next((choice["finish_reason"] for choice in choices if choice.get("finish_reason")), None)
        if not choices or (finish_reason is None and END_OF_STREAM not in pieces):
            return None
        deltas = [choice.get("delta") or choice.get("message") for choice in choices]
        message = texts_of(deltas, ("content", "reasoning_content", "reasoning", "refusal"))
        usage = next((chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage")), None)
        return {"choices": [{"message": message, "finish_reason": finish_reason}], "usage": usage}

    def cost_usd(self, usage: Mapping[str, object]) -> float | None:  # noqa: ARG002 for providers that state a cost
        """Return what the provider says that the call cost; most say nothing."""
        return None


def _not_understood(what: str) -> FailedCall:
    return FailedCall(ErrorKind.INVALID_ANSWER, f"the answer cannot be understood: {what}")


def _error_inside(holder: Mapping[str, object]) -> FailedCall:
    """Read an error that came with status 200, as gateways send it once they have begun to answer."""
    error = holder["error"]
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 502
    return failure_of_status(status, {"error": error})
