"""Simulated LLMs, their records, and judges over real HTTP."""

import json
from dataclasses import replace

from servers.scripted import config_for, endpoint
from vsr.asking.models import asked_models
from vsr.asking.queue import RetryPolicy
from vsr.benchmark.display import NoDisplay
from vsr.benchmark.runner import RunSettings
from vsr.judging.items import Judged
from vsr.judging.modes import Mode, Task
from vsr.judging.opinions import qualities, read_opinions
from vsr.judging.report import report_on
from vsr.judging.responses import read_responses
from vsr.judging.run import Judge, Judging
from vsr.simulation import generate_queries, simulate, write_records
from vsr.simulation.server import SimulatedPool

FAMILIES = {
    "sim-large-70b": "atlas",
    "sim-small-1b": "atlas",
    "sim-maths-8b": "boreas",
    "sim-medic-8b": "boreas",
    "sim-scholar-8b": "boreas",
}
ATLAS = ("sim-large-70b", "sim-small-1b")
SETTINGS = RunSettings(RetryPolicy(concurrency=32, backoff_s=0.01))


class Court:
    """Records of so many queries in a folder, and judges that say what they are worth."""

    def __init__(self, folder, n_queries, *judges, mode="rubric", excludes_own_family=False, **judged):
        self.folder = folder
        self.queries = generate_queries(n_queries)
        self.records = folder / "records.jsonl"
        self.journal = folder / "judged.verdicts.jsonl"
        write_records(self.records, simulate(self.queries))
        self.judges = [replace(judge, latency_s=0.0) for judge in judges]
        self.task, self.judged = Task(Mode(mode)), judged
        self.excludes_own_family = excludes_own_family

    def judging(self, pool):
        models = {judge.name: {"preferred_endpoints": ["one"]} for judge in self.judges}
        named = [{"model": judge.name} for judge in self.judges]
        config = config_for([endpoint(pool)], models, judges=named)
        responses = read_responses(self.records, needs_truth=self.task.mode is Mode.REFERENCE)
        return Judging(
            Judged(responses.items, self.task, **self.judged),
            tuple(Judge(judge.name, "atlas" if judge.own_models else None) for judge in self.judges),
            asked_models(config, {}, [judge.name for judge in self.judges]),
            FAMILIES,
            self.excludes_own_family,
        )

    def pool(self):
        return SimulatedPool(self.queries, judges=self.judges, time_scale=0.0)

    def sit(self):
        """Ask the judges; give who was asked, what the run came to, and the report."""
        with self.pool() as pool:
            judging = self.judging(pool)
            summary = judging.run(self.journal, SETTINGS, NoDisplay())
        verdicts = judging.verdicts(self.journal)
        opinions = read_opinions(judging, verdicts)
        judged = qualities(judging, opinions)
        return judging, summary, report_on(judging, verdicts, opinions, judged), judged

    def lines(self):
        return [json.loads(line) for line in self.journal.read_text().splitlines()]
