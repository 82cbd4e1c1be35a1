"""A choice as attributes of the span in which it is made, where `opentelemetry-api` is installed and records."""

from collections.abc import Mapping
from typing import Any

import msgspec

from vsr.choice.chooser import Choice
from vsr.routing.choice_document import choice_document

try:
    from opentelemetry.trace import get_current_span
except ImportError:
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

_FIELDS = ("id", "model", "reason", "decision", "category", "category_source", "quality", "utility", "margin")
_decode = msgspec.json.decode


def trace_choice(choice: Choice) -> None:
    """Put a choice on the current span, as `vsr.model`, `vsr.quality` and so on; nothing where nobody records."""
    if IS_INSTALLED and get_current_span().is_recording():
        _put(choice_document(choice))


def trace_answer(answer: bytes) -> None:
    """Do the same with the answer of the server to one request; of a list, its length is put there."""
    if IS_INSTALLED and get_current_span().is_recording():
        _put(_decode(answer))


def _put(document: Mapping[str, Any] | list[Any]) -> None:
    span = get_current_span()
    if isinstance(document, list):
        span.set_attribute("vsr.n_choices", len(document))
        return
    for name in _FIELDS:
        value = document.get(name)
        if value is not None:
            span.set_attribute(f"vsr.{name}", value)
    excluded = document.get("excluded")
    if excluded:
        span.set_attribute("vsr.excluded", list(excluded))
