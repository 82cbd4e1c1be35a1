"""`vsr-train serve` as a process of its own."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

_START_S = 60.0


class Served:
    """A server that runs, a client for it, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str], url: str, said: list[str]) -> None:
        self.process = process
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self.said = said
        self.client = httpx.Client(base_url=url, timeout=30.0)

    def select(self, body: Any, **settings: Any) -> httpx.Response:
        return self.client.post("/v1/select", json=body, **settings)

    def metric(self, line: str) -> float:
        """Value of one line of /metrics."""
        found = re.search(rf"^{re.escape(line)} (\S+)$", self.client.get("/metrics").text, re.MULTILINE)
        assert found is not None, line
        return float(found[1])

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=40)

    def wait_until_said(self, text: str, seconds: float = 10.0) -> None:
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            if any(text in line for line in self.said):
                return
            time.sleep(0.02)
        raise AssertionError(f"{text!r} is not in {self.said}")


@contextmanager
def served(*arguments: object, **environment: str) -> Iterator[Served]:
    """Start `vsr-train serve --port 0` and wait until it listens."""
    command = [sys.executable, "-m", "vsr", "serve", "--port", "0", *map(str, arguments)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VSR_")}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=inherited | environment)
    said: list[str] = []
    urls: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                said.append(line.rstrip("\n"))
                if line.startswith("Listening on "):
                    urls.put(line.split()[-1])
        urls.put(None)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        url = urls.get(timeout=_START_S)
        assert url is not None, said
        server = Served(process, url, said)
        with server.client:
            yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join()


def refused(*arguments: object, **environment: str) -> tuple[int, str]:
    """Start a server that does not come up; give its exit code and what it says."""
    command = [sys.executable, "-m", "vsr", "serve", *map(str, arguments)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VSR_")}
    ended = subprocess.run(
        command, capture_output=True, text=True, env=inherited | environment, timeout=60, check=False, cwd=Path.cwd()
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr
