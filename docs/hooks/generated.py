"""What the documentation takes from the code, so that it cannot say anything else than the code does.

A line `<!-- generated: NAME -->` in a page becomes what the maker of that name gives; every command gets a page of its
own. Formulas become MathML while the site is built: no reader's browser fetches anything.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import artefacts
import commands
import fields
import names
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_MAKERS: dict[str, Callable[[], str]] = {
    "commands": commands.overview,
    "query fields": fields.of_queries,
    "record fields": fields.of_records,
    "metric names": fields.of_metric_names,
    "preference fields": fields.of_preferences,
    "request fields": fields.of_requests,
    "limit fields": fields.of_limits,
    "configuration": fields.of_configuration,
    "manifest fields": fields.of_manifest,
    "metrics": fields.of_metrics,
    "decision log": artefacts.decision_log,
    "artefact fields": artefacts.of_algorithms,
    "artefact header": artefacts.of_header,
    "python names": names.public,
}
_MARKER = re.compile(r"^<!-- generated: (.+) -->$", re.MULTILINE)
_FOREIGN = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)="(?:https?:)?//[^"]*"')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let fences of the language `math` be formulas."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "math", "format": _formula})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every command."""
    for name, markdown in commands.pages().items():
        files.append(File.generated(config, f"reference/commands/{name}.md", content=markdown))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 (MkDocs' own names)
    """Fill in what is made from the code."""
    return _MARKER.sub(lambda found: _make(found[1], page.file.src_uri), markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site whose pages load anything from another host."""
    for path in Path(config.site_dir).rglob("*.html"):
        found = _FOREIGN.search(path.read_text(encoding="utf-8"))
        if found is not None:
            raise PluginError(f"{path}: loads something from another host: {found[0]}")


def _make(name: str, page: str) -> str:
    if name not in _MAKERS:
        raise PluginError(f"{page}: nothing makes {name!r}; there are {', '.join(_MAKERS)}")
    return _MAKERS[name]()


def _formula(source: str, _language: str, _class: str, _options: dict[str, Any], _md: object, **_more: object) -> str:
    formulas = "".join(convert(part, display="block") for part in source.strip().split("\n\n"))
    return f'<div class="formula" role="group" tabindex="0">{formulas}</div>'  # a wide one scrolls, by keys too
