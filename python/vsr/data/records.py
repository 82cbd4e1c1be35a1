"""Records (what one model did on one query) and queries: what their files hold, read one object at a time."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, overload

import msgspec

from vsr.data.field_forms import is_choices, is_conversation, is_signals, is_text_or_number
from vsr.data.fields import Field, in_place_of, is_filled_text, is_number, is_text, problem_with
from vsr.data.json_lines import BadLine, JsonLines, decode_object
from vsr.data.messages import EXPECTED_MESSAGES, Conversation
from vsr.data.prompts import EXPECTED_CHOICES, Choices, RawChoices, parse_choices, render_prompt, unique_key

if TYPE_CHECKING:
    from vsr._core import RecordTable

__all__ = [
    "BadLine",
    "JsonLines",
    "Queries",
    "Query",
    "Record",
    "Records",
    "UnratedRecord",
    "read_objects",
    "read_prompts",
    "read_queries",
    "read_records",
    "render_prompt",
    "unique_key",
]

_Filled = Annotated[str, msgspec.Meta(min_length=1)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
# Far beyond anything measured; sums of such numbers stay finite.
_MOST_S, _MOST_USD = 1e9, 1e6
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=_MOST_S)]
_MOST_TOKENS = 1e9
_Tokens = Annotated[float, msgspec.Meta(ge=0, le=_MOST_TOKENS)]  # pandas writes whole numbers as floats
_Usd = Annotated[float, msgspec.Meta(ge=0, le=_MOST_USD)]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One model's answer to one query, as far as training needs it; the response is not kept.

    Attributes:
        query: the query's text.
        model_name: the LLM.
        performance: quality in [0, 1]; None where there is none.
        response_time: seconds; for a time-out the limit.
        category: as the file has it.
        cost: USD.
        error: why the call failed; None or blank for a call that did not.
        choices: the options of the query as the file has them (`parse_choices` reads them).
        embedding_id: groups the records of one query.
        unscored: the performance is a filler, not a measurement.
        group: the conversation or template that the query belongs to.
        input_tokens: length of the prompt as the server counted it.
        output_tokens: length of the answer, likewise.
        time_to_first_token: seconds until the answer began.
        messages: the conversation that was asked, in the place of the query.
        judged: quality in [0, 1] as an LLM judges it; None where none did.
        is_judged: the performance is the judged one, because nothing else is known.
        probability: with which the call was drawn, where not all were asked.
    """

    query: _Filled = ""  # none where there are messages; that one of them is there is checked when a line is read
    model_name: _Filled = ""
    performance: _Share | None = None
    response_time: _Seconds | None = None
    category: str | None = None
    cost: _Usd | None = None
    error: str | None = None
    choices: RawChoices = None
    embedding_id: int | float | str | None = None  # pandas writes whole numbers as floats
    unscored: bool | None = None
    group: int | float | str | None = None
    input_tokens: _Tokens | None = None
    output_tokens: _Tokens | None = None
    time_to_first_token: _Seconds | None = None
    messages: list[dict[str, Any]] | None = None
    judged: _Share | None = None
    is_judged: bool | None = None
    probability: _Share | None = None

    @property
    def prompt(self) -> str:
        """What the LLM was asked: the conversation, or the query and its choices."""
        return render_prompt(self.query, self.choices, self.messages)


