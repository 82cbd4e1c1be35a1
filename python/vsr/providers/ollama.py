"""Ollama's own chat protocol."""

from collections.abc import Mapping, Sequence

from vsr.providers.call import Answer, ChatRequest, ErrorKind, FailedCall
from vsr.providers.errors import failure_of_status
from vsr.providers.fields import join_parts, texts_of, whole_number

_LONGEST_LOAD_NS = 3_600_000_000_000


def _in_own_form(message: Mapping[str, object]) -> Mapping[str, object]:
    """Write a message whose content has parts as Ollama reads it: one text, and the images beside it in base64."""
    content = message.get("content")
    if not isinstance(content, Sequence) or isinstance(content, str):
        return message
    parts = [part for part in content if isinstance(part, Mapping)]
    texts = [text for part in parts if isinstance(text := part.get("text"), str)]
    images = []
    for part in parts:
        image = part.get("image_url")
        address = image.get("url") if isinstance(image, Mapping) else image
        if isinstance(address, str):
            # An address on the web is left to the server to refuse: nothing is fetched here.
            images.append(address.partition("base64,")[2] or address)
    return {**message, "content": "\n".join(texts), **({"images": images} if images else {})}


class Ollama:
    """https://github.com/ollama/ollama/blob/main/docs/api.md."""

    public_address: str | None = None
    key_variables: tuple[str, ...] = ()
    loads_on_demand = True
    states_cost = False

    def url(self, server: str) -> str:
        """Return where chat requests go."""
        if server.endswith("/api/chat"):
            return server
        return f"{server}/chat" if server.endswith("/api") else f"{server}/api/chat"

    def headers(self) -> Mapping[str, str]:
        """Return no further headers."""
        return {}

    def body(self, request: ChatRequest) -> dict[str, object]:
        """Write model, messages and options; the whole answer in one piece unless it is wanted streamed."""
        options: dict[str, object] = {}
        if request.max_tokens is not None:
            options["num_predict"] = request.max_tokens
        if request.temperature is not None:
            options["temperature"] = request.temperature
        body: dict[str, object] = {
            "model": request.model_id,
            "messages": [_in_own_form(message) for message in request.messages],
            "stream": request.is_streamed,
            "options": options,
        }
        if request.answer_schema is not None:
            body["format"] = request.answer_schema.schema
        if request.use_reasoning is not None:
            body["think"] = request.use_reasoning
        return body

    def answer(self, payload: object) -> Answer | FailedCall:
        """Read message, token counts and the time that loading took."""
        if isinstance(payload, dict) and payload.get("error"):
            return failure_of_status(500, payload)
        message = payload.get("message") if isinstance(payload, dict) else None
        if not isinstance(payload, dict) or not isinstance(message, dict):
            return FailedCall(ErrorKind.INVALID_ANSWER, "the answer cannot be understood: `message` is missing")
        content = join_parts(message.get("content"))
        if content is None:
            return FailedCall(ErrorKind.INVALID_ANSWER, "the answer cannot be understood: `message.content` is no text")
        thinking = message.get("thinking")
        finish_reason = payload.get("done_reason")
        return Answer(
            text=content.text,
            finish_reason=finish_reason if isinstance(finish_reason, str) else None,
            input_tokens=whole_number(payload.get("prompt_eval_count")),
            output_tokens=whole_number(payload.get("eval_count")),
            reasoning=thinking if isinstance(thinking, str) and thinking else None,
            load_s=(whole_number(payload.get("load_duration"), _LONGEST_LOAD_NS) or 0) / 1e9,
        )

    def joined(self, pieces: Sequence[object]) -> object:
        """Join messages and take everything else from the piece that says that it is the last."""
        chunks = [piece for piece in pieces if isinstance(piece, dict)]
        last = next((chunk for chunk in chunks if chunk.get("done") is True or chunk.get("error")), None)
        if last is None:
            return None
        messages = [chunk.get("message") for chunk in chunks]
        return {**last, "message": texts_of(messages, ("content", "thinking"))}
