"""Lines of records, usual, unusual and broken ones, as hypothesis draws them."""

import json
from typing import Any

from hypothesis import strategies as st

ALL_ALIKE = dict.fromkeys(("query", "model_name", "performance"), True)
USUAL = {
    "query": st.sampled_from(["What is 2 + 2?", "what  is 2 + 2?", 'Say "\\n" é\n\t🙂', "Why?", "\x7f"]),
    "model_name": st.sampled_from(["a", "b", "ü\\", "c d"]),
    "performance": st.sampled_from([0, 1, 0.0, 1.0, 0.25, 1e-3, 0.1, 0.30000000000000004, 5e-324]),
    "category": st.sampled_from(["math", "Math", "physics", "", None, "geography"]),
    "response_time": st.sampled_from([0, 1.5, 2, None, 1e9]),
    "cost": st.sampled_from([0.0001, None, 0, 3e-7]),
    "input_tokens": st.sampled_from([7, 7.0, None]),
    "output_tokens": st.sampled_from([3, 900, None]),
    "time_to_first_token": st.sampled_from([0.25, None]),
    "embedding_id": st.sampled_from([None, None, None, 1, 1.0]),
    "choices": st.sampled_from([None, None, ["x", "y"], '["x", "y"]', {"text": ["x"], "labels": ["A"]}]),
    "group": st.sampled_from([None, None, "g", 5]),
    "error": st.sampled_from([None, None, ""]),
    "unscored": st.sampled_from([None, False]),
    "response": st.sampled_from(["long " * 9, "", None, 5, [[1, {"a": None}]], "\\\u2028 \ud83d\ude00"]),
    "ground_truth": st.sampled_from(["4", "", None, 4, "5"]),
    "metric": st.sampled_from(["em_mc", None, "", "em_mcc", "mine"]),
    "unparsed": st.sampled_from([True, False, None]),
    "score": st.sampled_from([0.5, None]),
    "subject": st.just("math"),
    "unknown \\ field": st.sampled_from([{"a": [1.5e3, True, "}"]}, [], {}, -0.5]),
}
UNUSUAL = {
    "query": st.sampled_from([" ", "", None, 3, "\ud800", "\ud83d\ude00"]),
    "model_name": st.sampled_from([" ", "", None, 3]),
    "performance": st.sampled_from([None, 2, -0.0, -1, "0.5", True, float("nan"), 1e300, [1]]),
    "error": st.sampled_from(["timeout: 5 s", "refused", "HTTP 500", " ", 5]),
    "unscored": st.sampled_from([True, "yes"]),
    "judged": st.sampled_from([0.5, 2]),
    "is_judged": st.sampled_from([True, False]),
    "probability": st.sampled_from([0.5, 0, 7]),
    "cost": st.sampled_from([-1, 1e7, "free"]),
    "messages": st.sampled_from([[{"role": "user", "content": "Hi"}], [], None]),
    "choices": st.sampled_from([[], "[", 5, {"text": ["x"], "labels": []}]),
    "embedding_id": st.sampled_from([1, 2, "1", [1], -3]),
    "ground_truth": st.sampled_from(["4", 4, ""]),
    "category": st.just(5),
}
BROKEN = [
    b"", b" \r", b"{", b"[]", b"nothing", b"{}", b'{"query":', b'{"query": "torn', b"\xff\xfe", b'{"query": "\xff"}',
    b'{"query": "Why?", "model_name": "a", "performance": 01}',
    b'{"query": "Why?", "model_name": "a", "performance": 1.}',
    b'{"query": "Why?", "model_name": "a", "performance": 1e400}',
    b'{"query": "Why?", "model_name": "a", "performance": 1e-400}',
    b'{"query": "Why?", "model_name": "a", "performance": .5}',
    b'{"query": "Why?", "model_name": "a", "performance": 1, "performance": 0}',
    b'{"query": "Why?", "qu\\u0065ry": "What is 2 + 2?", "model_name": "a", "performance": 0}',
    b'{"query": "Why?", "model_name": "a", "performance": 0.1, "perform\\u0061nce": 0.9}',
    b'{"query": "Why?", "model_name": "a", "performance": 0.1, "err\\u006fr": "timeout: 5 s"}',
    b'{"query": "Why?", "model_name": "a", "performance": 0} {}',
    b'{"query": "Why?", "model_name": "a", "performance": 0,}',
    b'{"query": "Why?", "model_name": "a", "performance": 0, "x": "\\x"}',
    b'{"query": "Why?", "model_name": "a", "performance": 0, "x": "\\ud800"}',
    b'{"query": "Why?", "model_name": "a", "performance": 0, "x": "\xff"}',
    b'{"query": "Why?", "model_name": "a", "performance": 0, "x": "\x01"}',
    b'{"query": "Why?", "model_name": "a", "performance": 0, "x": nil}',
    b'{"query": "Why?", "model_name": "a", "performance": 0, "x": 1e999}',
    b'{"query": "Why?", "model_name": "a", "performance": 0, "x": ' + b"[" * 40 + b"]" * 40 + b"}",
    b'{"query": "Why?",\n"model_name": "a",\n"performance": 0}',
    b'\xef\xbb\xbf{"query": "Why?", "model_name": "a", "performance": 0}',
    b'{"query":"Why?"\t,"model_name":"a","performance":1}',
]  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Draw a line without its end; broken ones may be several."""
    kind = draw(st.sampled_from(["usual"] * 5 + ["unusual", "broken"]))
    if kind == "broken":
        return draw(st.sampled_from(BROKEN))
    optional = [name for name in USUAL if name not in ALL_ALIKE]
    names = [*ALL_ALIKE, *draw(st.lists(st.sampled_from(optional), unique=True, max_size=4))]
    line: dict[str, Any] = {name: draw(USUAL[name]) for name in names}
    if kind == "unusual":
        name = draw(st.sampled_from(sorted(UNUSUAL)))
        line[name] = draw(UNUSUAL[name])
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]))
    ascii_only = draw(st.booleans()) or kind == "unusual"
    text = json.dumps(line, ensure_ascii=ascii_only, separators=separators)
    return text.encode("utf-8", "surrogatepass") + draw(st.sampled_from([b"", b"", b"\r", b" "]))
