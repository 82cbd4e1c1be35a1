"""Tables of the fields of files and requests, from the definitions that read them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import artefacts
from griffe import Docstring, DocstringSectionKind
from prometheus_client.parser import text_string_to_metric_families
from tables import code, table

from vsr.choice.limits import Limits
from vsr.config.schema import config_schema
from vsr.data import preferences, records
from vsr.data.fields import Field
from vsr.persistence.manifest import Manifest
from vsr.routing import Request
from vsr.scoring.metrics import METRICS, kind_of_metric


def of_queries() -> str:
    """Make the table of a line of queries."""
    return _fields((*records._QUERY_FIELDS, *records._CARRIED_FIELDS))


def of_records() -> str:
    """Make the table of a line of records."""
    return _fields(records._RECORD_FIELDS)


def of_preferences() -> str:
    """Make the table of a line of preference pairs."""
    return _fields(preferences._fields(["llama-3.2-1b", "..."]))


def of_metric_names() -> str:
    """Make the table of the scoring rules and what they are called by."""
    rules: dict[str, list[str]] = {}
    for name in METRICS:
        rules.setdefault(str(kind_of_metric(name)), []).append(code(name))
    return table(("rule", "`metric`"), ((rule.replace("_", " "), ", ".join(names)) for rule, names in rules.items()))


def of_requests() -> str:
    """Make the table of a request."""
    return _attributes(Request)


def of_limits() -> str:
    """Make the table of a request's limits."""
    return _attributes(Limits)


def of_manifest() -> str:
    """Make the table of a manifest."""
    meanings = _meanings(Manifest)
    rows = ((code(name), holds, meanings.get(name, "")) for name, holds in artefacts.manifest().items())
    return table(("field", "holds", ""), rows)


def of_metrics() -> str:
    """Make the table of what a server shows at `/metrics`."""
    kinds = {"counter": "_total", "histogram": "_bucket, _sum, _count"}
    rows = (
        (
            code(family.name + (kinds[family.type] if family.type == "counter" else "")),
            family.type,
            family.documentation,
        )
        for family in text_string_to_metric_families(artefacts.served().metrics)
    )
    return table(("metric", "type", ""), rows)


def of_configuration() -> str:
    """Make a table for each section of the configuration."""
    schema = config_schema()
    shown: dict[str, Mapping[str, Any]] = {"The file": schema}
    for name, definition in schema["$defs"].items():
        if "properties" in definition:
            shown[_title(name, definition)] = definition
    parts = []
    for title, section in shown.items():
        rows = list(_settings(section))
        if rows:
            parts += [f"## {title}\n", section.get("description", "").split("\n")[0] + "\n"]
            parts += [table(("field", "holds", "default", ""), rows)]
    return "\n".join(parts)


def _fields(known: Sequence[Field]) -> str:
    rows = ((code(field.name), field.expected, "required" if field.required else "") for field in known)
    return table(("field", "holds", ""), rows)


def _attributes(documented: type) -> str:
    return table(("field", ""), ((code(name), meaning) for name, meaning in _meanings(documented).items()))


def _meanings(documented: type) -> dict[str, str]:
    sections = Docstring(documented.__doc__ or "").parse("google", warnings=False)
    found = next(section for section in sections if section.kind is DocstringSectionKind.attributes)
    return {each.name: each.description for each in found.value}


def _settings(section: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for name, setting in section["properties"].items():
        if setting.get("description") == "read by the router alone":
            continue
        default = "required" if name in section.get("required", ()) else _default(setting.get("default"))
        yield code(name), _holds(setting), default, setting.get("description", "")


def _default(value: object) -> str:
    return "" if value in (None, [], {}, ()) else code(str(value).lower() if isinstance(value, bool) else str(value))


def _holds(setting: Mapping[str, Any]) -> str:
    """Say what kind of value a JSON schema allows."""
    if "$ref" in setting:
        name = setting["$ref"].rpartition("/")[2]
        definition = config_schema()["$defs"][name]
        if not any(_settings(definition)):
            return "object without fields"
        title = _title(name, definition)
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    if "anyOf" in setting:
        return " or ".join(_holds(each) for each in setting["anyOf"] if each.get("type") != "null")
    if "enum" in setting:
        return ", ".join(code(str(each)) for each in setting["enum"])
    if "const" in setting:
        return code(str(setting["const"]))
    if setting.get("type") == "array":
        return f"list of {_holds(setting.get('items', {}))}"
    if setting.get("type") == "object":
        inner = setting.get("additionalProperties")
        return f"name: {_holds(inner)}" if isinstance(inner, dict) else "object"
    kinds = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return kinds.get(setting.get("type", ""), "any") + _bounds(setting)


def _bounds(setting: Mapping[str, Any]) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return "".join(f" {word} {setting[key]:g}" for key, word in words.items() if key in setting)


def _title(name: str, definition: Mapping[str, Any]) -> str:
    """Name a section as people would: `KnnParameters` -> `Knn parameters`."""
    title = str(definition.get("title", name)).lstrip("_")
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in title).strip()
    return spaced[:1].upper() + spaced[1:]
