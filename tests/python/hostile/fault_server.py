"""A server on raw sockets that does to each request what its prompt says: `fault NAME, anything else`.

    python fault_server.py

It prints its port and serves until it is killed, in a process of its own: its memory and its time are not the client's.
"""

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hostile.faults import FAULTS, RESET, Asked


def asked_of(head: bytes, body: bytes) -> Asked:
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return Asked(lines[0].split(" ")[1], headers, json.loads(body)["messages"][-1]["content"])


def serve(connection: socket.socket) -> None:
    """Answer the requests of one connection in its own way."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    with connection, contextlib.suppress(OSError):
        while True:
            while b"\r\n\r\n" not in buffer:
                buffer += (data := connection.recv(65536))
                if not data:
                    return
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            while len(buffer) < length:
                buffer += connection.recv(65536)
            asked, buffer = asked_of(head, buffer[:length]), buffer[length:]
            name = asked.prompt.partition(",")[0].removeprefix("fault ")
            is_whole = False
            for piece in FAULTS[name].send(asked) if name in FAULTS else FAULTS["nothing_wrong"].send(asked):
                is_whole = True
                if isinstance(piece, bytes):
                    connection.sendall(piece)
                elif isinstance(piece, float):
                    time.sleep(piece)
                elif piece is RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
            if not is_whole or b"connection: close" in head.lower():
                return


@contextlib.contextmanager
def running() -> Iterator[int]:
    """Run the server in a process of its own; give its port."""
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
