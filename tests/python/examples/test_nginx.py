"""The nginx example under the real nginx with njs, in front of `vsr-train serve` and simulated LLMs that count."""

import contextlib
import importlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from serving.process import served
from vsr.routing import Router
from vsr.simulation.server import Faults, SimulatedPool

EXAMPLES = Path(__file__).parents[3] / "examples"
NGINX = os.environ.get("VSR_NGINX") or shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
MODULE = Path(NGINX or "/").parents[1] / "lib/nginx/modules/ngx_http_js_module.so" if NGINX else Path("/nowhere")
if NGINX is None or not MODULE.exists():
    pytest.skip("no nginx with njs (Debian: nginx, libnginx-mod-http-js; else VSR_NGINX)", allow_module_level=True)

OUTER = """
load_module {module};
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/router.conf;
}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        simulated = importlib.import_module("simulated")
    sys.modules.pop("simulated", None)
    return simulated.train(tmp_path_factory.mktemp("world"), 30)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextlib.contextmanager
def nginx(folder, *, router, small, large):
    """Run nginx with the example's configuration, in which only addresses and paths differ."""
    port = free_port()
    shutil.copy(EXAMPLES / "nginx" / "router.js", folder)
    text = (EXAMPLES / "nginx" / "router.conf").read_text()
    text = text.replace("/etc/nginx/router.js", f"{folder}/router.js")
    for ours, example in ((port, 8080), (router, 8790), (small, 8001), (large, 8002)):
        assert f"127.0.0.1:{example};" in text
        text = text.replace(f"127.0.0.1:{example};", f"127.0.0.1:{ours};")
    (folder / "router.conf").write_text(text)
    (folder / "nginx.conf").write_text(OUTER.format(module=MODULE, folder=folder))
    command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command)
    try:
        give_up = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < give_up:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        assert process.poll() is None, (folder / "error.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def gateway(world, tmp_path):
    """The whole chain; gives the URL, the pools, the server, and the queries that are new."""
    queries, fresh, artefacts = world
    log = tmp_path / "log"
    with (
        SimulatedPool(queries, time_scale=0.0) as small,
        SimulatedPool(queries, time_scale=0.0) as large,
        served("--models-dir", artefacts, "--log", log, XDG_RUNTIME_DIR=str(tmp_path)) as server,
        nginx(tmp_path, router=server.port, small=small.port, large=large.port) as url,
    ):
        yield url, (small, large), server, fresh


def ask(url, prompt, model="auto", **settings):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-of-the-client", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": prompt}]
        return client.chat.completions.with_raw_response.create(model=model, messages=messages, **settings)


def test_every_query_is_asked_of_the_model_that_the_router_names(gateway, world):
    url, (small, large), _, fresh = gateway
    router = Router.load(world[2])
    answers = {query.prompt: ask(url, query.prompt) for query in fresh}
    expected = Counter((router.select(prompt).model, prompt) for prompt in answers)
    assert small.n_asked + large.n_asked == expected
    assert {model for model, _ in large.n_asked} == {"sim-large-70b"}
    assert "sim-large-70b" not in {model for model, _ in small.n_asked}
    assert all(answers[prompt].headers["x-model"] == model for model, prompt in expected)


def test_answers_stream_and_a_model_by_name_is_asked_as_it_is(gateway):
    url, (small, _), server, fresh = gateway
    assert ask(url, fresh[0].prompt, "sim-small-1b").parse().choices[0].message.content
    assert small.n_asked == Counter({("sim-small-1b", fresh[0].prompt): 1})
    assert server.client.get("/metrics").text.count("vsr_choices_total{") == 0
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": fresh[1].prompt}]}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("data: ") > 2


def test_feedback_names_the_choice_and_a_conversation_stays(gateway, tmp_path):
    url, _, server, fresh = gateway
    headers = {"X-Session-Id": "one"}
    answer = ask(url, fresh[0].prompt, extra_headers=headers)
    given = httpx.post(f"{url}/v1/feedback", json={"id": answer.headers["x-choice-id"], "quality": 1})
    assert (given.status_code, given.json()["outcome"]) == (200, "counted")
    for query in fresh[1:5]:
        ask(url, query.prompt, extra_headers=headers)
    server.end()
    lines = (tmp_path / "log" / "decisions.jsonl").read_text()
    assert f'"previous":"{answer.headers["x-model"]}"' in lines


def test_a_router_that_does_not_answer_leaves_the_default_and_one_that_cannot_read_it_too(gateway):
    url, (_, large), server, fresh = gateway
    assert ask(url, fresh[0].prompt, extra_body={"messages": [{"role": "user", "content": " "}]}).status_code == 200
    server.end()
    assert ask(url, fresh[0].prompt).headers["x-model"] == "sim-large-70b"
    assert large.n_asked[("sim-large-70b", fresh[0].prompt)] == 1


@pytest.mark.parametrize(("content", "code"), [(b"{", 400), (b"[]", 400), (b"null", 400), (b'{"model": "gpt-9"}', 404)])
def test_what_is_no_request_is_refused(gateway, content, code):
    answer = httpx.post(f"{gateway[0]}/v1/chat/completions", content=content)
    assert answer.status_code == code
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_model_that_fails_is_followed_by_the_next_best(world, tmp_path):
    queries, fresh, artefacts = world
    router = Router.load(artefacts)
    rankings = {query.prompt: router.select(query.prompt).ranking[:2] for query in fresh}
    prompt, (first, second) = next(each for each in rankings.items() if "sim-large-70b" in each[1])
    failing = Faults({"server_error": 1.0})
    with (
        SimulatedPool(queries, time_scale=0.0, faults=failing if first == "sim-large-70b" else None) as large,
        SimulatedPool(queries, time_scale=0.0, faults=failing if second == "sim-large-70b" else None) as small,
        served("--models-dir", artefacts, XDG_RUNTIME_DIR=str(tmp_path)) as server,
        nginx(tmp_path, router=server.port, small=small.port, large=large.port) as url,
    ):
        assert ask(url, prompt).headers["x-model"] == second
        assert small.n_asked + large.n_asked == Counter({(first, prompt): 1, (second, prompt): 1})
