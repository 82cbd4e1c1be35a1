"""What the plug-in adds to a request of LiteLLM's proxy: two proxies, with and without it, asked in turns.

    python benches/python/litellm_overhead.py [--queries 300]

Simulated LLMs that answer at once are behind both; see examples/litellm for what has to be installed.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vsr.simulation.server import SimulatedPool

EXAMPLE = Path(__file__).parents[2] / "examples" / "litellm"
sys.path[:0] = [str(EXAMPLE), str(EXAMPLE.parent)]


def main() -> None:
    """Measure and print."""
    from run import proxy  # noqa: PLC0415 -- found by the path that is set above
    from simulated import train  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--queries", type=int, default=300, metavar="N", help="requests to each proxy")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as running:
        folder = Path(temporary)
        queries, fresh, artefacts = train(folder, options.queries)
        environment = {"VSR_MODELS_DIR": str(artefacts)}
        pool = running.enter_context(SimulatedPool(queries, time_scale=0.0))
        plain = folder / "plain.yaml"
        with_plugin = EXAMPLE / "config.yaml"
        plain.write_text(with_plugin.read_text().replace("  plugins: [vsr.integrations.litellm.plugin]\n", ""))
        clients = {
            name: running.enter_context(proxy(config, pool, folder / f"{name}.log", environment))
            for name, config in (("with", with_plugin), ("without", plain))
        }
        times_s: dict[str, list[float]] = {name: [] for name in clients}
        for number, query in enumerate(fresh):
            names = list(clients) if number % 2 else list(clients)[::-1]
            for name in names:
                started = time.perf_counter()
                clients[name].chat.completions.create(
                    model="auto", messages=[{"role": "user", "content": query.prompt}]
                )
                times_s[name].append(time.perf_counter() - started)
    warm = slice(20, None)  # connections, caches
    for name, values in times_s.items():
        median, late = np.percentile(np.array(values[warm]) * 1e3, (50, 95))
        print(f"{name:8} the plug-in: median {median:6.2f} ms, 95th percentile {late:6.2f} ms")
    added = np.array(times_s["with"][warm]) - np.array(times_s["without"][warm])
    print(f"added: median of the {len(added)} pairs {np.median(added) * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
