"""From the configuration file to checked types: every problem of the file in one message, each with its line."""

import copy
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vsr._spelling import nearest
from vsr.config.document import Document, Location, Problem, dotted, read_document
from vsr.config.nodes import MAX_BYTES, shortened
from vsr.config.references import broken_references, warnings_about
from vsr.config.sections import RouterConfig, Section
from vsr.errors import ConfigError

# Stands in place of a name that is missing or no text, so that the rest of the file can be checked all the same.
_NO_NAME = "\0"

# More do not help anybody, and to look for what was meant takes time for each.
_MOST_PROBLEMS = 100

_IN_PLACE_OF: dict[str, object] = {
    "model_type": {},
    "model_attributes_type": {},
    "dict_type": {},
    "int_parsing": 1,
    "int_type": 1,
}

SECTIONS = frozenset({"model_selection", "vllm_endpoints", "model_config", "decisions", "default_model", "judges"})


def load_config(path: str | Path, *, environment: Mapping[str, str] | None = None) -> RouterConfig:
    """Read and check a configuration file.

    Args:
        path: The YAML file.
        environment: Values for `${VARIABLE}`; the process's own by default.

    Raises:
        ConfigError: The file cannot be read, or says something that cannot be: all of it in one message.
    """
    path = Path(path)
    return parse_config(_read(path), path, environment=environment)


def parse_config(
    text: str, path: str | Path = "config", *, environment: Mapping[str, str] | None = None
) -> RouterConfig:
    """Check the text of a configuration file; `load_config` without the file.

    Raises:
        ConfigError: As `load_config`.
    """
    path = Path(path)
    config, problems = _checked(text, path, environment)
    if problems or config is None:
        shown = problems[:_MOST_PROBLEMS]
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        if len(shown) < len(problems):
            count = f"{len(shown)} of many problems"
        lines = "\n".join(f"  {path}:{problem.line}: {problem.message}" for problem in shown)
        raise ConfigError(f"{path}: {count} in the configuration:\n{lines}")
    return config


def check_config(
    path: str | Path, *, environment: Mapping[str, str] | None = None
) -> tuple[RouterConfig | None, tuple[Problem, ...]]:
    """Read a configuration file and give every problem as a value of its own.

    Args:
        path: The YAML file.
        environment: As for `load_config`.

    Returns:
        The configuration, None where it has problems; the problems by line.

    Raises:
        ConfigError: The file cannot be read, or is no YAML mapping.
    """
    path = Path(path)
    config, problems = _checked(_read(path), path, environment)
    return (None if problems else config), tuple(problems)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1).decode("utf-8-sig")  # one byte more than may be there: it is refused later
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file; give the configuration with --config.") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: the configuration cannot be read: {reason}.") from error


def _checked(text: str, path: Path, environment: Mapping[str, str] | None) -> tuple[RouterConfig | None, list[Problem]]:
    """Find every problem of a text, by line; what can be made of it."""
    document = read_document(text, path, SECTIONS, os.environ if environment is None else environment)
    problems = [*document.problems, *islice(_unknown_keys(document), _MOST_PROBLEMS)]
    unset = {problem.line for problem in document.problems}
    config, mistyped = _typed(document.values)
    if mistyped:
        found = (_problem_of(details, document) for details in mistyped[:_MOST_PROBLEMS])
        problems += [problem for problem in found if problem.line not in unset]
        config = _what_is_right(document.values, mistyped)
    if config is not None:
        problems += islice(_without_placeholders(broken_references(config, document)), _MOST_PROBLEMS)
    if config is not None and not problems:
        config = config.model_copy(update={"path": path, "warnings": tuple(warnings_about(config, document))})
    return config, sorted(set(problems), key=lambda problem: problem.line)


