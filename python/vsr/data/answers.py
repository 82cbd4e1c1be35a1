"""The responses to a few queries, looked up in a file of records: training does not keep them."""

import os
from collections.abc import Iterable
from typing import Any

import msgspec

from vsr.data.json_lines import JsonLines
from vsr.data.prompts import RawChoices, render_prompt, unique_key
from vsr.errors import RecordError

__all__ = ["read_answers"]


class _Answered(msgspec.Struct, frozen=True, gc=False):
    """What the look-up needs of a record."""

    model_name: str
    query: str = ""
    choices: RawChoices = None
    response: str | None = None
    messages: list[dict[str, Any]] | None = None


def read_answers(path: str | os.PathLike[str], wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Read a file of records once more for what some models answered to some queries.

    Lines that cannot be read are passed over: whoever made outcomes of the file has reported them.

    Args:
        path: the file; standard input cannot be read twice and gives nothing.
        wanted: pairs of a rendered prompt, as outcomes hold it, and the name of a model.

    Returns:
        The first response that is not blank, for every pair that has one.

    Raises:
        RecordError: There is no such file, or nothing is in it.
    """
    by_key = {(unique_key(prompt), model): (prompt, model) for prompt, model in wanted}
    if os.fspath(path) == "-" or not by_key:
        return {}
    models = {model for _, model in by_key}
    decode = msgspec.json.Decoder(_Answered).decode
    found: dict[tuple[str, str], str] = {}
    for record in JsonLines(path, decode, lambda _value: None, noun="records", skip_bad_lines=True):
        if record.model_name not in models or not record.response or record.response.isspace():
            continue
        try:
            prompt = render_prompt(record.query, record.choices, record.messages)
        except RecordError:
            continue
        pair = by_key.get((unique_key(prompt), record.model_name))
        if pair is not None:
            found.setdefault(pair, record.response)
    return found
