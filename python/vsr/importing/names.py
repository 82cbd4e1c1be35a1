"""How models and tasks are called in the records: a small YAML of the operator's."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from vsr.config.document import read_document
from vsr.data.categories import normalise_category
from vsr.errors import ConfigError
from vsr.importing.imported import ImportedPair, ImportedRecord, LeftOut

_SECTIONS = frozenset({"models", "tasks", "categories"})
_EXPECTED = "expected sections `models: {theirs: ours}`, `tasks: {theirs: ours}` and `categories: {task: category}`"


@dataclass(frozen=True)
class Names:
    """Names that are changed on the way in.

    Attributes:
        models: ours by theirs; None leaves the model out.
        tasks: likewise.
        categories: the category of the queries of a task (as it is called there), where they have none of their own.
    """

    models: Mapping[str, str | None] = field(default_factory=dict)
    tasks: Mapping[str, str | None] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)

    def of_record(self, record: ImportedRecord, place: str) -> ImportedRecord | LeftOut:
        """Rename what a record names."""
        model = self.models.get(record.model_name, record.model_name)
        task = record.task_name
        named = task if task is None else self.tasks.get(task, task)
        if model is None or (task is not None and named is None):
            return LeftOut("of models or tasks that --names leaves out", place)
        category = record.category or (self.categories.get(task) if task is not None else None)
        return replace(record, model_name=model, task_name=named, category=category)

    def of_pair(self, pair: ImportedPair, place: str) -> ImportedPair | LeftOut:
        """Rename the models of a pair."""
        preferred, other = (self.models.get(name, name) for name in (pair.preferred, pair.other))
        if preferred is None or other is None:
            return LeftOut("of models or tasks that --names leaves out", place)
        if preferred == other:
            return LeftOut("battles of a model with itself", place)
        return replace(pair, preferred=preferred, other=other)


def read_names(path: Path) -> Names:
    """Read a file of names.

    Raises:
        ConfigError: There is none, or it holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); {_EXPECTED}") from error
    document = read_document(text, path, _SECTIONS, {})
    if document.problems:
        first = document.problems[0]
        raise ConfigError(f"{path}:{first.line}: {first.message}")
    if not document.values:
        raise ConfigError(f"{path}: names nothing; {_EXPECTED}")
    sections: dict[str, dict[str, str | None]] = {}
    for section, names in document.values.items():
        line = document.line_of((section,))
        if not isinstance(names, dict):
            raise ConfigError(f"{path}:{line}: `{section}` is no mapping; {_EXPECTED}")
        for theirs, ours in names.items():
            where = f"{path}:{document.line_of((section, theirs))}: `{section}.{theirs}`"
            if ours is not None and (not isinstance(ours, str) or not ours.strip()):
                raise ConfigError(f"{where} is {ours!r}; expected a name, or null to leave it out")
            if section == "categories" and (ours is None or normalise_category(ours) is None):
                raise ConfigError(f"{where} is {ours!r}; expected one of the fourteen categories")
        sections[section] = names
    categories = {task: str(category) for task, category in sections.get("categories", {}).items()}
    return Names(sections.get("models", {}), sections.get("tasks", {}), categories)
