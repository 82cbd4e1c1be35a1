"""What the report on judges says against what was put into simulated ones: `python benches/python/judge_bias.py`.

Judges that are right 60, 75 and 90 % of the time, each with one fault, judge the answers of the demo's simulated LLMs
over real HTTP, by the runner that `vsr-train judge` uses.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from vsr.asking.models import asked_models
from vsr.asking.queue import RetryPolicy
from vsr.benchmark.display import NoDisplay
from vsr.benchmark.runner import RunSettings
from vsr.config import parse_config
from vsr.judging.items import Judged
from vsr.judging.modes import Mode, Task
from vsr.judging.opinions import qualities, read_opinions
from vsr.judging.report import JudgingReport, report_on
from vsr.judging.responses import read_responses
from vsr.judging.run import Judge, Judging
from vsr.simulation import SimulatedJudge, generate_queries, simulate, write_records
from vsr.simulation.server import SimulatedPool

N_RUBRIC, N_PAIRWISE = 140, 40
OWN = ("sim-large-70b", "sim-small-1b")
ACCURACIES = (0.6, 0.75, 0.9)


def reported(folder: Path, n_queries: int, mode: Mode, judges: list[SimulatedJudge], recheck: float) -> JudgingReport:
    """Let judges sit over the answers to so many queries."""
    judges = [replace(judge, latency_s=0.0) for judge in judges]
    queries = generate_queries(n_queries)
    records, journal = folder / f"{mode}.jsonl", folder / f"{mode}-{judges[0].accuracy}.verdicts.jsonl"
    write_records(records, simulate(queries))
    with SimulatedPool(queries, judges=judges, time_scale=0.0) as pool:
        config = {
            "vllm_endpoints": [{"name": "one", "address": pool.address, "port": pool.port, "type": "vllm"}],
            "model_config": {judge.name: {"preferred_endpoints": ["one"]} for judge in judges},
            "judges": [{"model": judge.name} for judge in judges],
        }
        asked = asked_models(parse_config(json.dumps(config), environment={}), {}, [judge.name for judge in judges])
        judging = Judging(
            Judged(read_responses(records).items, Task(mode), recheck=recheck),
            tuple(Judge(judge.name, "own" if judge.own_models else None) for judge in judges),
            asked,
            dict.fromkeys(OWN, "own"),
        )
        judging.run(journal, RunSettings(RetryPolicy(concurrency=32)), NoDisplay())
    verdicts = judging.verdicts(journal)
    opinions = read_opinions(judging, verdicts)
    return report_on(judging, verdicts, opinions, qualities(judging, opinions))


def rows(folder: Path, accuracy: float) -> Iterator[tuple[str, str, str]]:
    """Give what was put in and what the report says, for judges of one accuracy."""
    faults = [
        SimulatedJudge("fair", accuracy=accuracy, own_models=OWN),
        SimulatedJudge("family", accuracy=accuracy, own_models=OWN, family_bias=0.1),
        SimulatedJudge("length", accuracy=accuracy, length_bias=0.05),
    ]
    fair, family, length = reported(folder, N_RUBRIC, Mode.RUBRIC, faults, 0.0).judges
    yield "agrees with the truth", f"{accuracy:.0%}", f"{fair.truth.same_share or 0:.1%} (kappa {fair.truth.kappa:.2f})"
    for judge, put_in in ((fair, 0.0), (family, 0.1)):
        gain = judge.own_family
        said = "not measured: no family" if gain is None else f"{gain.value:+.3f} ({gain.low:+.3f} .. {gain.high:+.3f})"
        yield "gain of its own family", f"{put_in:+.3f}", said
    for judge, put_in in ((fair, 0.0), (length, 0.05)):
        found = judge.length
        assert found is not None
        said = f"{found.per_doubling:+.3f} ({found.low:+.3f} .. {found.high:+.3f}), r = {found.correlation:+.2f}"
        yield "gain by twice the length", f"{put_in:+.3f}", said
    faults = [SimulatedJudge(f"position-{p}", accuracy=accuracy, position_bias=p) for p in (0.0, 0.1, 0.3)]
    for judge, put_in in zip(
        reported(folder, N_PAIRWISE, Mode.PAIRWISE, faults, 0.0).judges, (0.0, 0.1, 0.3), strict=True
    ):
        share = judge.position
        assert share is not None
        yield "flips with the order", f"{put_in:.0%}", f"{share.value:.1%} ({share.low:.1%} .. {share.high:.1%})"
    forgetful = [SimulatedJudge("forgetful", accuracy=accuracy, consistency=0.8)]
    (judge,) = reported(folder, N_PAIRWISE, Mode.REFERENCE, forgetful, 1.0).judges
    share = judge.self_agreement
    assert share is not None
    # It forgets 20 % of what it is asked each time; of what it sees anew, some comes out the same.
    forgets = 1 - 0.8**2
    expected = 1 - forgets * 2 * accuracy * (1 - accuracy)
    yield "says the same again", f"{expected:.1%}", f"{share.value:.1%} ({share.low:.1%} .. {share.high:.1%})"


def main() -> None:
    """Print the table."""
    started = time.monotonic()
    print("| judge right | figure | put in | reported (95 %) |\n|---|---|---|---|")
    for accuracy in ACCURACIES:
        with tempfile.TemporaryDirectory() as folder:
            for figure, put_in, said in rows(Path(folder), accuracy):
                print(f"| {accuracy:.0%} | {figure} | {put_in} | {said} |", flush=True)
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
