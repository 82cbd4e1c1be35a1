"""The pages say what is true: blocks that are marked with `<!-- run -->` run, flags exist, the README leads on.

Blocks run page by page, in a small world with the names that the guide uses; what two pages have in common runs once.
Links between pages are checked by `make docs`.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from vsr.cli import cli
from vsr.simulation import generate_queries, simulate, write_queries, write_records

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<run><!-- run -->\n)?```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.M | re.S
)
COMMAND = re.compile(r"\bvsr-train ([a-z]+)((?:\\\n|,(?! )|[^`\n|>&;#,])*)")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
N_QUERIES = 70


def fences(page):
    return list(FENCE.finditer(page.read_text(encoding="utf-8")))


def runs_something(page):
    return any(fence["run"] for fence in fences(page))


def name_of(page):
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the files that the guide speaks of, and the program on PATH."""
    folder = tmp_path_factory.mktemp("world")
    queries = generate_queries(N_QUERIES + 60, seed=0)
    known, new = queries[:N_QUERIES], [query for query in queries[N_QUERIES:] if query not in queries[:N_QUERIES]]
    (folder / "demo").mkdir()
    write_queries(folder / "demo/queries.jsonl", known)
    write_records(folder / "demo/benchmark_training_data.jsonl", simulate(known))
    write_queries(folder / "new_queries.jsonl", new)
    write_records(folder / "new_records.jsonl", simulate(new))
    for fence in fences(ROOT / "docs/guide/decisions.md"):
        if fence["title"]:
            (folder / fence["title"]).write_text(fence["text"], encoding="utf-8")
    program = folder / "bin/vsr-train"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vsr "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return World(folder)


class World:
    def __init__(self, folder):
        self.folder = folder
        self.done = set()
        self.run("shell", fences(ROOT / "README.md")[1]["text"])

    def run(self, language, text):
        if text.replace("\\\n    ", "") in self.done:
            return
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        text = text.replace("8790", str(port))
        command = [sys.executable, "-c", text] if language == "python" else ["bash", "-euo", "pipefail", "-c", text]
        environment = os.environ | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "no_proxy": "*"}
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=300)
        finally:
            with contextlib.suppress(ProcessLookupError):  # else a server that the block began and did not end
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == 0, f"{text}\n{said}"
        assert "Traceback" not in said
        self.done.add(text.replace("\\\n    ", ""))


@pytest.mark.parametrize("page", list(filter(runs_something, PAGES)), ids=name_of)
def test_marked_blocks_run(page, world):
    for package in ("fastapi", "uvicorn"):
        pytest.importorskip(package)
    if shutil.which("curl") is None and "curl" in page.read_text(encoding="utf-8"):
        pytest.skip("no curl is installed")
    for fence in fences(page):
        if fence["run"]:
            world.run(fence["language"], fence["text"])


def test_every_mark_stands_before_a_block():
    for page in PAGES:
        marked = page.read_text(encoding="utf-8").count("<!-- run")
        assert marked == sum(1 for fence in fences(page) if fence["run"]), name_of(page)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "examples/litellm/README.md", ROOT / "benches/README.md"], ids=name_of)
def test_commands_and_flags_exist(page):
    top = click.Context(cli, info_name="vsr-train")
    for name, rest in COMMAND.findall(page.read_text(encoding="utf-8")):
        command = cli.get_command(top, name)
        assert command is not None or not rest.strip().startswith("-"), f"{name_of(page)}: vsr-train {name}"
        if command is None:
            continue
        context = click.Context(command, top, info_name=name)
        known = {flag for each in command.get_params(context) for flag in (*each.opts, *each.secondary_opts)}
        given = {word.partition("=")[0] for word in re.findall(r"(?<!\S)--[a-z-]+", rest)}
        assert given <= known, f"{name_of(page)}: vsr-train {name} has no {', '.join(sorted(given - known))}"


def test_links_of_the_readme_lead_somewhere():
    found = LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) > 20
    assert [link for link in found if not (ROOT / link).exists()] == []


def test_the_readme_names_the_ways_in():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"\bmake ([a-z-]+)", text))
    assert {"demo", "test"} <= named <= set(targets)
