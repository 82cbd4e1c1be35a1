import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from made_up_report import HOSTILE, MODELS, contents
from vsr.errors import OutputError
from vsr.report import write_report

TEXTS = ("what is the derivative", "The answer is", "I believe it is x")


def found(pattern, text):
    match = re.search(pattern, text, re.DOTALL)
    assert match is not None, pattern
    return match


class Elements(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def page(written):
    return (written / "report.html").read_text()


def test_everything_is_there(written):
    assert sorted(path.name for path in written.iterdir()) == [
        "calibration.png",
        "gains.png",
        "learning.png",
        "quality_against_cost.png",
        "quality_against_latency.png",
        "report.html",
        "report.json",
        "report.md",
        "shares.png",
    ]


def test_the_page_is_small_and_names_nothing_outside_itself(page):
    assert len(page.encode()) < 1_000_000
    for tag, attributes in Elements(page).found:
        for name in ("src", "href", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in page
    assert set(re.findall(r"url\(.", page)) <= {"url(#"}


def test_the_verdict_comes_first(page):
    first = found(r"<h1[^>]*>(.*?)</h1>\s*<p class=\"reason\">(.*?)</p>", page)
    assert first[1] == "Not decided yet"
    assert first[2].startswith("The chosen selector, stacking, gains")


def test_nothing_but_its_own_script_may_run(page):
    script = found(r"<script>(.*?)</script>", page)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in page or f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_hostile_texts_are_text(page):
    assert HOSTILE not in page
    tags = [tag for tag, _ in Elements(page).found]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert "b" not in tags
    assert not any(name.startswith("on") for _, attributes in Elements(page).found for name in attributes)


def test_every_link_has_its_place_and_every_metric_its_definition(page):
    elements = Elements(page).found
    places = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(places) == len(set(places))
    links = [attributes["href"] for tag, attributes in elements if tag == "a"]
    assert {link[1:] for link in links} <= set(places)
    for metric in contents().metrics:
        key = re.sub(r"[^a-z0-9]+", "-", metric.name.lower())
        assert f'<a class="term" href="#def-{key}">{metric.name}</a>' in page
        assert metric.definition in page.replace("&#39;", "'")


def test_every_picture_says_what_to_look_for_and_has_its_table(page):
    assert page.count("<figure>") == page.count("<figcaption>") == 7  # six pictures and the models by category
    sections = re.findall(r"<section id=\"(\w+)\".*?</section>", page, re.DOTALL)
    assert sections == [
        "verdict", "tradeoff", "gains", "categories", "shares", "learning", "calibration", "queries", "metrics",
        "measured", "definitions",
    ]  # fmt: skip
    for section in re.findall(r"<section.*?</section>", page, re.DOTALL):
        if "<svg" in section:
            assert "<table>" in section


def test_the_document_holds_everything(written):
    document = json.loads((written / "report.json").read_text())
    assert document["verdict"] == "inconclusive"
    assert len(document["evaluation"]["curve"]["judged"]) == 21
    assert document["examples"]["wins"][0]["chosen"]["response"].startswith("The answer is 0.")
    assert len(document["learning"]) == 7
    assert [row["category"] for row in document["categories"]] == ["math", "law", "biology", "other"]


def test_markdown_has_its_pictures_and_no_markup_of_others(written):
    text = (written / "report.md").read_text()
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert len(pictures) == 6
    for name in pictures:
        assert (written / name).stat().st_size < 400_000
    assert "<script" not in text
    assert "<b>" not in text
    assert r"Yi-34B\|x" in text
    # Cells of a row are as many as its head has, whatever stands in them.
    for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block


def test_without_queries_no_text_of_any_is_in_any_file(tmp_path):
    write_report(tmp_path, contents(), with_queries=False)
    for path in tmp_path.iterdir():
        content = path.read_bytes().decode("utf-8", errors="ignore")
        for text in TEXTS:
            assert text not in content, path.name
    assert "written without the texts" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["examples"]["n_wins"] == 80


def test_a_bare_comparison_gives_a_report_too(tmp_path):
    whole = contents()
    bare = replace(
        whole,
        evaluation=replace(whole.evaluation, curve=None, learning_curve=()),
        metrics=(),
        categories=(),
        reliability=None,
        examples=None,
    )
    write_report(tmp_path, bare)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".html", ".json", ".md", ".png", ".png"]


def test_long_answers_are_cut_and_odd_characters_survive(tmp_path):
    whole = contents()
    assert whole.examples is not None
    first = whole.examples.wins[0]
    response = "\ud800 half a pair " + "y" * 50_000
    odd = replace(first.chosen, response=response)
    examples = replace(whole.examples, wins=(replace(first, chosen=odd), *whole.examples.wins[1:]))
    write_report(tmp_path, replace(whole, examples=examples))
    page = (tmp_path / "report.html").read_text()
    assert f"and {len(response) - 4000:,} more characters" in page
    assert "y" * 5000 not in page


def test_the_same_contents_give_the_same_bytes(written, tmp_path):
    write_report(tmp_path, contents())
    for name in ("report.html", "report.json", "report.md"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_report(tmp_path / "file", contents())


def test_models_that_are_chosen_most_come_first(page):
    grid = found(r'<table class="grid">(.*?)</table>', page)[1]
    heads = re.findall(r"<bdi>(.*?)</bdi>", grid)
    assert len(heads) == 7
    assert len(heads) == len(set(heads)) < len(MODELS)
