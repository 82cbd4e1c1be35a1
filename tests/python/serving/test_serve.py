"""The choice over HTTP: a real process, real sockets."""

import importlib.util
import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from routing.subjects import LAW, MODELS
from routing.trainings import write_training
from serving.process import refused, served
from vsr.cli import main
from vsr.persistence.versions import list_versions, new_training
from vsr.routing import Router
from vsr.routing.choice_document import choice_document
from vsr.traffic.decisions import read_decisions

HEAD = "POST /v1/select HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
KEY = "a key of nobody's".replace(" ", "-")


@pytest.fixture(scope="module")
def server(folder):
    with served("--models-dir", folder) as running:
        yield running


def without_id(answer):
    return {name: value for name, value in answer.items() if name not in ("id", "request_id")}


def raw(server, head, body=b""):
    """Send bytes as they are, and give the status line and the body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + body)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), rest


# What it answers


def test_the_answer_is_what_the_router_says(server, folder):
    router = Router.load(folder)
    answer = server.select({"query": LAW, "request_id": "mine"})
    assert answer.status_code == 200
    expected = json.loads(json.dumps(choice_document(router.select(LAW))))
    assert without_id(answer.json()) == expected
    assert answer.json()["model"] == "cicero"
    assert answer.json()["request_id"] == "mine"
    assert len(answer.json()["id"]) == 32


def test_a_list_is_answered_in_order_by_the_fields_of_each(server, folder):
    router = Router.load(folder)
    assert router.embedder is not None
    asked = [
        {"query": LAW, "category": "law"},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "enzyme and protein?"}]},
        {"query": LAW, "candidates": ["newton", "darwin"]},
        {"query": LAW, "objective": {"quality_weight": 0.0}},
        {"query": LAW, "limits": {"max_latency_s": 1.5}},
        {"query": LAW, "previous": "newton", "objective": {"switch_margin": 5.0}},
        {"query": LAW, "candidates": ["nobody"], "default": "somebody"},
        {"embedding": [float(number) for number in router.embedder.embed([LAW])[0]], "category": "law"},
    ]
    answers = server.select(asked).json()
    models = ["cicero", "darwin", "darwin", "newton", "newton", "newton", "somebody", "cicero"]
    assert [each["model"] for each in answers] == models
    assert [each["reason"] for each in answers[4:]] == ["single_candidate", "stayed", "default", "predicted"]
    assert answers[0]["category_source"] == "given"
    assert set(answers[4]["excluded"]) == {"cicero", "darwin"}
    assert len({each["id"] for each in answers}) == len(asked)


def test_an_empty_list_has_an_empty_answer(server):
    assert server.select([]).json() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"quary": "x"}, "unknown field `quary`"),
        ({"query": " "}, "is blank"),
        ({}, "neither a query nor an embedding"),
        ({"query": 1}, "Expected `str"),
        ({"query": "x", "messages": [{"role": "user", "content": "y"}]}, "a query and messages were given"),
        ([{"query": "x"}, {"messages": []}], "request 1: messages are []"),
        ({"query": "x", "limits": {"min_quality": 2}}, "min_quality is 2"),
        ({"query": "x", "objective": {"quality_weight": -1}}, "quality_weight is -1"),
        ({"query": "x", "candidates": ["nobody"]}, "nobody"),
        ({"embedding": [1.0]}, "expected"),
        ({"query": "x", "request_id": "y" * 257}, "at most 256"),
        ([{"query": "x"}] * 257, "expected at most 256"),
        ("text", "Expected `object | array`"),
        ({"query": "x", "messages": None, "signals": {"keyword": [[[[[]]]]]}}, "$.signals"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_line(server, body, said):
    answer = server.select(body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b'{"query": NaN}',
        b'{"embedding": [1e999]}',
        b'{"query": "\\ud800"}',
        b'{"query": "x", "query": ',
        b'{"messages": [{"role": "user", "content": ' + b"[" * 100_000,
        b'{"query": "x", "signals": ' + b'{"a":' * 33 + b"[]" + b"}" * 33 + b"}",
    ],
)
def test_bytes_that_are_no_request_are_refused(server, content):
    answer = server.client.post("/v1/select", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert len(answer.json()["error"]) < 700


def test_models_health_and_readiness(server):
    models = server.client.get("/v1/models").json()
    assert models["models"] == sorted(MODELS)
    assert models["default"] in MODELS
    assert server.client.get("/healthz").json() == {"status": "ok"}
    assert server.client.get("/readyz").json() == {"status": "ok", "routing": "on"}


def test_metrics_count_choices_and_callers_make_none(server):
    line = 'vsr_choices_total{model="other",reason="default"}'
    server.select({"query": "x", "candidates": ["nobody"], "default": "invented"})
    before = server.metric(line)
    server.select({"query": "x", "candidates": ["nobody"], "default": "invented-too"})
    assert server.metric(line) == before + 1
    server.client.get("/nowhere/at/all")
    assert server.metric('vsr_http_requests_total{code="404",path="other"}') >= 1
    assert "invented" not in server.client.get("/metrics").text


# Whom it answers


def test_paths_and_methods_that_do_not_exist(server):
    assert server.client.get("/v1/select").status_code == 405
    assert server.client.post("/v1/models", json={}).status_code == 405
    assert server.client.get("/v1/select/").status_code == 404


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken_so_that_no_form_of_a_web_page_gets_through(server, kind):
    answer = server.client.post("/v1/select", content=b'{"query": "x"}', headers={"content-type": kind})
    assert answer.status_code == 415


def test_a_page_gets_no_leave_to_ask(server):
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = server.client.options("/v1/select", headers=headers)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost:1", 200),
        ("LOCALHOST", 200),
        ("[::1]:80", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:8790", 421),
        ("127.0.0.1:80:80", 421),
        ("", 421),
    ],
)
def test_a_name_that_leads_here_by_a_trick_is_refused(server, host, code):
    assert server.client.get("/v1/models", headers={"host": host}).status_code == code


def test_large_bodies_are_refused_however_they_come(folder):
    with served("--models-dir", folder, "--max-body-mib", "0.01") as server:
        assert raw(server, f"{HEAD}Connection: close\nContent-Length: 999999999999\n\n")[0] == 413
        chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
        assert raw(server, f"{HEAD}Connection: close\nTransfer-Encoding: chunked\n\n", chunk * 2)[0] == 413
        assert server.select({"query": "x" * 20_000}).status_code == 413
        assert server.select({"query": LAW}).status_code == 200


def test_more_than_it_can_hold_is_refused_with_the_default_model(folder):
    with served("--models-dir", folder) as server:
        head = f"{HEAD}Content-Length: 99\n\n{{".replace("\n", "\r\n").encode()
        waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(256)]
        for connection in waiting:
            connection.sendall(head)
        deadline_s = time.monotonic() + 20
        while server.metric("vsr_requests_in_flight") < 256 and time.monotonic() < deadline_s:
            time.sleep(0.05)
        answer = server.select({"query": LAW})
        assert answer.status_code == 503
        assert answer.json()["default"] == server.client.get("/v1/models").json()["default"]
        assert server.client.get("/healthz").status_code == 200
        for connection in waiting:
            connection.close()
        while server.metric("vsr_requests_in_flight") > 0 and time.monotonic() < deadline_s:
            time.sleep(0.05)
        assert server.select({"query": LAW}).status_code == 200


def test_another_address_wants_a_key(folder, tmp_path):
    code, said = refused("--models-dir", folder, "--host", "0.0.0.0")
    assert code == 1
    assert "there is no key; set VSR_SERVE_KEY" in said
    code, said = refused("--models-dir", folder, VSR_SERVE_KEY="short")
    assert code == 1
    assert "5 characters" in said
    assert "short" not in said
    (tmp_path / "key").write_text(f"{KEY}\n")
    with served("--models-dir", folder, "--host", "0.0.0.0", "--key-file", tmp_path / "key") as server:
        server.client.base_url = f"http://127.0.0.1:{server.port}"
        assert server.select({"query": LAW}).status_code == 401
        wrong = {"Authorization": f"Bearer {KEY}x"}
        assert server.client.get("/metrics", headers=wrong).status_code == 401
        assert server.client.get("/nowhere").status_code == 401
        right = {"Authorization": f"Bearer {KEY}", "Host": "vsr.default.svc"}
        assert server.select({"query": LAW}, headers=right).json()["model"] == "cicero"
        assert server.client.get("/healthz", headers={"Host": "10.0.0.7"}).status_code == 200
        assert server.client.get("/readyz").status_code == 200
        assert not [line for line in server.said if KEY in line]


# How it begins and ends


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    assert main(["serve"]) == 1
    advice = "install the extra with `pip install '.[serve]'` in a checkout of vsr-train"
    assert capsys.readouterr().err == f"Error: serve needs uvicorn: {advice}\n"


def test_sigterm_ends_what_is_under_way(folder, tmp_path):
    with served("--models-dir", folder, "--log", tmp_path / "log") as server:
        body = json.dumps({"query": LAW}).encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            head = f"{HEAD}Content-Length: {len(body)}\n\n".replace("\n", "\r\n")
            connection.sendall(head.encode() + body[:5])
            while server.metric("vsr_requests_in_flight") < 1:
                time.sleep(0.02)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            connection.sendall(body[5:])
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert server.process.wait(timeout=40) == 0
    assert len((tmp_path / "log" / "decisions.jsonl").read_text().splitlines()) == 1
    assert not [line for line in server.said if "Traceback" in line or "Error" in line]


def test_ctrl_c_ends_it_as_any_command(folder):
    with served("--models-dir", folder) as server:
        assert server.select({"query": LAW}).status_code == 200
        assert server.end(signal.SIGINT) == 130
    assert server.said[-1] == "Error: Interrupted."


def test_many_callers_at_once_are_all_answered(server):
    asked = [
        {"query": f"What is the {word} number {number}?"} for number in range(40) for word in ("integral", "court")
    ]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(server.select, asked))
    assert {each.status_code for each in answers} == {200}
    assert len({each.json()["id"] for each in answers}) == len(asked)


def test_one_model_answers_everything_where_routing_is_switched_off(tmp_path):
    with served("--models-dir", tmp_path / "nothing", "--fixed", "safe") as server:
        asked = [
            {"query": LAW, "default": "x", "candidates": ["y"]},
            {"messages": [{"role": "user", "content": "hi"}]},
            {"embedding": [1.0, 2.0]},
        ]
        assert [each["model"] for each in server.select(asked).json()] == ["safe"] * 3
        assert server.select({}).status_code == 400
        assert server.client.get("/v1/models").json() == {"models": ["safe"], "default": "safe", "run_id": None}
        assert any("routing is switched off" in line for line in server.said)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--log-text",), 2, "--log-text has no effect without --log."),
        (("--fixed", "x", "--explore", "0.1"), 2, "--explore has no effect with --fixed."),
        (("--fixed", "x", "--explore-margin", "0.1"), 2, "--explore-margin has no effect with --fixed."),
        (("--embedding-file", "x.npy"), 2, "--embedding-file has no effect here"),
        (("--models-dir", "/nowhere"), 1, "no such folder"),
        (("--key-file", "/nowhere"), 1, "cannot be read"),
        (("--fixed", "x", "--host", "256.0.0.1", "--key-file", "KEY"), 1, "cannot be listened on"),
    ],
)
def test_a_server_that_cannot_start_says_why(tmp_path, arguments, code, said):
    (tmp_path / "key").write_text(KEY)
    given = [str(tmp_path / "key") if each == "KEY" else each for each in arguments]
    ended, err = refused(*given)
    assert ended == code
    assert said in err
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_named(server, folder):
    code, said = refused("--models-dir", folder, "--port", server.port)
    assert code == 1
    assert f"--port {server.port}: cannot be listened on" in said


def test_some_answers_are_drawn_and_the_log_says_how_probable_they_were(folder, tmp_path):
    with served("--models-dir", folder, "--explore", "0.5", "--explore-margin", "2", "--log", tmp_path) as server:
        answers = server.select([{"query": LAW, "request_id": "mine"}] * 200).json()
        assert {answer["propensity"] for answer in answers} == {0.5 / 3, 0.5 + 0.5 / 3}
        assert {answer["model"] for answer in answers if answer["reason"] == "explored"} == {"newton", "darwin"}
        for unexplored in ({"explore": 0.0}, {"previous": "cicero"}):
            answers = server.select([{"query": LAW, **unexplored}] * 50).json()
            assert {(answer["model"], answer["propensity"]) for answer in answers} == {("cicero", 1.0)}
        [answer] = server.select([{"query": LAW, "explore": 1.0}]).json()
        assert answer["propensity"] == 1.0 / 3
        assert server.select({"query": LAW, "explore": 2}).json()["error"].startswith("explore is 2")
        server.end()
    logged = list(read_decisions(tmp_path))
    assert (len(logged), logged[0].request_id, logged[0].explore_margin) == (301, "mine", 2.0)
    assert {each.explore_margin for each in logged[200:250]} == {None}
    assert logged[-1].propensity == 1.0 / 3


def test_decisions_of_a_configuration_are_served(folder, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
default_model: darwin
model_selection: {{enabled: true, models_path: {folder}}}
vllm_endpoints: [{{name: local, address: 127.0.0.1, port: 1, type: vllm}}]
model_config:
  newton: {{preferred_endpoints: [local]}}
  cicero: {{preferred_endpoints: [local]}}
  darwin: {{preferred_endpoints: [local]}}
decisions:
  - name: urgent
    priority: 10
    rules: {{operator: AND, conditions: [{{type: keyword, name: urgent}}]}}
    modelRefs: [{{model: newton, use_reasoning: true}}]
  - name: law
    priority: 1
    rules: {{operator: AND, conditions: [{{type: domain, name: law}}]}}
    modelRefs: [{{model: newton}}, {{model: cicero}}]
"""
    )
    with served("--config", config, "--log", tmp_path / "log", "--log-text") as server:
        asked = [
            {"query": LAW},
            {"query": LAW, "signals": {"keyword": ["urgent"]}},
            {"query": "enzyme?", "category": "biology"},
        ]
        answers = server.select(asked).json()
        assert [each["decision"] for each in answers] == ["law", "urgent", None]
        assert [each["model"] for each in answers] == ["cicero", "newton", "darwin"]
        assert answers[1]["reference"]["use_reasoning"] is True
        assert server.end() == 0
    lines = [json.loads(line) for line in (tmp_path / "log" / "decisions.jsonl").read_text().splitlines()]
    assert [line["decision"] for line in lines] == ["law", "urgent", None]
    assert lines[0]["candidates"] == ["newton", "cicero"]
    assert [line["text"] for line in lines] == [LAW, LAW, "enzyme?"]


