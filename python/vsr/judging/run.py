"""A run of judges: the benchmark's own runner asks them, its journal holds what they said, and goes on from there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from vsr.asking.journal import Journal
from vsr.asking.models import AskedModels
from vsr.benchmark.display import Display
from vsr.benchmark.estimate import Estimate
from vsr.benchmark.plan import Plan, Question
from vsr.benchmark.rescoring import with_fields
from vsr.benchmark.resume import OPENING
from vsr.benchmark.runner import RunSettings, preview, run_benchmark
from vsr.benchmark.summary import BenchmarkSummary
from vsr.data.prompts import unique_key
from vsr.data.records import Query
from vsr.judging.items import AGAIN, Item, Judged
from vsr.judging.modes import Task
from vsr.judging.verdicts import Verdict, read_verdict

_LONGEST_QUERY = 200


class _Said(msgspec.Struct, frozen=True, gc=False):
    """What has to be known of a line of the journal."""

    model_name: str
    query: str = ""
    call_id: str | None = None
    response: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Judge:
    """One that judges.

    Attributes:
        name: as in `model_config`.
        family: who made it; None where nobody says.
    """

    name: str
    family: str | None = None


@dataclass(frozen=True)
class Verdicts:
    """What judges said, as far as it can be read.

    Attributes:
        by_judge: by the judge's name, then by the key of the item; the second time in the place of the first.
        asked_again: keys of the items whose first answer cannot be read, by judge.
        n_due: how many of these are still to be asked once more.
    """

    by_judge: Mapping[str, Mapping[str, Verdict]]
    asked_again: Mapping[str, frozenset[str]]
    n_due: int

    def unreadable(self, judge: str) -> frozenset[str]:
        """Give the keys of the items of which a judge said nothing that can be read, the second time neither."""
        return self.asked_again[judge] - self.by_judge[judge].keys()


@dataclass(frozen=True)
class Judging:
    """Who judges what.

    Attributes:
        judged: what is judged.
        judges: who judges, in the order of `asked`.
        asked: the same, as they are asked.
        families: who made the models that are judged, where that is known.
        excludes_own_family: whether no judge is asked about responses of its own family.
        items: the questions.
    """

    judged: Judged
    judges: tuple[Judge, ...]
    asked: AskedModels
    families: Mapping[str, str] = field(default_factory=dict)
    excludes_own_family: bool = False
    items: Sequence[Item] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Work the questions out once, and have the judges' answers follow the schema."""
        object.__setattr__(self, "items", tuple(self.judged.items()))
        schema = self.judged.task.schema
        models = tuple(replace(model, answer_schema=schema) for model in self.asked.models)
        object.__setattr__(self, "asked", replace(self.asked, models=models))

    def may_judge(self, judge: Judge, places: Sequence[int]) -> bool:
        """Tell whether a judge has a say in responses, given by their places."""
        if not self.excludes_own_family or judge.family is None:
            return True
        return all(self.families.get(self.judged.responses[place].model) != judge.family for place in places)

    def preview(self, journal: Path, settings: RunSettings) -> Estimate:
        """Say what a run would take; nothing is asked, and nothing is opened for writing.

        Raises:
            BenchmarkError: The journal cannot be read, or is none.
        """
        return preview(self._plan(self.verdicts(journal).asked_again), journal, settings)

    def run(self, journal: Path, settings: RunSettings, display: Display) -> BenchmarkSummary:
        """Ask what the journal does not hold yet, and once more what could not be read.

        Args:
            journal: what judges said; taken up where an earlier run left it.
            settings: as for the benchmark.
            display: shows how it goes.

        Raises:
            BenchmarkError: The journal cannot be written, is in use, or is none.
        """
        summary = run_benchmark(self._plan(self.verdicts(journal).asked_again), journal, settings, display)
        verdicts = self.verdicts(journal)
        if not verdicts.n_due or summary.is_interrupted or summary.is_out_of_money:
            return summary
        display.say(f"{verdicts.n_due:,} answers cannot be read; the judges are asked once more.")
        quietly = replace(settings, retry_failed=False)
        again = run_benchmark(self._plan(verdicts.asked_again), journal, quietly, display)
        n_asked, seconds = summary.n_asked + again.n_asked, summary.seconds + again.seconds
        return replace(again, n_asked=n_asked, n_before=summary.n_before, seconds=seconds)

    def verdicts(self, journal: Path) -> Verdicts:
        """Read what judges have said so far; nothing where there is no journal.

        Raises:
            BenchmarkError: The journal cannot be read, or is none.
        """
        answers = self._answers(journal) if journal.exists() else {}
        by_judge: dict[str, dict[str, Verdict]] = {judge.name: {} for judge in self.judges}
        asked_again: dict[str, set[str]] = {judge.name: set() for judge in self.judges}
        n_due = 0
        for (judge, key), answer in answers.items():
            if answer is None or key.endswith(AGAIN):
                continue
            verdict = read_verdict(self.judged.task, answer)
            if verdict is None:
                asked_again[judge].add(key)
                n_due += (judge, key + AGAIN) not in answers
                second = answers.get((judge, key + AGAIN))
                verdict = None if second is None else read_verdict(self.judged.task, second)
            if verdict is not None:
                by_judge[judge][key] = verdict
        return Verdicts(by_judge, {judge: frozenset(keys) for judge, keys in asked_again.items()}, n_due)

    def _answers(self, path: Path) -> dict[tuple[str, str], str | None]:
        """Read what each judge answered to each item, None where the call failed; other settings' answers are left."""
        plan = self._plan({})
        models = {model.name: model for model in plan.models}
        items = {item.key: item for item in self.items}
        found: dict[tuple[str, str], str | None] = {}
        with Journal(path, _Said, OPENING, is_read_only=True) as journal:
            for line in journal.lines():
                item = items.get(line.query.removesuffix(AGAIN))
                if item is None or line.model_name not in models:
                    continue
                if line.query.endswith(AGAIN):
                    item = self.judged.second_time(item)
                if line.call_id == plan.call_id(models[line.model_name], self._question(item, 0)):
                    found.setdefault((line.model_name, line.query), None if line.error else line.response)
        return found

    def _plan(self, asked_again: Mapping[str, frozenset[str]]) -> Plan:
        """Give the calls of a run: every item for every judge, and for some what could not be read."""
        keys = frozenset[str]().union(*asked_again.values())
        items = [*self.items, *(self.judged.second_time(item) for item in self.items if item.key in keys)]
        left_out = {}
        for judge in self.judges:
            own = asked_again.get(judge.name, frozenset())
            left_out[judge.name] = frozenset(
                place
                for place, item in enumerate(items)
                if not any(self.may_judge(judge, shown) for shown in item.shown)
                or (item.key.endswith(AGAIN) and item.key.removesuffix(AGAIN) not in own)
            )
        questions = tuple(self._question(item, place) for place, item in enumerate(items))
        return Plan(questions, self.asked, len(items), left_out=left_out, score=partial(_score, self.judged.task))

    def _question(self, item: Item, place: int) -> Question:
        responses = [self.judged.responses[shown] for shown in item.shown[0]]
        said_of = {
            "judge_mode": str(self.judged.task.mode),
            "judged_model": " / ".join(response.model for response in responses),
            "judged_query": responses[0].query[:_LONGEST_QUERY],
        }
        query = Query(item.key, responses[0].category, task_name="judge", extra=said_of)
        return Question(query, item.prompt, unique_key(item.key), place)


def _score(task: Task, line: bytes) -> bytes:
    """Write into the line of an answer what it says; never a guess."""
    verdict = read_verdict(task, msgspec.json.decode(line, type=_Said).response or "")
    if verdict is None:
        return with_fields(line, {"performance": None, "unreadable": True})
    return with_fields(line, {"performance": verdict.value, "verdict": verdict.said, "reason": verdict.reason})
