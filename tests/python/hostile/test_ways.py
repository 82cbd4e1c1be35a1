"""The way to a server: certificates and proxies, each refusal with its way out, and no credentials in any of it."""

import asyncio
import base64
import contextlib
import socket
import ssl
import threading

import pytest
import trustme

from servers.scripted import Scripted, always, chat, config_for, json_response
from vsr.asking.client import ChatClient
from vsr.asking.models import Target, asked_models
from vsr.errors import BenchmarkError
from vsr.providers import PROVIDERS
from vsr.providers.call import ChatRequest, ErrorKind
from vsr.simulation.server.http import LoopbackServer

PASSWORD = "pass word/of:the proxy"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(path)
    return made, str(path)


def encrypted(chain):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain(context)

    async def respond(_request):
        return json_response(chat("safe"))

    return LoopbackServer(respond, tls=context)


@pytest.fixture
def https(authority):
    with encrypted(authority[0].issue_cert("127.0.0.1", "far.example.com").configure_cert) as server:
        yield server


def ask(url, n=1, pause_s=0.0, **fields):
    provider = PROVIDERS["openai"]
    target = Target("m", "one", provider, provider.url(url), "m", {"X-Key": "k"}, "", **{"timeout_s": 5.0, **fields})

    async def go():
        async with ChatClient() as client:
            for _ in range(n):
                found = await client.ask(target, ChatRequest("m", "p", 10, 0.0))
                await asyncio.sleep(pause_s)
            return found.outcome

    return asyncio.run(go())


class Tunnel:
    """A proxy that opens tunnels, all of them to one port, whatever host is named."""

    def __init__(self, port, status=b"200 Connection established"):
        self.port, self.status, self.heads = port, status, []

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                self.heads.append(near.recv(65536).decode())
                near.sendall(b"HTTP/1.1 " + self.status + b"\r\n\r\n")
                if not self.status.startswith(b"200"):
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.port))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one, other):
        with one, contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)


def test_a_certificate_is_trusted_by_ca_file_or_by_the_environment(https, authority, monkeypatch):
    assert ask(https.url, ca_file=authority[1]).text == "safe"
    monkeypatch.setenv("SSL_CERT_FILE", authority[1])
    assert ask(https.url).text == "safe"


def test_an_unknown_authority_is_refused_with_the_way_out(https):
    refused = ask(https.url)
    assert (refused.kind, refused.hopeless) == (ErrorKind.ENDPOINT_DOWN, "endpoint")
    assert "the certificate of 127.0.0.1 is not trusted (unable to get local issuer certificate)" in refused.message
    assert "`ca_file` of the endpoint" in refused.message
    assert "SSL_CERT_FILE" in refused.message


def test_a_self_signed_certificate_is_refused_with_the_way_out(tmp_path):
    alone = trustme.CA()
    alone.cert_pem.write_to_path(tmp_path / "certificate.pem")
    alone.private_key_pem.write_to_path(tmp_path / "key.pem")
    with encrypted(
        lambda context: context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    ) as server:
        refused = ask(server.url)
    assert "is not trusted (self-signed certificate)" in refused.message.replace("self signed", "self-signed")
    assert "`ca_file`" in refused.message


def test_a_certificate_for_another_host_is_refused(authority):
    with encrypted(authority[0].issue_cert("other.example.com").configure_cert) as server:
        refused = ask(server.url, ca_file=authority[1])
    assert "is not trusted" in refused.message
    assert "127.0.0.1" in refused.message


def test_files_that_hold_no_certificates_are_named(tmp_path, https, monkeypatch):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for path in (str(empty), str(tmp_path / "absent.pem")):
        refused = ask(https.url, ca_file=path)
        assert f"ca_file {path} holds no certificates" in refused.message
        endpoints = [{"name": "one", "address": "far.example.com", "port": 443, "ca_file": path}]
        with pytest.raises(BenchmarkError, match=r"endpoint 'one': ca_file .* holds no certificates"):
            asked_models(config_for(endpoints, {"a": {}}), {})
        monkeypatch.setenv("SSL_CERT_FILE", path)
        assert f"SSL_CERT_FILE {path} holds no certificates" in ask(https.url).message


