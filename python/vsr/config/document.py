"""A YAML file as plain values, each with the line it stands on, and with its environment variables filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from vsr.errors import ConfigError

Location = tuple[str | int, ...]

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


@dataclass(frozen=True)
class Problem:
    """Something wrong with the file, and where."""

    line: int
    message: str


@dataclass
class Document:
    """The sections of a YAML file that were asked for.

    Attributes:
        values: The sections as plain dictionaries, lists and scalars.
        lines: Line (from 1) of every key and list item, by its place in `values`.
        from_environment: Places whose text names an environment variable.
        problems: Variables that are not set, keys that are not text.
    """

    values: dict[str, object]
    lines: dict[Location, int] = field(default_factory=dict)
    from_environment: set[Location] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, location: Location) -> int:
        """Return the line of a place, or of the nearest enclosing one that stands in the file."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


def read_document(text: str, path: Path, sections: frozenset[str], environment: Mapping[str, str]) -> Document:
    """Parse YAML and keep the named top-level sections.

    Args:
        text: The file's text.
        path: Named in errors.
        sections: Top-level keys to keep; the rest is neither looked at nor expanded.
        environment: Values for `${VARIABLE}` and `${VARIABLE:-default}`.

    Raises:
        ConfigError: The text is no YAML mapping, or a key occurs twice in one place.
    """
    try:
        root = YAML(typ="rt", pure=True).load(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        line = 1 if mark is None else mark.line + 1
        problem = str(error.problem).split(" with value ", 1)[0]  # what follows is the value: possibly a secret
        raise ConfigError(f"{path}:{line}: {problem}; every key may stand once.") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        # Inside { } a brace means something to YAML: the commonest mistake with variables.
        is_brace = "${" in "".join(text.splitlines()[line - 1 : line])
        hint = '; inside { } write variables in quotes: "${NAME}"' if is_brace else ""
        raise ConfigError(f"{path}:{line}: this is no YAML: {error.problem or error.context}{hint}.") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: this is no YAML: {str(error).splitlines()[0]}.") from None
    if root is None:
        root = CommentedMap()
    if not isinstance(root, CommentedMap):
        raise ConfigError(f"{path}:1: a configuration is a mapping of sections, this is a {type(root).__name__}.")
    document = Document({})
    reader = _Reader(document, environment)
    for key in root:
        if key in sections:
            document.lines[(key,)] = root.lc.key(key)[0] + 1
            document.values[key] = reader.plain(root[key], (key,))
    return document


class _Reader:
    """Walks a parsed tree: plain values out, lines and problems noted."""

    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment
        self._open: set[int] = set()  # containers being walked: an alias may point back into its own anchor

    def plain(self, node: object, location: Location) -> object:
        if isinstance(node, dict | list):
            if id(node) in self._open:
                self._problem(location, f"{dotted(location)}: an alias that contains itself.")
                return None
            self._open.add(id(node))
            plain = self._mapping(node, location) if isinstance(node, dict) else self._sequence(node, location)
            self._open.discard(id(node))
            return plain
        if isinstance(node, str):
            return self._expanded(str(node), location)
        if isinstance(node, bool) or node is None:
            return node
        if isinstance(node, int):
            return int(node)
        if isinstance(node, float):
            return float(node)
        return str(node)  # a date, a tagged scalar: the type check says what was expected

    def _mapping(self, node: dict[object, object], location: Location) -> dict[str, object]:
        plain: dict[str, object] = {}
        position = getattr(node, "lc", None)
        for key, value in node.items():
            here = (*location, str(key))
            # Keys that come in by a merge (<<: *anchor) have no position of their own.
            try:
                line = position.key(key)[0] + 1 if position is not None else self._document.line_of(location)
            except (KeyError, TypeError):
                line = self._document.line_of(location)
            self._document.lines[here] = line
            if not isinstance(key, str):
                self._problem(here, f"{dotted(location)}: the key {key} is not text: put it in quotes.")
                continue
            plain[str(key)] = self.plain(value, here)
        return plain

    def _sequence(self, node: list[object], location: Location) -> list[object]:
        position = getattr(node, "lc", None)
        plain = []
        for index, value in enumerate(node):
            here = (*location, index)
            try:
                line = position.item(index)[0] + 1 if position is not None else self._document.line_of(location)
            except (KeyError, TypeError):
                line = self._document.line_of(location)
            self._document.lines[here] = line
            plain.append(self.plain(value, here))
        return plain

    def _expanded(self, text: str, location: Location) -> str:
        def value(match: re.Match[str]) -> str:
            self._document.from_environment.add(location)
            name, default = match["name"], match["default"]
            found = self._environment.get(name)
            if found or (found is not None and default is None):
                return found
            if default is not None:
                return default
            hint = f"set it or write ${{{name}:-default}}."
            self._problem(location, f"{dotted(location)}: the environment variable {name} is not set; {hint}")
            return match[0]

        return _VARIABLE.sub(value, text)

    def _problem(self, location: Location, message: str) -> None:
        self._document.problems.append(Problem(self._document.line_of(location), message))


def dotted(location: Location) -> str:
    """Write a place as a path: `vllm_endpoints[0].port`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif re.fullmatch(r"\w+", part):
            path += f".{part}" if path else part
        else:
            path += f'["{part}"]'
    return path
