"""The Dockerfile names what there is: files that reach the build, extras, the program and its port."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from vsr.cli.serve import serve

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions(name):
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.M)


COPIED = [
    source
    for arguments in instructions("COPY")
    if not arguments.startswith("--from")
    for source in shlex.split(arguments)[:-1]
]


@pytest.mark.parametrize("source", COPIED)
def test_what_is_copied_exists_and_is_not_ignored(source):
    first, *kept = (ROOT / ".dockerignore").read_text().split()
    assert first == "*"
    assert (ROOT / source).exists()
    assert f"!{source}" in kept


def test_what_the_build_reads_is_copied():
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    needed = {"Cargo.toml", "Cargo.lock", "pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]}
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["maturin"]
    needed |= {str(Path(cargo["lib"]["path"]).parent), tool["python-source"]}
    assert needed == set(COPIED)


def test_stages_that_are_copied_from_exist():
    stages = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.M)
    assert re.findall(r"^COPY --from=(\S+)", DOCKERFILE, re.M) == stages


def test_the_extras_exist():
    (extras,) = re.findall(r"\.whl\)\[([\w,-]+)\]", DOCKERFILE)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_program_and_its_port_exist():
    (program,) = re.findall(r'^ENTRYPOINT \["(\S+)"\]$', DOCKERFILE, re.M)
    assert program in PROJECT["scripts"]
    (port,) = instructions("EXPOSE")
    assert {option.name: option.default for option in serve.params}["port"] == int(port)