def _typed(values: dict[str, object]) -> tuple[RouterConfig | None, list[ErrorDetails]]:
    try:
        return RouterConfig.model_validate(values), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _what_is_right(values: dict[str, object], mistyped: list[ErrorDetails]) -> RouterConfig | None:
    """Build what is left of a file without its wrong values: the names in it are checked all the same."""
    kept = _without(values, mistyped)
    config, missing = _typed(kept)
    if config is None:
        for details in missing:
            holder: Any = kept
            for part in details["loc"][:-1]:
                holder = holder[part]
            if details["type"] == "missing" and isinstance(holder, dict):
                holder[details["loc"][-1]] = _NO_NAME
        config, _ = _typed(kept)
    return config


def _without_placeholders(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Leave out what is only wrong with names that were put in, and take these out of the lists of names."""
    for problem in problems:
        if f"'{_NO_NAME}'" not in problem.message:
            listed = problem.message.replace(f"{_NO_NAME}, ", "").replace(f", {_NO_NAME}", "").replace(_NO_NAME, "none")
            yield Problem(problem.line, listed)


def _without(values: dict[str, object], mistyped: list[ErrorDetails]) -> dict[str, object]:
    """Copy the sections, leaving out the fields that are wrong; list items are replaced, since places must stay."""
    kept = copy.deepcopy(values)
    for details in mistyped:
        holder: Any = kept
        for depth, part in enumerate(details["loc"], start=1):
            is_item = isinstance(holder, list) and isinstance(part, int) and part < len(holder)
            inner = holder.get(part) if isinstance(holder, dict) else holder[part] if is_item else None
            if isinstance(holder, dict) and (depth == len(details["loc"]) or not isinstance(inner, dict | list)):
                holder.pop(part, None)
            elif is_item and depth == len(details["loc"]):
                holder[part] = _IN_PLACE_OF.get(details["type"], _NO_NAME)
            holder = inner
    return kept


def _unknown_keys(document: Document) -> Iterator[Problem]:
    """Find keys that are neither ours nor the router's, walking types and values side by side."""
    for section in document.values:
        annotation = next(f.annotation for n, f in RouterConfig.model_fields.items() if (f.alias or n) == section)
        yield from _unknown_in(document.values[section], annotation, (section,), document)


def _unknown_in(value: object, annotation: Any, location: Location, document: Document) -> Iterator[Problem]:  # noqa: ANN401 a type form
    if isinstance(annotation, type) and issubclass(annotation, Section):
        if isinstance(value, dict):
            fields = {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
            for key, inner in value.items():
                if key in fields:
                    yield from _unknown_in(inner, fields[key], (*location, key), document)
                elif key not in annotation.router_fields:
                    meant = nearest(key, tuple(fields))
                    hint = f"did you mean {meant}?" if meant else f"known here: {', '.join(fields)}."
                    here = (*location, key)
                    yield Problem(document.line_of(here), f"{dotted(here)}: unknown key; {hint}")
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        for argument in arguments:
            yield from _unknown_in(value, argument, location, document)
    elif origin is tuple and isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unknown_in(inner, arguments[0], (*location, index), document)
    elif origin is dict and isinstance(value, dict):
        for key, inner in value.items():
            yield from _unknown_in(inner, arguments[1], (*location, key), document)


_EXPECTED = {
    "missing": "is missing",
    "string_type": "must be text (put it in quotes)",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_too_short": "must not be empty",
}


def _problem_of(details: ErrorDetails, document: Document) -> Problem:
    # The types of a union stand in pydantic's location ("int", "literal['auto']"): only what is in the file stays.
    location: Location = ()
    for part in details["loc"]:
        if (*location, part) in document.lines or details["type"] == "missing":
            location = (*location, part)
    found = ""
    value = details["input"]
    is_secret = bool(location) and (location[-1] in ("api_key", "access_key") or "headers" in location)
    if isinstance(value, str | int | float | bool) and not is_secret and location not in document.from_environment:
        found = f", not {shortened(repr(value))}"
    message = details["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    expected = _EXPECTED.get(details["type"], f"must be {message}")
    is_choice = isinstance(value, str) and details["type"] == "literal_error"
    meant = nearest(value, tuple(message.split("'")[1::2])) if is_choice else None
    hint = f"; did you mean {meant}?" if meant else "."
    return Problem(document.line_of(location), f"{dotted(location)}: {expected}{found}{hint}")
