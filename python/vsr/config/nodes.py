"""YAML text as a tree of nodes, each with its line: the syntax alone, in bounded time, and without a word of the text.

What is not asked for is passed over. Errors say what is wrong and where, and never quote: a key may stand there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vsr.errors import ConfigError

MAX_BYTES = 1 << 20

# The parser in C reads a MiB in 50 ms; the one in Python, where there is no other, takes seconds.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS = ("tag:yaml.org,2002:str", "!")
# Numbers, as in the core schema of YAML 1.2: `yes` and `on` are text there.
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 64  # characters; what is longer is no setting, and costs time to read


@dataclass(slots=True)
class Scalar:
    """A text, number, truth value or null.

    Attributes:
        line: where it begins, from 1.
        text: as it stands in the file, without quotes.
        is_plain: whether it is what it looks like; text otherwise.
    """

    line: int
    text: str
    is_plain: bool

    @property
    def value(self) -> str | float | bool | None:
        """What it stands for; a number of more than 64 characters stays text."""
        text = self.text
        if not self.is_plain or len(text) > _LONGEST_NUMBER:
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            return int(text, 0 if text[:2] in ("0o", "0x") else 10)
        return float(text.replace(".inf", "inf").replace(".nan", "nan")) if _FLOAT.fullmatch(text) else text


@dataclass(slots=True)
class Sequence:
    """A list; one node may stand in several places, and inside itself."""

    line: int
    items: list["Node"] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Pairs in the order of the file."""

    line: int
    pairs: list[tuple["Node", "Node"]] = field(default_factory=list)


Node = Scalar | Sequence | Mapping


def read_sections(text: str, path: Path, sections: frozenset[str]) -> Mapping:
    """Parse YAML and keep the named keys of the mapping that it is, and what is merged into it.

    Args:
        text: the file's text.
        path: named in errors.
        sections: top-level keys to keep; the rest is only passed over.

    Raises:
        ConfigError: The text is longer than a MiB or no YAML mapping, a top-level key occurs twice, or an alias stands
            for nothing.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES >> 20} MiB; a configuration has a few KB.")
    try:
        return _Composer(yaml.parse(text, Loader=_Loader), path).root(sections)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        # Inside { } a brace means something to YAML: the commonest mistake with variables.
        is_brace = "${" in "".join(text.splitlines()[line - 1 : line])
        hint = '; inside { } write variables in quotes: "${NAME}"' if is_brace else ""
        problem = _unquoted(error.problem or error.context or "it cannot be read")
        raise ConfigError(f"{path}:{line}: this is no YAML: {problem}{hint}.") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{line}: this is no YAML: it holds a character that is not text.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"{path}: this is no YAML.") from None


class _Composer:
    """Reads events of the parser, one after the other."""

    def __init__(self, events: Iterator[Any], path: Path) -> None:
        self._events = events
        self._path = path
        self._anchors: dict[str, Node] = {}

    def root(self, sections: frozenset[str]) -> Mapping:
        root = Mapping(1)
        found = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                found += 1
                if found > 1:
                    raise self._error(event, "there is a second document; expected one")
            elif isinstance(event, yaml.MappingStartEvent):
                self._top_level(root, sections)
                if event.anchor is not None:
                    self._anchors[event.anchor] = root
            elif isinstance(event, yaml.SequenceStartEvent | yaml.ScalarEvent | yaml.AliasEvent):
                node = self._node(event)
                if not isinstance(node, Scalar) or node.value is not None:
                    kind = "list" if isinstance(node, Sequence) else "single value"
                    raise ConfigError(
                        f"{self._path}:{event.start_mark.line + 1}: a configuration is a mapping of sections, "
                        f"this is a {kind}."
                    )
        return root

    def _top_level(self, root: Mapping, sections: frozenset[str]) -> None:
        seen: set[str] = set()
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                return
            key = self._node(event)
            if not isinstance(key, Scalar) or (key.text not in sections and not is_merge(key)):
                self._pass_over(next(self._events))
                continue
            if key.text in seen:
                raise twice(self._path, key)
            seen.add(key.text)
            root.pairs.append((key, self._node(next(self._events))))

    def _node(self, event: Any) -> Node:  # noqa: ANN401 -- the parser has no types
        """Build the node that begins with an event. A stack and no recursion: depth is judged where it is used."""
        made = self._begun(event)
        if isinstance(made, Scalar) or isinstance(event, yaml.AliasEvent):
            return made
        open_nodes: list[Sequence | Mapping] = [made]
        keys: list[Node | None] = [None]
        while open_nodes:
            event = next(self._events)
            if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                open_nodes.pop()
                keys.pop()
                continue
            node = self._begun(event)
            holder = open_nodes[-1]
            if isinstance(holder, Sequence):
                holder.items.append(node)
            elif (key := keys[-1]) is None:
                keys[-1] = node
            else:
                holder.pairs.append((key, node))
                keys[-1] = None
            if not isinstance(node, Scalar) and not isinstance(event, yaml.AliasEvent):
                open_nodes.append(node)
                keys.append(None)
        return made

    def _begun(self, event: Any) -> Node:  # noqa: ANN401
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._error(event, "an alias (*name) stands for an anchor (&name) that is not there")
            return self._anchors[event.anchor]
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(line, event.value, event.implicit[0] and event.tag not in _TEXT_TAGS)
        else:
            node = Sequence(line) if isinstance(event, yaml.SequenceStartEvent) else Mapping(line)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _pass_over(self, event: Any) -> None:  # noqa: ANN401
        """Read what begins with an event and keep nothing of it but what has an anchor."""
        depth = 0
        while True:
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif getattr(event, "anchor", None) is not None and not isinstance(event, yaml.AliasEvent):
                self._node(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            if depth == 0:
                return
            event = next(self._events)

    def _error(self, event: Any, problem: str) -> ConfigError:  # noqa: ANN401
        return ConfigError(f"{self._path}:{event.start_mark.line + 1}: this is no YAML: {problem}.")


def is_merge(key: Node) -> bool:
    """Tell whether a key is `<<`, whose value is merged into the mapping."""
    return isinstance(key, Scalar) and key.is_plain and key.text == "<<"


def twice(path: Path, key: Scalar) -> ConfigError:
    """Make the error about a key that stands twice in one mapping."""
    return ConfigError(f'{path}:{key.line}: found duplicate key "{shortened(key.text)}"; every key may stand once.')


def shortened(text: str, limit: int = 60) -> str:
    """Cut a text for a message."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _unquoted(problem: str) -> str:
    """Leave out of the parser's words what it quotes of the file: more than a sign, or than the kind of a token."""
    return re.sub(r"'(?!<[a-z ]+>'|.')[^']*'|\"[^\"]*\"", "'...'", problem)