class UnratedRecord(Record, frozen=True, gc=False):
    """A record without performance whose response can still be scored.

    Attributes:
        response: what the model answered.
        ground_truth: the right answer; None where there is none, then the record stays unscored.
        metric: name of the scoring rule.
        task_name: for example `mmlu`.
    """

    response: str | None = None
    ground_truth: str | int | float | None = None
    metric: str | None = None
    task_name: str | None = None


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What tells a record from a query."""

    model_name: object = None


class Records(JsonLines[Record]):
    """The records of a file, streamed; every iteration reads the file anew."""

    follow: "Callable[[RecordTable], None] | None" = None
    """Is given the table that takes lines by itself; None: no table may."""

    def news(self, table: "RecordTable") -> Iterator[Record]:
        """Give the records that say something new, in order; the others go into the table at once.

        Args:
            table: learns from whoever takes these records which query and model a line names.

        Raises:
            RecordError: As for an iteration.
        """
        if self.follow is None:
            return self._items(None)
        self.follow(table)
        return self._items(table)


@dataclass(frozen=True)
class Query:
    """One line of a query file.

    Attributes:
        query: the text, not blank; of a conversation the last text of the user, where the file has none.
        category: as the file has it, None where it is missing or blank.
        ground_truth: the right answer as text; a number is written as JSON writes it.
        task_name: for example `mmlu`.
        metric: name of the scoring rule.
        choices: the options of a multiple-choice query.
        extra: every other field of the line, unchanged.
        messages: a conversation, which is asked in the place of query and choices.
    """

    query: str
    category: str | None = None
    ground_truth: str | None = None
    task_name: str | None = None
    metric: str | None = None
    choices: Choices | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    messages: Conversation | None = None

    @property
    def prompt(self) -> str:
        """What an LLM is asked: the conversation, or the query and its choices."""
        return render_prompt(self.query, self.choices, self.messages)

    @property
    def signals(self) -> Mapping[str, Collection[str]] | None:
        """What holds for the query in rules of decisions, by type, as the file has it."""
        signals = self.extra.get("signals")
        return signals if isinstance(signals, Mapping) else None


@dataclass(frozen=True)
class Queries(Sequence[Query]):
    """The queries of a file, in order.

    Attributes:
        path: the file, as it was named.
        items: the queries.
        bad_lines: the lines that were left out, at most the first thousand.
        n_bad_lines: how many lines were left out.
        lines: number (from 1) of the line of each query.
    """

    path: str
    items: tuple[Query, ...]
    bad_lines: tuple[BadLine, ...] = ()
    n_bad_lines: int = 0
    lines: tuple[int, ...] = field(default=(), repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Query: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Query, ...]: ...
    def __getitem__(self, index: int | slice) -> Query | tuple[Query, ...]:
        return self.items[index]


_TEXTS_OF_A_QUERY = (
    Field("category", "text", is_text),
    Field("task_name", "text", is_text),
    Field("metric", "text", is_text),
    Field("ground_truth", "text or a number", is_text_or_number),
    Field("choices", EXPECTED_CHOICES, is_choices),
)
_MESSAGES = Field("messages", f"{EXPECTED_MESSAGES}, and the user saying something", is_conversation)
_QUERY_FIELDS = (_MESSAGES, Field("query", "text that is not blank", is_filled_text, required=True), *_TEXTS_OF_A_QUERY)
QUERY_FIELDS = tuple(known.name for known in _QUERY_FIELDS)
"""The fields of a line of queries that mean something here; all others are kept as they are."""
_QUERY_FIELD_NAMES = frozenset(QUERY_FIELDS)
# Carried along with what is not known here, and checked all the same.
_CARRIED_FIELDS = (Field("signals", 'an object such as {"keyword": ["urgent"]}', is_signals),)
_RECORD_FIELDS = (
    _MESSAGES,
    Field("query", "the text of the query, not blank", is_filled_text, required=True),
    Field("model_name", "the name of the LLM, not blank", is_filled_text, required=True),
    Field("performance", "a number from 0 to 1 (divide per cents by 100)", partial(is_number, low=0, high=1)),
    Field("response_time", "seconds, 0 to 1e9", partial(is_number, low=0, high=_MOST_S)),
    Field("cost", "US dollars, 0 to 1,000,000", partial(is_number, low=0, high=_MOST_USD)),
    Field("error", "text that says why the call failed, or null", is_text),
    Field("response", "text", is_text),
    Field("embedding_id", "a number or text", is_text_or_number),
    *(
        Field(name, "a number of tokens, 0 to 1e9", partial(is_number, low=0, high=_MOST_TOKENS))
        for name in ("input_tokens", "output_tokens")
    ),
    Field("time_to_first_token", "seconds, 0 to 1e9", partial(is_number, low=0, high=_MOST_S)),
    Field("probability", "a number from 0 to 1", partial(is_number, low=0, high=1)),
    Field("judged", "a number from 0 to 1", partial(is_number, low=0, high=1)),
    *(Field(name, "true or false", lambda value: isinstance(value, bool)) for name in ("unscored", "is_judged")),
    Field("group", "a number or text", is_text_or_number),
    *_TEXTS_OF_A_QUERY,
)
RECORD_FIELDS = tuple(known.name for known in _RECORD_FIELDS)
"""The fields of a record that mean something here."""

_decode_record = msgspec.json.Decoder(Record).decode
_decode_unrated = msgspec.json.Decoder(UnratedRecord).decode
_decode_head = msgspec.json.Decoder(_Head).decode


def read_records(
    path: str | os.PathLike[str],
    *,
    skip_bad_lines: bool = False,
    watch: Callable[[bytes, Record], None] | None = None,
    follow: "Callable[[RecordTable], None] | None" = None,
) -> Records:
    """Open a file of records, in any form of JSON Lines, `.gz` by name.

    Nothing is read yet: iterate, as often as needed. A record without performance that has a response comes as an
    `UnratedRecord`.

    Args:
        path: the file; `-` is standard input.
        skip_bad_lines: leave bad lines out and count them in `Records.bad_lines` instead of raising.
        watch: is shown every record and its line as it stands in the file, for what a `Record` leaves out.
        follow: is given the table that takes the lines which say nothing new; `watch` is shown the others alone.

    Raises:
        RecordError: There is no such file; while iterating: a line cannot be used, or nothing is in the file.
    """

    def read_and_show(line: bytes) -> Record:
        record = _read_record(line)
        if watch is not None:
            watch(line, record)
        return record

    records = Records(
        path,
        _read_record if watch is None else read_and_show,
        explain_record,
        noun="records",
        skip_bad_lines=skip_bad_lines,
    )
    records.follow = follow if watch is not None else _leave_alone
    return records


def _leave_alone(_table: "RecordTable") -> None:
    """Let a table take what it can: nobody watches."""


def read_queries(path: str | os.PathLike[str], *, skip_bad_lines: bool = False) -> Queries:
    """Read a file of queries, in any form of JSON Lines, `.gz` by name.

    Args:
        path: the file; `-` is standard input.
        skip_bad_lines: leave bad lines out and list them in `Queries.bad_lines` instead of raising.

    Raises:
        RecordError: There is no such file, a line cannot be used, or nothing is in the file.
    """
    lines = JsonLines(path, _read_query, _explain_query, noun="queries", skip_bad_lines=skip_bad_lines)
    queries: list[Query] = []
    numbers: list[int] = []
    for query in lines:
        queries.append(query)
        numbers.append(lines.line)
    return Queries(lines.path, tuple(queries), lines.bad_lines, lines.n_bad_lines, tuple(numbers))


def read_prompts(path: str | os.PathLike[str], *, skip_bad_lines: bool = False) -> JsonLines[str]:
    """Open a file of queries or of records, whichever it is, for the rendered prompt of every line.

    A line with a `model_name` is a record: one that training could not read is a bad line here too, so that both see
    the same queries.

    Args:
        path: the file; `-` is standard input.
        skip_bad_lines: leave bad lines out and count them instead of raising.

    Raises:
        RecordError: There is no such file; while iterating: a line cannot be used, or nothing is in the file.
    """
    return JsonLines(path, _read_prompt, _explain_prompt, noun="queries or records", skip_bad_lines=skip_bad_lines)


def read_objects(
    path: str | os.PathLike[str],
    *,
    noun: str,
    explain: Callable[[dict[str, object]], str | None] | None = None,
    skip_bad_lines: bool = False,
) -> JsonLines[dict[str, object]]:
    """Open a JSON Lines file whose objects are wanted whole, with every field as it stands.

    Args:
        path: the file; `-` is standard input.
        noun: what it should hold, in the plural, for messages.
        explain: says what is wrong with an object; None takes every one.
        skip_bad_lines: leave bad lines out and count them instead of raising.

    Raises:
        RecordError: There is no such file; while iterating: a line is no such object, or nothing is in the file.
    """

    def decode(line: bytes) -> dict[str, object]:
        value = decode_object(line)
        if explain is not None and explain(value) is not None:
            raise ValueError
        return value

    return JsonLines(path, decode, explain or (lambda _value: None), noun=noun, skip_bad_lines=skip_bad_lines)


def _read_record(line: bytes) -> Record:
    record = _decode_record(line)
    if not record.model_name or record.model_name.isspace() or record.query.isspace():
        raise ValueError
    if record.messages is None:
        if not record.query:
            raise ValueError
    elif not is_conversation(record.messages):
        raise ValueError
    # msgspec has checked a list of choices already; the other forms can still be wrong inside.
    if record.choices is not None and not isinstance(record.choices, list) and not is_choices(record.choices):
        raise ValueError
    if record.performance is None and not record.error and not record.unscored:
        # Only now is the response worth its memory: it has to be scored.
        record = _decode_unrated(line)
        if record.response is None:
            raise ValueError
    return record


def explain_record(value: dict[str, object]) -> str | None:
    """Say what is wrong with the object of a line that should be a record; None where it is one."""
    problem = problem_with(_wanted(_RECORD_FIELDS, value), value)
    if problem is not None:
        return problem
    is_rated = value.get("performance") is not None or bool(value.get("error")) or bool(value.get("unscored"))
    if is_rated or value.get("response") is not None:
        return None
    return (
        f"has no `performance`{in_place_of('performance', value, _RECORD_FIELDS)} and nothing to score"
        f"{in_place_of('response', value, _RECORD_FIELDS)}; expected a `performance` from 0 to 1, a `response` to "
        "score, or an `error`"
    )


def _read_query(line: bytes) -> Query:
    value = decode_object(line)
    if problem_with(_wanted((*_QUERY_FIELDS, *_CARRIED_FIELDS), value), value) is not None:
        raise ValueError
    messages = value.get("messages")
    conversation = None if messages is None else Conversation.parse(messages)
    text = value.get("query") or ("" if conversation is None else conversation.text("last"))
    truth = value.get("ground_truth")
    category = str(value.get("category") or "")
    return Query(
        query=str(text),
        category=category if category.strip() else None,
        ground_truth=truth if truth is None or isinstance(truth, str) else msgspec.json.encode(truth).decode(),
        task_name=_text_or_none(value.get("task_name")),
        metric=_text_or_none(value.get("metric")),
        choices=parse_choices(value.get("choices")),
        extra={name: held for name, held in value.items() if name not in _QUERY_FIELD_NAMES},
        messages=conversation,
    )


def _wanted(fields: Sequence[Field], value: Mapping[str, object]) -> Sequence[Field]:
    """Say which fields a line has to have: with messages it needs no query."""
    if value.get("messages") is None:
        return fields
    return [replace(field, required=False) if field.name == "query" else field for field in fields]


def _explain_query(value: dict[str, object]) -> str | None:
    return problem_with(_wanted((*_QUERY_FIELDS, *_CARRIED_FIELDS), value), value)


def _read_prompt(line: bytes) -> str:
    if _decode_head(line).model_name is None:
        return _read_query(line).prompt
    record = _read_record(line)
    return record.prompt


def _explain_prompt(value: dict[str, object]) -> str | None:
    return _explain_query(value) if value.get("model_name") is None else explain_record(value)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
