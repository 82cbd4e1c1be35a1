"""The JSON schema of the configuration file, for editors: `python -m vsr.config.schema configs/schema.json`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vsr.config.sections import ROUTER_ALGORITHMS, RouterConfig, Section
from vsr.selectors import registry


def config_schema() -> dict[str, Any]:
    """Build the schema (draft 2020-12) from the types; fields that are the router's own are allowed by name."""
    schema = RouterConfig.model_json_schema(by_alias=True)
    for name in [name for name, field in schema["properties"].items() if field.get("internal")]:
        del schema["properties"][name]
    for section in _below(Section):
        definition = schema["$defs"].get(section.__name__)
        if definition is not None:
            definition["properties"] |= {
                name: {"description": "read by the router alone"} for name in sorted(section.router_fields)
            }
            definition["additionalProperties"] = False
    schema["$defs"]["Algorithm"]["properties"]["type"]["enum"] = sorted((*registry.names(), *ROUTER_ALGORITHMS))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _below(section: type[Section]) -> Iterator[type[Section]]:
    for each in section.__subclasses__():
        yield each
        yield from _below(each)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(config_schema(), indent=2) + "\n", encoding="utf-8")
