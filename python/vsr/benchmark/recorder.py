"""From finished calls to lines of the journal, in a thread of its own: scored, freed of keys, written, synced."""

import datetime as dt
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from vsr.asking.call import Answer, ErrorKind, FailedCall
from vsr.asking.journal import Journal, Line
from vsr.asking.schedule import Finished
from vsr.benchmark.plan import Plan, Question
from vsr.benchmark.resume import Measured, OutputSummary
from vsr.data.prompts import Choices, option_label
from vsr.data.records import Query
from vsr.errors import BenchmarkError
from vsr.scoring import SCORER_VERSION, score_response

_SYNC_EVERY_S = 1.0
# Finished calls that may wait to be written before no new ones are started.
_LONGEST_QUEUE = 256
_REMOVED = b"[key removed]"
_UNSCORED = 0.5  # what the documented system writes where there is nothing to score against; training leaves it out


@dataclass
class Written:
    """What has been written in this run, by model; only the recorder's thread changes it.

    Attributes:
        measured: sums over the answers.
        failures: failed calls by model and kind.
        n_records: how many records.
        cost_usd: what they cost.
    """

    measured: dict[str, Measured]
    failures: dict[str, Counter[str]]
    n_records: int = 0
    cost_usd: float = 0.0


class Recorder:
    """Writes what it is handed, in order; whoever hands it over does not wait.

    Scoring may take its time on a long answer: here it holds up no clock of a request under way.
    """

    def __init__(self, journal: Journal[Line], plan: Plan, held: OutputSummary, on_failure: Callable[[], None]) -> None:
        """Start the thread.

        Args:
            journal: where records go.
            plan: what the calls are about.
            held: which numbers the records of a query bear already.
            on_failure: called from the thread when nothing can be written any more.
        """
        self.written = Written(
            {model.name: Measured() for model in plan.models}, {model.name: Counter() for model in plan.models}
        )
        self.failure: BenchmarkError | None = None
        self._journal = journal
        self._plan = plan
        self._held = held
        self._on_failure = on_failure
        self._secrets = _as_written(plan.cast.secrets)
        self._encode = msgspec.json.Encoder().encode
        self._queue: queue.SimpleQueue[Finished | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="vsr-recorder", daemon=True)
        self._thread.start()

    def put(self, finished: Finished) -> None:
        """Hand a call over."""
        self._queue.put(finished)

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be written that no new call should start."""
        return self._queue.qsize() > _LONGEST_QUEUE

    def close(self) -> None:
        """Write what was handed over, sync, and end the thread.

        Raises:
            BenchmarkError: Something could not be written.
        """
        self._queue.put(None)
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        unsynced_since: float | None = None
        while True:
            try:
                wait_s = None if unsynced_since is None else max(0.0, unsynced_since + _SYNC_EVERY_S - time.monotonic())
                finished = self._queue.get(timeout=wait_s)
            except queue.Empty:
                self._journal.sync()
                unsynced_since = None
                continue
            if finished is None:
                self._journal.sync()
                return
            if self.failure is not None:
                continue
            try:
                self._write(finished)
            except BenchmarkError as error:
                self.failure = error
                self._on_failure()
            except Exception as error:  # the thread must not die in silence: answers would be lost unseen
                self.failure = BenchmarkError(f"{self._journal.path}: a record could not be written: {error!r}.")
                self.failure.__cause__ = error
                self._on_failure()
            now = time.monotonic()
            if unsynced_since is None:
                unsynced_since = now
            elif now - unsynced_since >= _SYNC_EVERY_S:
                self._journal.sync()
                unsynced_since = None

    def _write(self, finished: Finished) -> None:
        question = self._plan.questions[finished.question]
        record = self._record(finished, question)
        line = self._encode(record)
        for secret in self._secrets:
            if secret in line:
                line = line.replace(secret, _REMOVED)
        self._journal.append(line)
        self._count(finished, record)

    def _count(self, finished: Finished, record: Mapping[str, object]) -> None:
        name = finished.model.name
        cost = record.get("cost")
        cost_usd = cost if isinstance(cost, float) else 0.0
        if isinstance(finished.outcome, FailedCall):
            self.written.failures[name][finished.outcome.kind.value] += 1
        else:
            measured = self.written.measured[name]
            measured.n_answers += 1
            measured.latency_s += finished.latency_s or 0.0
            measured.output_tokens += finished.outcome.output_tokens or 0
            measured.cost_usd += cost_usd
            performance = record.get("performance")
            if isinstance(performance, float) and not record.get("unscored"):
                measured.quality += performance
                measured.n_scored += 1
        self.written.cost_usd += cost_usd
        self.written.n_records += 1

    def _record(self, finished: Finished, question: Question) -> dict[str, object]:
        query = question.query
        model = finished.model
        record: dict[str, object] = {
            **query.extra,
            "task_name": query.task_name,
            "query": query.query,
            "category": query.category,
            "model_name": model.name,
            "response": None,
            "ground_truth": query.ground_truth,
            "response_time": None if finished.latency_s is None else round(finished.latency_s, 6),
            "performance": None,
            "embedding_id": self._held.embedding_id(finished.question, question),
            "metric": query.metric,
            "choices": _plain_choices(query.choices),
        }
        outcome = finished.outcome
        if isinstance(outcome, Answer):
            record |= _answered(outcome, query)
            record["cost"] = model.cost_of(outcome)
        else:
            record |= _failed(outcome)
            if outcome.kind not in (ErrorKind.TIMEOUT, ErrorKind.REFUSAL):
                record["response_time"] = None
        record |= {
            "use_reasoning": model.use_reasoning,
            "endpoint": finished.endpoint,
            "attempts": finished.n_attempts,
            "timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "call_id": self._plan.call_id(model, question),
        }
        return {name: value for name, value in record.items() if value is not None or name in _ALWAYS}


_ALWAYS = frozenset(
    {"task_name", "query", "category", "model_name", "response", "ground_truth", "response_time", "performance"}
)


def _answered(answer: Answer, query: Query) -> dict[str, object]:
    score = score_response(
        answer.text,
        query.ground_truth,
        query=query.query,
        choices=query.choices,
        metric=query.metric,
        category=query.category,
        task_name=query.task_name,
    )
    return {
        "response": answer.text,
        "performance": _UNSCORED if score.unscored else float(score.value),
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "finish_reason": answer.finish_reason,
        "reasoning": answer.reasoning,
        "extracted": score.extracted,
        "scoring_rule": score.kind,
        "unparsed": True if score.unparsed else None,
        "unscored": True if score.unscored else None,
        "vsr_scorer": SCORER_VERSION,
    }


def _failed(failed: FailedCall) -> dict[str, object]:
    return {
        "error": failed.text,
        "error_kind": failed.kind.value,
        "performance": 0.0 if failed.kind.failure.counts else None,
    }


def _plain_choices(choices: Choices | None) -> object:
    """Return choices as they stand in a file: a list, or with their labels where those are not A, B, C."""
    if choices is None:
        return None
    if choices.labels == tuple(map(option_label, range(len(choices.texts)))):
        return list(choices.texts)
    return {"text": list(choices.texts), "labels": list(choices.labels)}


def _as_written(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return keys as they would stand inside a line of JSON."""
    return tuple(msgspec.json.encode(secret)[1:-1] for secret in secrets)