def test_ca_file_comes_from_the_configuration(authority):
    endpoints = [
        {"name": "one", "address": "h", "port": 443, "ca_file": authority[1], "max_response_mib": 0.5},
        {"name": "two", "address": "h", "port": 8000},
    ]
    (model,) = asked_models(config_for(endpoints, {"a": {}}), {}).models
    assert [(target.ca_file, target.largest_response) for target in model.targets] == [
        (authority[1], 512 << 10),
        (None, 8 << 20),
    ]


@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_encrypted_connections_are_used_again_after_a_rest(https, authority, monkeypatch, pause_s):
    with Tunnel(https.port) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.place}")
        assert ask("https://far.example.com", 3, pause_s, ca_file=authority[1]).text == "safe"
    assert len(proxy.heads) == (1 if pause_s else 3)


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_https_goes_through_a_tunnel(https, authority, monkeypatch, variable):
    with Tunnel(https.port) as proxy:
        monkeypatch.setenv(variable, f"http://user:pass%20word%2Fof%3Athe%20proxy@{proxy.place}")
        assert ask("https://far.example.com", ca_file=authority[1]).text == "safe"
    opening = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    assert proxy.heads[0].startswith("CONNECT far.example.com:443 HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {opening}\r\n" in proxy.heads[0]
    assert "X-Key" not in proxy.heads[0]


def test_plain_http_goes_through_a_proxy_with_its_credentials(monkeypatch):
    with Scripted(always("through the proxy")) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://user:word@127.0.0.1:{proxy.port}")
        assert ask("http://far.example.com:81").text == "through the proxy"
        monkeypatch.setenv("NO_PROXY", "far.example.com")
        assert ask("http://far.example.com:81").kind is ErrorKind.ENDPOINT_DOWN
    assert proxy.seen[0].path == "http://far.example.com:81/v1/chat/completions"
    assert proxy.seen[0].headers["proxy-authorization"] == f"Basic {base64.b64encode(b'user:word').decode()}"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("socks5://user:SECRET@127.0.0.1:1080", "socks5://127.0.0.1:1080"),
        ("socks5h://SECRET@127.0.0.1:1080", "socks5h://127.0.0.1:1080"),
        ("http://user:SECRET@127.0.0.1:99999", "http://127.0.0.1:99999"),
        ("http://user:SECRET@127.0.0.1:port", "http://127.0.0.1:port"),
        ("http://user:SECRET@", "http://"),
        ("user:SECRET@127.0.0.1", "127.0.0.1"),
        ("://SECRET@", "://"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_credentials(monkeypatch, scheme, address, shown):
    monkeypatch.setenv("ALL_PROXY", address)
    refused = ask(f"{scheme}://far.example.com")
    assert (refused.kind, refused.hopeless) == (ErrorKind.ENDPOINT_DOWN, "endpoint")
    assert f"the proxy of the environment, {shown}, cannot be used" in refused.message
    assert "NO_PROXY" in refused.message
    assert "SECRET" not in refused.message


@pytest.mark.parametrize("status", [b"407 Proxy Authentication Required", b"502 Bad Gateway", b"nonsense"])
def test_a_proxy_that_refuses_is_named_without_its_credentials(https, monkeypatch, status):
    with Tunnel(https.port, status) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://user:SECRET@{proxy.place}")
        refused = ask("https://far.example.com")
    assert refused.kind is ErrorKind.ENDPOINT_DOWN
    assert refused.is_retryable
    assert f"the proxy http://{proxy.place}" in refused.message
    assert "SECRET" not in refused.message


def test_a_proxy_that_is_not_there_is_named_without_its_credentials(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("ALL_PROXY", f"http://user:SECRET@127.0.0.1:{port}")
    refused = ask("https://far.example.com")
    assert refused.is_retryable
    assert f"the proxy http://127.0.0.1:{port}" in refused.message
    assert "SECRET" not in refused.message
