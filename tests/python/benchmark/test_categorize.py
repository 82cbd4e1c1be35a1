import gzip
import json
import threading
from collections import Counter

import numpy as np
import pytest

from servers.scripted import json_response
from vsr.benchmark import categorize as module
from vsr.benchmark.categorize import Accuracy, Label, Neighbours, RouterApi, categorize
from vsr.cli import main
from vsr.errors import BenchmarkError, RecordError
from vsr.simulation.server.http import LoopbackServer, Response

WORDS = {"integral": "math", "court": "law", "enzyme": "biology"}


def by_word(text):
    return next((category for word, category in WORDS.items() if word in text), "x")


class Router:
    """The router's classifier: a word decides; counts what it is asked."""

    def __init__(self, reply=None, healthy=True):
        self.texts: Counter[str] = Counter()
        self.healthy = healthy
        self.reply = reply or (lambda text: classified(by_word(text)))
        self.server = LoopbackServer(self.respond)

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)

    async def respond(self, request):
        if request.path == "/health":
            return Response(200 if self.healthy else 503, b'{"status": "ok"}')
        assert (request.method, request.path) == ("POST", "/api/v1/classify/intent")
        text = json.loads(request.body)["text"]
        self.texts[text] += 1
        return self.reply(text)


def classified(category):
    return json_response({"classification": {"category": category, "confidence": 0.9, "processing_time_ms": 3}})


@pytest.fixture
def files(tmp_path):
    rows = [
        {"query": "Solve the integral", "extra": 1},
        {"query": "The court decides"},
        {"query": "An enzyme", "category": "Chemistry"},
        {"query": "the  COURT decides", "category": "  "},
        {"query": "Which?", "choices": ["court", "tree"]},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    return source, tmp_path / "out.jsonl"


def rows_of(path):
    data = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()]


def by_api(router, source, target, **settings):
    api = RouterApi(router.server.url, target.with_name("kept"), **settings)
    return categorize(source, target, api, lambda _done, _total: None)


def test_the_router_is_asked_once_a_text_and_categories_that_are_there_stay(files):
    source, target = files
    with Router() as router:
        report = by_api(router, source, target)
    found = rows_of(target)
    assert [row["category"] for row in found] == ["math", "law", "Chemistry", "law", "law"]
    assert found[0]["extra"] == 1
    assert router.texts == {"Solve the integral": 1, "The court decides": 1, "Which?\nA) court\nB) tree": 1}
    assert (report.n_rows, report.n_kept, report.n_added, report.n_without) == (5, 1, 4, 0)
    assert report.distribution == {"law": 3, "math": 1, "chemistry": 1}


def test_unknown_names_count_as_other_and_are_named(files):
    source, target = files
    with Router(lambda _text: classified("geography")) as router:
        report = by_api(router, source, target)
    assert [row["category"] for row in rows_of(target)] == ["other", "other", "Chemistry", "other", "other"]
    assert report.unknown == {"geography": 3}


def test_failures_are_tried_again_and_then_reported(files, monkeypatch):
    monkeypatch.setattr(module, "_BACKOFF_S", 0.001)
    source, target = files
    failures: Counter[str] = Counter()

    def reply(text):
        failures[text] += 1
        if "integral" in text:
            return Response(503, b"")
        if "Which" in text:
            return Response(200, b"no json")
        return classified("law") if failures[text] > 2 else Response(429, b"", {"retry-after": "0"})

    with Router(reply) as router:
        report = by_api(router, source, target)
    assert failures["Solve the integral"] == 5
    assert failures["Which?\nA) court\nB) tree"] == 1
    assert report.failures == {"HTTP 503": 1, "an answer that cannot be understood": 1}
    assert report.n_without == 2
    assert report.distribution["none"] == 2
    assert "category" not in rows_of(target)[0]


def test_a_router_that_means_no_good_costs_what_it_is_asked(files, monkeypatch):
    monkeypatch.setattr(module, "_BACKOFF_S", 0.001)
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.5)
    source, target = files
    bomb = gzip.compress(bytes(64 << 20))

    def reply(text):
        if "integral" in text:
            return Response(200, bomb, {"content-encoding": "gzip"})
        if "Which" in text:
            threading.Event().wait(0.7)
        return Response(200, b'{"classification": {"category": "law", "x": ' + b"[" * 100_000)

    with Router(reply) as router:
        report = by_api(router, source, target, concurrency=1)
    assert report.n_added == 0
    assert report.failures == {"an answer that cannot be understood": 2, "no connection: TimeoutError": 1}


def test_a_second_run_goes_on_where_the_first_stopped(files, monkeypatch):
    monkeypatch.setattr(module, "_BACKOFF_S", 0.001)
    monkeypatch.setattr(module, "_MOST_FAILURES_IN_ROW", 1)
    source, target = files
    with Router(lambda text: Response(500, b"") if "Which" in text else classified("law")) as router:
        with pytest.raises(BenchmarkError, match="the same command goes on from there"):
            by_api(router, source, target, concurrency=1)
        assert not target.exists()
        first = router.texts.total()
        router.reply = lambda _text: classified("math")
        by_api(router, source, target)
        assert router.texts.total() == first + 1
    assert [row["category"] for row in rows_of(target)] == ["law", "law", "Chemistry", "law", "math"]


