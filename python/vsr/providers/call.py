"""What goes to an LLM and what comes back: a request, an answer or a failure. All of it plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from vsr.data.failures import Failure
from vsr.data.messages import ConversationPrompt

LONGEST_MESSAGE = 400
"""Characters of what a server says about a failure."""


@dataclass(frozen=True)
class AnswerSchema:
    """A JSON schema that an answer has to follow, where the server can make it.

    Attributes:
        name: what the schema is called, in letters, digits and underscores.
        schema: the schema itself, an object without further properties.
    """

    name: str
    schema: Mapping[str, object]


@dataclass(frozen=True)
class ChatRequest:
    """One question with the settings that decide its answer.

    Attributes:
        model_id: the model's name at the endpoint.
        prompt: the whole text of the user's message; a `ConversationPrompt` is sent as the messages that it has.
        max_tokens: longest answer in tokens; None leaves it to the server.
        temperature: None leaves it to the server.
        use_reasoning: whether the model should think first; None says nothing about it.
        limit_field: under which name the limit is sent, where the protocol is OpenAI's.
        is_streamed: whether the answer is wanted piece by piece, so that it shows when it begins.
        answer_schema: the form that the answer has to have; None leaves it free.
    """

    model_id: str
    prompt: str
    max_tokens: int | None
    temperature: float | None
    use_reasoning: bool | None = None
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    is_streamed: bool = False
    answer_schema: AnswerSchema | None = None

    @property
    def messages(self) -> list[Mapping[str, object]]:
        """What is sent: the messages of a conversation as they are, or one of the user."""
        if isinstance(self.prompt, ConversationPrompt):
            return list(self.prompt.conversation.messages)
        return [{"role": "user", "content": self.prompt}]


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Attributes:
        text: the response; may be empty.
        finish_reason: as the server names it.
        input_tokens: tokens of the prompt as the server counted them.
        output_tokens: tokens of the answer as the server counted them.
        reasoning: thoughts that came apart from the response.
        load_s: seconds of the call that went into loading the model's weights.
        cost_usd: what the provider says that the call cost.
    """

    text: str
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning: str | None = None
    load_s: float = 0.0
    cost_usd: float | None = None


class ErrorKind(StrEnum):
    """Why a call failed; the word stands in the record as `error_kind`."""

    REFUSAL = "refusal"
    CONTEXT_OVERFLOW = "context_overflow"
    TIMEOUT = "timeout"
    BAD_REQUEST = "bad_request"
    AUTHENTICATION = "authentication"
    PAYMENT = "payment"
    MODEL_NOT_FOUND = "model_not_found"
    ENDPOINT_DOWN = "endpoint_down"
    RATE_LIMITED = "rate_limited"
    INVALID_ANSWER = "invalid_answer"

    @property
    def failure(self) -> Failure:
        """What training makes of it: whose fault the failure is."""
        return _FAILURES.get(self, Failure.UNAVAILABLE)


_FAILURES = {
    ErrorKind.REFUSAL: Failure.REFUSAL,
    ErrorKind.CONTEXT_OVERFLOW: Failure.CONTEXT_OVERFLOW,
    ErrorKind.TIMEOUT: Failure.TIMEOUT,
    ErrorKind.BAD_REQUEST: Failure.OTHER,
}


@dataclass(frozen=True)
class FailedCall:
    """A call that brought no answer.

    Attributes:
        kind: why.
        message: what happened, for people.
        is_retryable: whether the same call may well succeed in a moment.
        retry_after_s: seconds that the server asked to wait.
        hopeless: what need not be asked again: this endpoint, or this model at this endpoint.
        wants_completion_tokens: the server asks for `max_completion_tokens` in place of `max_tokens`.
        refuses_schema: the server cannot make an answer follow a schema.
    """

    kind: ErrorKind
    message: str
    is_retryable: bool = False
    retry_after_s: float | None = None
    hopeless: Literal["endpoint", "model"] | None = None
    wants_completion_tokens: bool = False
    refuses_schema: bool = False

    @property
    def text(self) -> str:
        """The `error` of a record."""
        return f"{self.kind.failure.value}: {self.message}"

    def after(self, seconds: float | None) -> "FailedCall":
        """Return the same failure with the wait that the server asked for."""
        return replace(self, retry_after_s=seconds)
