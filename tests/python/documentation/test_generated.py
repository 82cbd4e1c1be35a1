"""The pages that are made from the code: nothing is left out of them."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import vsr
from vsr.cli import cli
from vsr.config import RouterConfig
from vsr.data.records import QUERY_FIELDS, RECORD_FIELDS

HOOKS = Path(__file__).parents[3] / "docs/hooks"
for _package in ("griffe", "latex2mathml", "mkdocs"):
    pytest.importorskip(_package)


@pytest.fixture(scope="module")
def generated():
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HOOKS)
        yield importlib.import_module("generated")
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == HOOKS:
            del sys.modules[name]


def test_every_command_has_a_page_with_all_its_flags(generated):
    pages = generated.commands.pages()
    assert sorted(pages) == sorted(cli.list_commands(click.Context(cli)))
    assert "`--quality-weight 0..1`" in pages["train"]
    assert "`--knn-index` auto, ball-tree, flat" in pages["train"]
    assert "| `-v`, `--verbose` | Say more on stderr. |" in pages["serve"]


def test_every_public_name_is_there(generated):
    lines = generated.names.public().splitlines()
    assert sorted(line.removeprefix("::: vsr.") for line in lines if line.startswith(":::")) == sorted(vsr.__all__)


def test_every_field_is_there(generated):
    for name in QUERY_FIELDS:
        assert f"| `{name}` |" in generated.fields.of_queries()
    for name in RECORD_FIELDS:
        assert f"| `{name}` |" in generated.fields.of_records()
    configuration = generated.fields.of_configuration()
    for name, field in RouterConfig.model_fields.items():
        extra = field.json_schema_extra
        if not (isinstance(extra, dict) and extra.get("internal")):
            assert f"| `{field.alias or name}` |" in configuration


def test_a_formula_becomes_mathml(generated):
    written = generated._formula("\\frac{a}{b}\n\nc", "math", "math", {}, None)
    assert written.count("<math") == 2
    assert "<mfrac>" in written


def test_a_mark_that_nothing_makes_is_an_error(generated):
    with pytest.raises(generated.PluginError, match=r"files\.md: nothing makes 'fields'; there are commands, "):
        generated._make("fields", "files.md")


def test_a_page_that_loads_from_elsewhere_is_an_error(generated, tmp_path):
    page, config = tmp_path / "index.html", SimpleNamespace(site_dir=str(tmp_path))
    page.write_text('<a href="https://example.org">a link is fine</a><img src="picture.png">', encoding="utf-8")
    generated.on_post_build(config)
    page.write_text('<script defer src="https://example.org/script.js"></script>', encoding="utf-8")
    with pytest.raises(generated.PluginError, match=r"loads something from another host: <script"):
        generated.on_post_build(config)
