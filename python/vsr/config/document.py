"""A YAML file as plain values, each with the line it stands on, and with its environment variables filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vsr.config import later_router, nodes
from vsr.errors import ConfigError

Location = tuple[str | int, ...]

_MAX_DEPTH = 32
_MAX_NODES = 20_000  # with every alias counted as what it stands for

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
        sections: Top-level keys to keep, or to make from the layout of later routers; the rest is neither built nor
            expanded.
        environment: Values for `${VARIABLE}` and `${VARIABLE:-default}`.

    Raises:
        ConfigError: The text is no YAML mapping, is too large or too deep, or a key occurs twice in one place.
    """
    document = Document({})
    try:
        found = nodes.read_sections(text, path, sections | later_router.SECTIONS)
        root = _Reader(document, environment, path).mapping(later_router.in_own_sections(found), ())
    except _TooMuchError as error:
        raise ConfigError(f"{path}:{error.line}: {error}.") from None
    document.values.update({key: value for key, value in root.items() if key in sections})
    return document


class _TooMuchError(Exception):
    """More nodes or deeper ones than a configuration has."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


class _Reader:
    """Walks a parsed tree: plain values out, lines and problems noted."""

    def __init__(self, document: Document, environment: Mapping[str, str], path: Path) -> None:
        self._document = document
        self._environment = environment
        self._path = path
        self._n_nodes = 0

    def plain(self, node: nodes.Node, location: Location) -> object:
        if isinstance(node, nodes.Mapping):
            return self.mapping(node, location)
        if isinstance(node, nodes.Sequence):
            self._count(node, len(location))
            plain = []
            for index, item in enumerate(node.items):
                here = (*location, index)
                self._document.lines[here] = item.line
                plain.append(self.plain(item, here))
            return plain
        self._count(node, 0)
        value = node.value
        return self._expanded(value, location) if isinstance(value, str) else value

    def mapping(self, node: nodes.Mapping, location: Location) -> dict[str, object]:
        plain: dict[str, object] = {}
        for key, value in self._pairs(node, len(location)):
            name = key.value if isinstance(key, nodes.Scalar) else None
            shown = nodes.shortened(key.text) if isinstance(key, nodes.Scalar) else "that is a list or mapping"
            here = (*location, str(name) if isinstance(key, nodes.Scalar) else shown)
            self._document.lines[here] = key.line
            self._count(key, 0)
            if not isinstance(name, str):
                self._problem(here, f"{dotted(location)}: the key {shown} is not text: put it in quotes.")
                continue
            plain[name] = self.plain(value, here)
        return plain

    def _pairs(self, node: nodes.Mapping, depth: int) -> list[tuple[nodes.Node, nodes.Node]]:
        """Give the pairs of a mapping; those of mappings that are merged into it come last, and give way to its own."""
        self._count(node, depth)
        own: dict[object, tuple[nodes.Node, nodes.Node]] = {}
        merged: list[nodes.Node] = []
        for key, value in node.pairs:
            if nodes.is_merge(key):
                merged += value.items if isinstance(value, nodes.Sequence) else [value]
                continue
            name = key.text if isinstance(key, nodes.Scalar) else id(key)
            if name in own and isinstance(key, nodes.Scalar):
                raise nodes.twice(self._path, key)
            own[name] = key, value
        for source in merged:
            if not isinstance(source, nodes.Mapping):
                raise _TooMuchError(source.line, "only mappings can be merged by <<")
            for key, value in self._pairs(source, depth + 1):
                own.setdefault(key.text if isinstance(key, nodes.Scalar) else id(key), (key, value))
        return list(own.values())

    def _count(self, node: nodes.Node, depth: int) -> None:
        self._n_nodes += 1
        if self._n_nodes > _MAX_NODES:
            raise _TooMuchError(node.line, f"with all aliases filled in there are more than {_MAX_NODES:,} values here")
        if depth > _MAX_DEPTH:
            raise _TooMuchError(node.line, f"this is nested deeper than {_MAX_DEPTH} levels")

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
        elif re.fullmatch(r"\w{1,60}", part):
            path += f".{part}" if path else part
        else:
            path += f'["{nodes.shortened(part)}"]'
    return path
