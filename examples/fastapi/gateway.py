"""A gateway in front of several LLMs that asks the router who answers: `python examples/fastapi/gateway.py`.

Clients ask for the model `auto` at /v1/chat/completions, as at OpenAI; a model by name is asked as it is. Needs fastapi
and uvicorn; no network, no weights.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from vsr import Router, VsrError
from vsr.data.messages import Conversation
from vsr.simulation.server import SimulatedPool

sys.path.insert(0, str(Path(__file__).parents[1]))
from simulated import train


def make_app(artefacts: Path, upstream: str) -> FastAPI:
    """Make the gateway.

    Args:
        artefacts: the folder that `vsr-train train` wrote.
        upstream: base URL of the server of all the LLMs, `/v1` included.
    """
    router = Router.load(artefacts)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=upstream, timeout=120, trust_env=False) as client:
            app.state.upstream = client
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/chat/completions")
    async def complete(body: dict[str, Any]) -> Response:
        ranking: tuple[str, ...] = (str(body.get("model")),)
        if body.get("model") == "auto":
            try:
                text = Conversation.parse(body.get("messages")).text("last")
                # In a thread: an embedding model takes milliseconds, in which others want to be served.
                ranking = (await asyncio.to_thread(router.select, text)).ranking
            except VsrError as error:
                return JSONResponse({"error": {"message": str(error), "type": "invalid_request_error"}}, 400)
        for model in ranking[:2]:  # one that fails is followed by the next best
            answer = await app.state.upstream.post("/chat/completions", json=body | {"model": model})
            if not answer.is_server_error:
                break
        return Response(answer.content, answer.status_code, {"x-model": model}, answer.headers.get("content-type"))

    return app


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port of this machine and give its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def main() -> None:
    """Run the gateway in front of simulated LLMs, ask it new queries, and show who answered."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--queries", type=int, default=20, metavar="N", help="how many to ask (20)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        queries, fresh, artefacts = train(Path(folder), options.queries)
        with (
            SimulatedPool(queries, time_scale=0.0) as pool,
            served(make_app(artefacts, f"{pool.url}/v1")) as url,
            httpx.Client(base_url=url, trust_env=False) as client,
        ):
            for query in fresh:
                messages = [{"role": "user", "content": query.prompt}]
                answer = client.post("/v1/chat/completions", json={"model": "auto", "messages": messages})
                answer.raise_for_status()
                print(f"{answer.headers['x-model']:15} {query.category:17} {query.prompt.splitlines()[0][:45]}")


if __name__ == "__main__":
    main()
