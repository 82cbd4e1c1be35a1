"""Calls through the fault server, one after the other or many at once, and what they cost.

    python tests/python/hostile/attack.py [--calls 32] [--at-once 16] [--timeout-s 2]

It prints a table: every fault on both protocols, calls tried, calls that did not become what they have to, the longest
call and the most memory that the process had.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hostile.fault_server import running
from hostile.faults import FAULTS
from vsr.asking.client import ChatClient
from vsr.asking.models import Target
from vsr.providers import PROVIDERS
from vsr.providers.call import Answer, ChatRequest, FailedCall

PROTOCOLS = ("openai", "ollama")


def attack(
    port: int, protocol: str, prompts: Sequence[str], *, at_once: int = 1, **fields: object
) -> tuple[list[Answer | FailedCall], float]:
    """Send prompts with one client; give what came of each, and the seconds of the longest call."""
    provider = PROVIDERS[protocol]
    url, headers = provider.url(f"http://127.0.0.1:{port}"), {"Authorization": "Bearer the-key"}
    target = Target("m", "one", provider, url, "m", headers, "", **fields)  # type: ignore[arg-type]

    async def go() -> tuple[list[Answer | FailedCall], float]:
        waiting, found, longest = iter(enumerate(prompts)), {}, 0.0
        async with ChatClient(["the-key"]) as client:

            async def work() -> None:
                nonlocal longest
                for place, prompt in waiting:
                    started = time.monotonic()
                    found[place] = (await client.ask(target, ChatRequest("m", prompt, 10, 0.0))).outcome
                    longest = max(longest, time.monotonic() - started)

            await asyncio.gather(*(work() for _ in range(at_once)))
        return [found[place] for place in range(len(prompts))], longest

    return asyncio.run(go())


def became(outcome: Answer | FailedCall, prompt: str) -> str:
    """Return what became of a call, in the words of a fault."""
    if isinstance(outcome, FailedCall):
        return outcome.kind.value
    return "answer" if outcome.text == prompt else "another answer"


def peak_mib() -> int:
    """Return the most memory that this process has had since `forget_peak`."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) >> 10


def forget_peak() -> None:
    """Let the peak begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=32)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--timeout-s", type=float, default=2.0)
    options = parser.parse_args()
    n_tried = n_failed = 0
    print(f"{'case':52} {'tried':>6} {'failed':>6} {'longest':>8} {'peak':>8}  became")
    with running() as port:
        for name, fault in FAULTS.items():
            forget_peak()
            longest, kinds = 0.0, Counter[str]()
            for protocol in PROTOCOLS:
                prompts = [f"fault {name}, {number}" for number in range(options.calls // len(PROTOCOLS))]
                found, seconds = attack(port, protocol, prompts, at_once=options.at_once, timeout_s=options.timeout_s)
                longest = max(longest, seconds)
                kinds += Counter(map(became, found, prompts))
            failed = sum(n for kind, n in kinds.items() if not fault.allows(kind))
            n_tried, n_failed = n_tried + kinds.total(), n_failed + failed
            shown = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
            print(f"{name:52} {kinds.total():6} {failed:6} {longest:6.2f} s {peak_mib():4} MiB  {shown}", flush=True)
    print(f"{'all':52} {n_tried:6} {n_failed:6}")


if __name__ == "__main__":
    main()
