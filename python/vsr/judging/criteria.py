"""The criteria by which a rubric judges: one text, or one for each category."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from vsr.config.nodes import MAX_BYTES
from vsr.data.categories import normalise_category
from vsr.errors import ConfigError

_DEFAULT = "default"


@dataclass(frozen=True)
class Criteria:
    """What a good response is.

    Attributes:
        default: for every query without criteria of its own; None for the usual ones.
        by_category: for the queries of a category.
    """

    default: str | None = None
    by_category: Mapping[str, str] = field(default_factory=dict)

    def of(self, category: str | None) -> str | None:
        """Give the criteria for a query of a category, as its record names it."""
        known = normalise_category(category) if category else None
        return self.by_category.get(known or "other", self.default)


def read_criteria(path: Path) -> Criteria:
    """Read a file of criteria.

    Args:
        path: a text for all queries; or, named `.yaml`, a text by category, that of the others as `default`.

    Raises:
        ConfigError: It cannot be read, is empty, or names what is no category.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: the criteria cannot be read: {reason}.") from error
    if len(text.encode()) > MAX_BYTES:
        raise ConfigError(f"{path}: criteria have at most {MAX_BYTES >> 20} MiB.")
    if not text.strip():
        raise ConfigError(f"{path}: is empty; expected what a good response is, in plain words.")
    return _by_category(path, text) if path.suffix in (".yaml", ".yml") else Criteria(text)


def _by_category(path: Path, text: str) -> Criteria:
    expected = "expected a text by category, for example `math: ...`, and `default: ...` for the others"
    try:
        held = yaml.load(text, yaml.BaseLoader)  # noqa: S506 texts alone: this loader makes nothing else
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}{place}: is no YAML; {expected}.") from error
    if not isinstance(held, dict) or not all(isinstance(each, str) and each.strip() for each in held.values()):
        raise ConfigError(f"{path}: {expected}.")
    named: dict[str, str] = {}
    for name, criteria in held.items():
        category = name if name == _DEFAULT else normalise_category(name)
        if category is None:
            raise ConfigError(f"{path}: '{str(name)[:60]}' is no category; {expected}.")
        named[category] = criteria
    return Criteria(named.pop(_DEFAULT, None), named)
