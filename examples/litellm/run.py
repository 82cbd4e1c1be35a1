"""LiteLLM's proxy with the router as its plug-in, in front of simulated LLMs: `python examples/litellm/run.py`.

Needs no network and no weights: see README.md beside this file for what to install.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import openai

from vsr.simulation.server import SimulatedPool

sys.path.insert(0, str(Path(__file__).parents[1]))
from simulated import train

HERE = Path(__file__).parent
KEY = "sk-of-the-example"
_START_S = 300.0


@contextlib.contextmanager
def proxy(config: Path, pool: SimulatedPool, log: Path, environment: Mapping[str, str]) -> Iterator[openai.OpenAI]:
    """Run LiteLLM's proxy on a free port of this machine.

    Args:
        config: its configuration.
        pool: the simulated LLMs behind it.
        log: gets what it says.
        environment: where the plug-in finds its artefacts.

    Yields:
        A client of the proxy.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "SIMULATED_LLMS": f"{pool.url}/v1",
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # without it, the proxy asks the network for prices
        "NO_PROXY": "127.0.0.1",
    }
    arguments = [sys.executable, "-c", "from litellm import run_server; run_server()"]
    arguments += ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    with log.open("wb") as said:
        process = subprocess.Popen(
            arguments, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **settings, **environment}
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _await(f"{url}/health/liveliness", process, log)
            with openai.OpenAI(base_url=url, api_key=KEY, max_retries=0, timeout=60) as client:
                yield client
        finally:
            process.terminate()
            process.wait(60)


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up = time.monotonic() + _START_S
    while time.monotonic() < give_up and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    raise SystemExit(f"LiteLLM did not start; it said:\n{log.read_text(errors='replace')[-3000:]}")


def main() -> None:
    """Ask new queries of the group `auto`, and show which of the simulated LLMs was asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--queries", type=int, default=20, metavar="N", help="how many to ask (20)")
    parser.add_argument("--groups", action="store_true", help="models in groups of their own: the hook, groups.yaml")
    options = parser.parse_args()
    config = HERE / ("groups.yaml" if options.groups else "config.yaml")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        queries, fresh, artefacts = train(folder, options.queries)
        environment = {"VSR_MODELS_DIR": str(artefacts)}
        with (
            SimulatedPool(queries, time_scale=0.0) as pool,
            proxy(config, pool, folder / "proxy.log", environment) as client,
        ):
            for query in fresh:
                client.chat.completions.create(model="auto", messages=[{"role": "user", "content": query.prompt}])
            for query in fresh:
                asked = [model for (model, prompt), n in pool.n_asked.items() if prompt == query.prompt and n]
                print(f"{', '.join(asked):15} {query.category:17} {query.prompt.splitlines()[0][:45]}")


if __name__ == "__main__":
    main()
