"""Comparisons with peers write their own tables: in the right place, with the conditions, and whoever else fails."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BENCHES = ROOT / "benches" / "python"
README = """# Benches

<!-- table: one -->
Old one.
<!-- end -->

Between.

<!-- table: two -->
<!-- end -->
"""


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHES))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))  # other tests import other modules by these names
    return importlib.import_module


@pytest.fixture
def readme(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(README)
    return path


@pytest.fixture
def run(module, monkeypatch, tmp_path):
    """Run the program on parts that are scripts of a line, and give its exit code."""
    peers = module("peers")

    def run(scripts, *arguments, needs={}):  # noqa: B006 -- nobody writes to it
        parts = []
        for name, script in scripts.items():
            (tmp_path / f"{name}.py").write_text(script)
            command, quick = f"{name}.py 'full run'", f"{name}.py quick"
            parts.append(peers.Part(name, command, quick, 1, ("numpy", "candle-core"), needs.get(name, "")))
        monkeypatch.setattr(peers, "FOLDER", tmp_path)
        monkeypatch.setattr(peers, "PARTS", tuple(parts))
        monkeypatch.setattr(sys, "argv", ["peers.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            peers.main()
        return end.value.code

    return run


SAYS = "import sys\nprint('| ran | ' + sys.argv[1] + ' |')"
BREAKS = "print('| half |')\nraise SystemExit('broken')"


def test_a_part_writes_its_table_with_what_it_was_measured_on(run, readme):
    assert run({"one": SAYS}, "--readme", readme) == 0
    text = readme.read_text()
    table = text.partition("<!-- table: one -->\n")[2].partition("\n<!-- end -->")[0]
    words, _, rows = table.partition("\n\n")
    assert rows == "| ran | full run |"
    assert "Old" not in text
    assert re.fullmatch(
        r"Measured \d{4}-\d\d-\d\d \d\d:\d\d UTC in \d+\.\d minutes on .+, \d+ cores, \d+ GiB, .+; load \d+\.\d before"
        r"(, others took \d+\.\d\d cores meanwhile)?; Python 3\.\S+, numpy \d\S+, candle-core \d\S+\.",
        words.replace("\n", " "),
    )
    assert text.endswith("Between.\n\n<!-- table: two -->\n<!-- end -->\n")


def test_a_table_keeps_the_figures_of_other_processors(run, module, monkeypatch, readme):
    tables = module("readme_tables")
    for name, said in (("A 1 with AMX", "first"), ("A 10", "other"), ("A 1 with AMX", "again")):
        monkeypatch.setattr(tables, "processor", lambda name=name: name)
        assert run({"two": f"print('{said}')"}, "--readme", readme) == 0
    table = readme.read_text().partition("<!-- table: two -->\n")[2].partition("\n<!-- end -->")[0]
    words, figures = table.split("\n\n")[::2], table.split("\n\n")[1::2]
    assert figures == ["again", "other"]
    assert "A 1 with AMX, " in words[0].replace("\n", " ")
    assert "A 10, " in words[1].replace("\n", " ")


def test_a_part_that_fails_keeps_its_table_and_the_others_go_on(run, readme, capfd):
    assert run({"one": BREAKS, "two": SAYS}, "--readme", readme) == 1
    text = readme.read_text()
    assert "Old one." in text
    assert "| half |" not in text
    assert "| ran | full run |" in text.partition("Between.")[2]
    output = capfd.readouterr()
    assert "broken" in output.err
    assert re.search(r"^one +0\.\d of 1 min  FAILED: Command 'one\.py 'full run'' returned .+ 1\.$", output.err, re.M)
    assert re.search(r"^two +0\.\d of 1 min$", output.err, re.M)


def test_a_part_that_the_processor_cannot_run_is_skipped(run, readme, capfd):
    assert run({"one": BREAKS, "two": SAYS}, "--readme", readme, needs={"one": "no_such_thing"}) == 0
    assert "Old one." in readme.read_text()
    assert re.search(r"^one +skipped: this processor has no no_such_thing$", capfd.readouterr().err, re.M)


def test_a_table_without_a_place_is_a_failure(run, readme, capfd):
    assert run({"three": SAYS}, "--readme", readme) == 1
    assert "0 tables 'three', expected one" in capfd.readouterr().err
    assert readme.read_text() == README


def test_a_quick_run_writes_nothing(run, module, monkeypatch, readme, capfd):
    monkeypatch.setattr(module("readme_tables"), "README", readme)
    assert run({"one": SAYS, "two": SAYS}, "--quick", "--only", "two") == 0
    assert capfd.readouterr().out == "| ran | quick |\n"
    assert readme.read_text() == README


def test_every_part_has_one_place_in_the_readme(module):
    """And every place is written by a part; together they keep to the time that is promised."""
    peers, text = module("peers"), (ROOT / "benches/README.md").read_text()
    assert sorted(re.findall(r"^<!-- table: (\S+) -->$", text, re.M)) == sorted(part.name for part in peers.PARTS)
    assert sum(part.minutes for part in peers.PARTS) <= peers.GOAL_MINUTES
    assert all((BENCHES / part.command.split()[0]).is_file() for part in peers.PARTS)


def test_the_program_says_what_it_does():
    command = [sys.executable, str(BENCHES / "peers.py"), "--help"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "--quick" in output