# New trainings


def test_a_new_training_is_served_without_a_failed_request(tmp_path):
    write_training(tmp_path)
    with served("--models-dir", tmp_path) as server:
        codes = []
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                codes.append(server.select({"query": LAW}).status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        for n_queries in (150, 180):
            before = server.client.get("/v1/models").json()["run_id"]
            write_training(tmp_path, n_queries=n_queries)
            written_s = time.monotonic()
            while server.client.get("/v1/models").json()["run_id"] == before:
                assert time.monotonic() - written_s < 10, server.said
                time.sleep(0.02)
        ended.set()
        asking.join()
        assert set(codes) == {200}
        assert server.metric('vsr_reloads_total{result="served"}') == 2
        assert server.metric("vsr_training_refused") == 0


def test_a_damaged_training_is_refused_and_shown_and_the_next_sound_one_is_served(tmp_path):
    artefact = write_training(tmp_path)
    with served("--models-dir", tmp_path) as server:
        before = server.client.get("/v1/models").json()["run_id"]
        expected = without_id(server.select({"query": LAW}).json())
        sound = write_training(tmp_path, n_queries=150, with_manifest=False).read_bytes()
        manifest = tmp_path / "recommended.json"
        manifest.write_bytes(manifest.read_bytes() + b"\n")  # one of the old training, for the new file
        server.wait_until_said("the new training is not served")
        assert server.metric("vsr_training_refused") == 1
        assert server.metric('vsr_reloads_total{result="refused"}') >= 1
        assert server.client.get("/v1/models").json()["run_id"] == before
        assert without_id(server.select({"query": LAW}).json()) == expected
        artefact.write_bytes(sound[: len(sound) // 2])
        time.sleep(1.2)
        assert without_id(server.select({"query": LAW}).json()) == expected
        write_training(tmp_path, n_queries=150)
        server.wait_until_said("is served from now on")
        assert server.metric("vsr_training_refused") == 0
        assert server.client.get("/v1/models").json()["run_id"] != before


def test_another_version_is_served_within_two_seconds_without_a_failed_request(tmp_path):
    for n_queries in (120, 150):
        with new_training(tmp_path, 5) as training:
            write_training(training.folder, n_queries=n_queries)
    run_ids = {each.name: each.name.split("-")[1] for each in list_versions(tmp_path)}
    new, old = run_ids
    with served("--models-dir", tmp_path) as server:
        codes = []
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                codes.append(server.select({"query": LAW}).status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        assert server.client.get("/v1/models").json()["run_id"] == run_ids[new]
        for version in (old, new, old):
            assert main(["use", str(tmp_path), version]) == 0
            switched_s = time.monotonic()
            while server.client.get("/v1/models").json()["run_id"] != run_ids[version]:
                assert time.monotonic() - switched_s < 2, server.said
                time.sleep(0.02)
        ended.set()
        asking.join()
        assert set(codes) == {200}