def test_a_router_that_is_not_there_or_not_well(files):
    source, target = files
    with Router(healthy=False) as router, pytest.raises(BenchmarkError, match=r"/health: the router is not healthy"):
        by_api(router, source, target)
    with pytest.raises(BenchmarkError, match="the router does not answer"):
        by_api(router, source, target)  # it has gone
    assert not target.exists()


def embed(texts):
    """Vectors whose direction is the word that a text holds."""
    rows = np.array([[float(word in text) + 0.01 for word in (*WORDS, "tree")] for text in texts], np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_neighbours_vote(files):
    source, target = files
    texts = [f"{word} {i}" for word in WORDS for i in range(12)]
    neighbours = Neighbours(embed, texts, [WORDS[text.split()[0]] for text in texts])
    assert neighbours.accuracy() == Accuracy(n=len(texts), n_right=len(texts), n_commonest=12)
    report = categorize(source, target, neighbours, lambda _done, _total: None)
    assert [row["category"] for row in rows_of(target)] == ["math", "law", "Chemistry", "law", "law"]
    assert report.n_added == 4


def test_a_labelled_query_does_not_vote_for_itself():
    alone = Neighbours(embed, ["court 1", "court 2", "integral"], ["law", "law", "math"])
    assert alone.accuracy() == Accuracy(n=3, n_right=2, n_commonest=2)


def test_one_labelled_query_is_enough_and_none_is_not():
    one = Neighbours(embed, ["court"], ["law"])
    assert one.label(["integral"], print) == [Label("law")]
    assert one.accuracy() is None
    with pytest.raises(RecordError, match="there is no labelled query to learn from"):
        Neighbours(embed, [], [])


def test_a_line_without_a_query_is_named(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(RecordError, match="a line has no `query`"):
        categorize(tmp_path / "in.jsonl", tmp_path / "out.jsonl", Neighbours(embed, ["court"], ["law"]), print)


def test_the_command_with_each_source(files, tmp_path, capsys):
    source, target = files
    with Router() as router:
        assert (
            main(["categorize", "--input", str(source), "--output", str(target), "--from-api", router.server.url]) == 0
        )
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].split() == ["law", "3"]
    assert "5 lines: 1 had a category, 4 got one" in shown.err
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "out.jsonl"}

    labelled = tmp_path / "labelled.jsonl.gz"
    with gzip.open(labelled, "wt") as stream:
        for i in range(10):
            for word, category in WORDS.items():
                stream.write(json.dumps({"query": f"{word} number {i}", "category": category}) + "\n")
    packed = target.with_suffix(".jsonl.gz")
    flags = ["--from-labelled", str(labelled), "--use-fallback"]
    assert main(["categorize", "--input", str(source), "--output", str(packed), *flags]) == 0
    assert [row["category"] for row in rows_of(packed)][:2] == ["math", "law"]
    assert "30 labelled queries" in capsys.readouterr().err


def test_the_command_takes_the_labelled_lines_of_the_input_itself(tmp_path, capsys):
    source = tmp_path / "in.jsonl"
    rows = [{"query": f"{word} number {i}", "category": name} for word, name in WORDS.items() for i in range(10)]
    source.write_text("\n".join(map(json.dumps, [*rows, {"query": "the court number 3"}])))
    assert main(["categorize", "--input", str(source), "--output", str(source), "--use-fallback"]) == 0
    assert rows_of(source)[-1]["category"] == "law"
    source.write_text('{"query": "a"}\n{"query": "b"}\n')
    assert main(["categorize", "--input", str(source), "--output", str(source), "--use-fallback"]) == 1
    assert "there is no labelled query to learn from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--from-api", "http://x", "--from-labelled", "y"], "two sources: give one"),
        (["--from-api", "http://x", "--use-fallback"], "The embedding flags have no effect with --from-api"),
        (["--embedding-file", "v.npy"], "--embedding-file has no effect here"),
    ],
)
def test_flags_without_effect_are_refused(files, capsys, flags, said):
    source, target = files
    assert main(["categorize", "--input", str(source), "--output", str(target), *flags]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_too_many_failures_are_exit_code_3(files, monkeypatch, capsys):
    monkeypatch.setattr(module, "_BACKOFF_S", 0.001)
    source, target = files
    with Router(lambda _text: Response(400, b"")) as router:
        flags = ["--from-api", router.server.url]
        assert main(["categorize", "--input", str(source), "--output", str(target), *flags]) == 3
    assert "4 lines are still without a category: HTTP 400 (3)" in capsys.readouterr().err
    assert threading.active_count() < 10
