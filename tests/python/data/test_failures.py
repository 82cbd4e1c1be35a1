import pytest

from vsr.data.failures import Failure, failure_of


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ("timeout: no answer within 60 s", Failure.TIMEOUT),
        ("ReadTimeout", Failure.TIMEOUT),
        ("Request timed out.", Failure.TIMEOUT),
        ("time-out after 30 s", Failure.TIMEOUT),
        ("HTTP 504: upstream", Failure.TIMEOUT),
        ("asyncio.TimeoutError", Failure.TIMEOUT),
        ("refusal: the provider's filter stopped it", Failure.REFUSAL),
        ("HTTP 400: content_filter", Failure.REFUSAL),
        ("The response was filtered due to the content management policy", Failure.REFUSAL),
        ("context_overflow: 9000 of 8192", Failure.CONTEXT_OVERFLOW),
        ("HTTP 400: This model's maximum context length is 8192 tokens", Failure.CONTEXT_OVERFLOW),
        ("prompt is too long: 210000 tokens", Failure.CONTEXT_OVERFLOW),
        ("unavailable: no key", Failure.UNAVAILABLE),
        ("ConnectTimeout", Failure.UNAVAILABLE),
        ("Connection to 10.0.0.1:8000 timed out", Failure.UNAVAILABLE),
        ("[Errno 111] Connection refused", Failure.UNAVAILABLE),
        ("ConnectError: [Errno -2] Name or service not known", Failure.UNAVAILABLE),
        ("HTTP 401: Unauthorized", Failure.UNAVAILABLE),
        ("Incorrect API key provided", Failure.UNAVAILABLE),
        ("Error code: 404 - {'error': 'x'}", Failure.UNAVAILABLE),
        ("status_code=429", Failure.UNAVAILABLE),
        ("503 Service Unavailable", Failure.UNAVAILABLE),
        ("model 'llama9' not found, try pulling it first", Failure.UNAVAILABLE),
        ("The model `gpt-9` does not exist", Failure.UNAVAILABLE),
        ("other: the answer was no JSON", Failure.OTHER),
        ("HTTP 400: bad request", Failure.OTHER),
        ("empty response after 404 tokens", Failure.OTHER),
    ],
)
def test_what_errors_say(error: str, failure: Failure) -> None:
    assert failure_of(error) is failure
    assert failure.counts is (failure is not Failure.UNAVAILABLE)
