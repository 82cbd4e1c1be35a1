import io
import json
import sys

import pytest

from vsr.cli import terminal
from vsr.cli.terminal import Column, Table, Verbosity

TABLE = Table(
    (Column("selector"), Column("quality", "right"), Column("per query", "right")),
    (("best single (sim-large-70b)", "0.499", ""), ("knn [k=100]", "0.513", "41 µs")),
)


class FakeTerminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def normal_verbosity():
    terminal.set_verbosity(Verbosity.NORMAL)
    yield
    terminal.set_verbosity(Verbosity.NORMAL)


def speak():
    terminal.write("data")
    terminal.say("information")
    terminal.detail("detail")
    terminal.warn("careful")
    terminal.fail("broken")


@pytest.mark.parametrize(
    ("verbosity", "stderr"),
    [
        (Verbosity.QUIET, "Warning: careful\nError: broken\n"),
        (Verbosity.NORMAL, "information\nWarning: careful\nError: broken\n"),
        (Verbosity.VERBOSE, "information\ndetail\nWarning: careful\nError: broken\n"),
    ],
)
def test_data_goes_to_stdout_and_all_else_to_stderr(verbosity, stderr, capsys):
    terminal.set_verbosity(verbosity)
    speak()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("data\n", stderr)


def test_colour_on_a_terminal_alone(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", stream)
    terminal.fail("broken")
    assert stream.getvalue() == "\x1b[31m\x1b[1mError: \x1b[0mbroken\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_where_it_is_not_wanted(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", stream)
    terminal.fail("broken")
    assert stream.getvalue() == "Error: broken\n"


def test_json_is_one_line_for_a_pipe(capsys):
    terminal.write_json({"model": "größe", "scores": [0.5]})
    out = capsys.readouterr().out
    assert out == '{"model": "größe", "scores": [0.5]}\n'
    assert json.loads(out)["scores"] == [0.5]
    with pytest.raises(ValueError, match="Out of range float"):
        terminal.write_json({"score": float("nan")})


def test_a_piped_table_is_aligned_plain_text(capsys):
    terminal.write_table(TABLE)
    assert capsys.readouterr().out == (
        "selector                     quality  per query\n"
        "best single (sim-large-70b)    0.499\n"
        "knn [k=100]                    0.513      41 µs\n"
    )


def test_a_piped_table_keeps_a_row_on_one_line(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    terminal.write_table(Table((Column("model"), Column("note")), (("m" * 150, "n" * 60),)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"{'m' * 150}  {'n' * 60}"


def test_a_table_fits_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = FakeTerminal()
    text = terminal.render_table(Table((Column("model"), Column("q", "right")), (("m" * 150, "0.5"),)), stream)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("m") == 151
    assert "\x1b" not in text


WIDE = Table(
    (Column("selector"), Column("quality", "right"), Column("95 %", "right"), Column("per query", "right", True)),
    (("best single (sim-large-70b)", "0.499", "", ""), ("knn", "0.513", "+10.3 .. +12.5", "41 µs")),
)


def test_a_narrow_terminal_drops_spare_columns_and_keeps_figures_whole(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    laid_out = {}
    for width in (80, 44):
        monkeypatch.setenv("COLUMNS", str(width))
        laid_out[width] = terminal.render_table(WIDE, FakeTerminal()).splitlines()
    assert laid_out[80] == [
        "selector                     quality            95 %  per query",
        "best single (sim-large-70b)    0.499",
        "knn                            0.513  +10.3 .. +12.5      41 µs",
    ]
    assert laid_out[44] == [
        "selector             quality            95 %",
        "best single            0.499",
        "(sim-large-70b)",
        "knn                    0.513  +10.3 .. +12.5",
        "No room for: per query.",
    ]


def test_the_least_important_spare_column_goes_first(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    columns = (Column("name"), Column("first", is_spare=True, importance=1), Column("second", is_spare=True))
    table = Table((*columns, Column("third", is_spare=True)), (("a", "1", "2", "3"),))
    for width, expected in ((26, "name  first  second  third"), (25, "name  first  second"), (18, "name  first")):
        monkeypatch.setenv("COLUMNS", str(width))
        assert terminal.render_table(table, FakeTerminal()).splitlines()[0] == expected
    monkeypatch.setenv("COLUMNS", "9")
    laid_out = terminal.render_table(table, FakeTerminal())
    assert laid_out.splitlines()[:2] == ["name", "a"]
    assert " ".join(laid_out.split()[2:]) == "No room for: first, second, third."


def test_texts_wrap_between_words_on_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", stream)
    terminal.warn("routing pays, as everybody hoped")
    terminal.say("  3.5 points over jamba-1.5-large-instruct\n\nnext")
    terminal.say("held  a gain of 3 points over 1")
    assert stream.getvalue() == (
        "Warning: routing\npays, as everybody\nhoped\n  3.5 points over\n  jamba-1.5-large-instruct\n\nnext\n"
        "held  a gain of 3\n      points over 1\n"
    )


def test_progress_off_a_terminal_is_a_line_now_and_then(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with terminal.progress("Embedding", "queries") as report:
        for seconds, done in ((4.0, 100), (12.0, 300), (13.0, 500), (30.0, 1500), (50.0, 2000)):
            now = seconds
            report(done, 2000)
    assert capsys.readouterr().err == (
        "Embedding: 300 of 2,000 queries (15%), about 1 min 8 s left\n"
        "Embedding: 1,500 of 2,000 queries (75%), about 10 s left\n"
    )


def test_progress_takes_a_better_estimate_and_a_note(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "_LINE_EVERY_S", 0.0)
    with terminal.progress("Asking", "calls") as report:
        report(1, 4, left_s=90, note="2 failed")
    assert capsys.readouterr().err == "Asking: 1 of 4 calls (25%), about 1 min 30 s left, 2 failed\n"


def test_progress_is_silent_when_quiet(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "_LINE_EVERY_S", 0.0)
    terminal.set_verbosity(Verbosity.QUIET)
    with terminal.progress("Embedding", "queries") as report:
        report(1, 2)
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_leaves_nothing_behind(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with terminal.progress("Embedding", "queries") as report:
        report(500, 2000, left_s=12, note="[40] tokens/s")
    text = stream.getvalue()
    assert "Embedding" in text
    assert "500 of 2,000 queries, 12 s left, [40] tokens/s" in text
    assert text.endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (9.96, "10.0 s"), (12, "12 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert terminal.duration(seconds) == text


def test_counts_agree_with_their_nouns():
    assert [terminal.counted(count, "model") for count in (0, 1, 2, 1000)] == [
        "0 models",
        "1 model",
        "2 models",
        "1,000 models",
    ]
    assert [terminal.counted(count, "query", "queries") for count in (1, 2)] == ["1 query", "2 queries"]
