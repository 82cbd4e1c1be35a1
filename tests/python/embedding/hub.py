"""A stand-in for the Hugging Face hub: the few addresses that its client asks for, over real HTTP."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Hub:
    """Repositories on offer, and what was asked.

    Attributes:
        repositories: name -> commits, the last of which is the main branch; a commit is its number and its folder.
        gated: repositories whose licence nobody has accepted.
        requests: method and path of every request.
        address: where it listens.
    """

    repositories: dict[str, list[tuple[str, Path]]]
    gated: frozenset[str] = frozenset()
    requests: list[str] = field(default_factory=list)
    address: str = ""

    def folder(self, repository: str, revision: str) -> tuple[str, Path] | None:
        commits = self.repositories.get(repository, [])
        if revision == "main" and commits:
            return commits[-1]
        return next((commit for commit in commits if commit[0] == revision), None)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Run the hub on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def log_message(self, *_arguments: object) -> None:
            pass

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            parts = path.strip("/").split("/")
            if parts[:2] == ["api", "models"]:
                repository, rest = "/".join(parts[2:4]), parts[4:]
                revision = rest[1] if len(rest) > 1 else "main"
            else:
                repository, rest = "/".join(parts[:2]), parts[2:]
                revision = rest[1] if len(rest) > 1 else ""
            if repository in hub.gated:
                self._refuse(403, "GatedRepo")
                return
            if repository not in hub.repositories:
                self._refuse(404, "RepoNotFound")
                return
            found = hub.folder(repository, revision)
            if found is None:
                self._refuse(404, "RevisionNotFound")
                return
            commit, folder = found
            if parts[0] == "api" and rest[:1] == ["tree"]:
                self._json(_tree(folder))
            elif parts[0] == "api":
                files = [{"rfilename": entry["path"]} for entry in _tree(folder)]
                self._json({"id": repository, "modelId": repository, "sha": commit, "siblings": files})
            else:
                self._file(commit, folder / "/".join(rest[2:]))

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", f"the stand-in says {code}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _json(self, value: object) -> None:
            self._send({"Content-Type": "application/json"}, json.dumps(value).encode())

        def _file(self, commit: str, path: Path) -> None:
            if not path.is_file():
                self._refuse(404, "EntryNotFound")
                return
            content = path.read_bytes()
            self._send({"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}, content)

        def _send(self, headers: dict[str, str], content: bytes) -> None:
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _tree(folder: Path) -> list[dict[str, object]]:
    return [
        {
            "type": "file",
            "path": path.relative_to(folder).as_posix(),
            "size": path.stat().st_size,
            "oid": hashlib.sha1(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
