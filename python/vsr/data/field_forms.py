"""What fields of queries and records may hold that is more than a text or a number."""

from datetime import datetime

import msgspec

from vsr.data.fields import is_number
from vsr.data.messages import Conversation
from vsr.data.prompts import parse_choices
from vsr.errors import RecordError

EXPECTED_TIME = "a time with its zone, such as 2026-01-31T12:00:00Z"


def is_choices(value: object) -> bool:
    """Tell whether a value is one of the forms of choices."""
    try:
        parse_choices(value)
    except RecordError:
        return False
    return True


def is_signals(value: object) -> bool:
    """Tell whether a value maps types of conditions to lists of names."""
    return isinstance(value, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in value.values()
    )


def is_conversation(value: object) -> bool:
    """Tell whether a value is a conversation in which the user says something."""
    try:
        return bool(Conversation.parse(value).text("users"))
    except RecordError:
        return False


def is_text_or_number(value: object) -> bool:
    """Tell whether a value is a text or a number."""
    return isinstance(value, str) or is_number(value)


def is_time(value: object) -> bool:
    """Tell whether a value is a time in ISO 8601 that says its zone."""
    try:
        return isinstance(value, str) and msgspec.convert(value, datetime).tzinfo is not None
    except msgspec.ValidationError:
        return False
