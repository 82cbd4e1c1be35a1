"""Keys and header values: no server brings them into a record or a message; queries stay as they are."""

import base64
import json
import re
from urllib.parse import quote, quote_plus

import pytest

from servers.scripted import Scripted, chat, config_for, endpoint, json_response
from vsr.asking.secrets import REMOVED, Secrets
from vsr.benchmark.plan import make_plan
from vsr.benchmark.runner import RunSettings, run_benchmark
from vsr.data.records import Query
from vsr.providers.call import LONGEST_MESSAGE, Answer, ErrorKind, FailedCall

KEY = 'sk/ü "quoted" + and 50% of a\\key'
FORMS = {
    "plain": KEY,
    "bearer": f"Bearer {KEY}",
    "url": quote(KEY, safe=""),
    "url with slashes": quote(KEY),
    "form": quote_plus(KEY),
    "lower-case url": re.sub("%..", lambda found: found[0].lower(), quote(KEY, safe="")),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 in a header": base64.b64encode(f"user:{KEY}:x".encode()).decode(),
    "base64 one later": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "url-safe base64": base64.urlsafe_b64encode(f"a{KEY}".encode()).decode(),
    "json": json.dumps(KEY)[1:-1],
    "json as it is": json.dumps(KEY, ensure_ascii=False)[1:-1],
    "json with escaped slashes": json.dumps(KEY)[1:-1].replace("/", "\\/"),
}
SETTINGS = RunSettings()


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_in_every_form(form):
    secrets = Secrets([f" {KEY}\n"])
    said = f"before {FORMS[form]} after"
    answer = secrets.without(Answer(said, finish_reason=said, reasoning=said))
    failed = secrets.without(FailedCall(ErrorKind.BAD_REQUEST, said))
    for text in (answer.text, str(answer.finish_reason), str(answer.reasoning), failed.message):
        assert REMOVED in text
        assert not any(FORMS[form][at : at + 12] in text for at in range(len(FORMS[form]) - 12))
        assert text.startswith("before ")
        assert text.endswith(" after")


def test_what_is_inside_a_scheme_is_a_secret_too():
    assert (
        Secrets(["Basic dXNlcjpwYXNzd29yZA=="]).without(Answer("it is dXNlcjpwYXNzd29yZA==")).text == f"it is {REMOVED}"
    )


def test_short_values_leave_answers_alone_but_not_errors():
    secrets = Secrets(["EMPTY", "no"])
    assert secrets.without(Answer("EMPTY sets, no?")).text == "EMPTY sets, no?"
    assert secrets.without(FailedCall(ErrorKind.BAD_REQUEST, "EMPTY is no key")).message == f"{REMOVED} is no key"


def test_nothing_of_a_long_secret_is_left_where_a_message_is_cut():
    long = "".join(chr(97 + n % 26) + str(n) for n in range(500))
    failed = Secrets([long]).without(FailedCall(ErrorKind.BAD_REQUEST, f"{long} " * 9))
    assert failed.message == (f"{REMOVED} " * 9)[:LONGEST_MESSAGE]


def test_every_headers_value_is_kept_out_of_records_and_summary(tmp_path):
    values = {"X-Title": "the value of a title", "X-Team": "the value of a team", "Cookie": "the value of a cookie"}

    def reply(seen):
        said = " ".join([*(seen.headers[name.lower()] for name in values), seen.headers["authorization"]])
        return json_response({"error": {"message": said}}, 400) if "fail" in seen.prompt else json_response(chat(said))

    with Scripted(reply) as server:
        config = config_for([endpoint(server, headers=values, api_key="the-key-of-all")], {"a": {}})
        plan = make_plan([Query("answer", "math"), Query("fail", "math")], config, environment={})
        summary = run_benchmark(plan, tmp_path / "out.jsonl", SETTINGS)
    written = (tmp_path / "out.jsonl").read_text()
    assert written.count(REMOVED) == 8
    assert not any(value in f"{written}{summary!r}{plan!r}" for value in (*values.values(), "the-key-of-all"))


def test_a_key_that_is_a_word_of_the_query_stays_there_and_nothing_is_asked_again(tmp_path):
    out = tmp_path / "out.jsonl"
    with Scripted(lambda seen: json_response(chat(f"{seen.prompt} Yes."))) as server:
        config = config_for([endpoint(server, api_key="question", headers={"X-Team": "ordinary"})], {"a": {}})
        plan = make_plan([Query("Is this an ordinary question?", "math", "yes")], config, environment={})
        first = run_benchmark(plan, out, SETTINGS)
        second = run_benchmark(plan, out, SETTINGS)
    assert (first.n_asked, second.n_asked, len(server.asked())) == (1, 0, 1)
    record = json.loads(out.read_text())
    assert record["query"] == "Is this an ordinary question?"
    assert record["response"] == f"Is this an {REMOVED} {REMOVED}? Yes."
