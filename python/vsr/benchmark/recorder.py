"""From finished calls to lines of the journal, in a thread of its own: written, scored, synced.

An answer is paid for, so it is written before anything is done with it: when it arrives, still without a score, into
`OUTPUT.unscored`. Then it is scored, and the whole record is appended to the output, whose readers never see one
without its score. `OUTPUT.unscored` is emptied as soon as nothing waits in it, and is gone at the end of a run. If it
is there at the start, a run was killed: what it holds and the output does not, by the key of the call, is scored and
written then (`finish_scoring`), so that nothing is lost and nothing stands in the output twice.
"""

import datetime as dt
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import msgspec

from vsr.asking.budget import MOST_USD
from vsr.asking.journal import Journal
from vsr.asking.schedule import Finished
from vsr.benchmark.plan import Plan, Question
from vsr.benchmark.resume import OPENING, Line, Measured, OutputSummary
from vsr.data.prompts import Choices, option_label
from vsr.errors import BenchmarkError
from vsr.providers.call import Answer, ErrorKind, FailedCall

_SYNC_EVERY_S = 0.5
# Finished calls that may wait to be written before no new ones are started.
_LONGEST_QUEUE = 256
_MOST_BESIDE_BYTES = 1 << 16  # of answers that are scored and written already, before `OUTPUT.unscored` is emptied
_UNSCORED = "unscored"
# What a query's own fields must not say of its records.
_OURS = {
    "task_name", "query", "category", "model_name", "response", "ground_truth", "response_time", "performance",
    "embedding_id", "metric", "choices", "error", "error_kind", "input_tokens", "output_tokens", "finish_reason",
    "reasoning", "cost", "extracted", "scoring_rule", "scoring_error", "unparsed", "unscored", "vsr_scorer",
    "use_reasoning", "endpoint", "attempts", "timestamp", "call_id", "messages",
    "time_to_first_token", "draw", "probability",
}  # fmt: skip


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

    Attributes:
        written: what was written so far.
        failure: why no more calls should be made: the output is full, or somebody took it away.
        on_failure: called from the thread when that happens.
    """

    def __init__(self, journal: Journal[Line], plan: Plan, held: OutputSummary) -> None:
        """Start the thread.

        Args:
            journal: where records go.
            plan: what the calls are about.
            held: which numbers the records of a query bear already.
        """
        self.written = Written(
            {model.name: Measured() for model in plan.models}, {model.name: Counter() for model in plan.models}
        )
        self.failure: BenchmarkError | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self._journal = journal
        self._plan = plan
        self._held = held
        self._encode = msgspec.json.Encoder().encode
        self._beside = Journal(journal.beside(_UNSCORED), Line, OPENING) if journal.is_regular else None
        self._n_lost = 0
        self._is_moved = False
        self._is_synced = True
        self._looked_at = time.monotonic()
        self._queue: queue.SimpleQueue[Finished | None] = queue.SimpleQueue()
        self._unscored: deque[tuple[Finished, bytes]] = deque()
        self._thread = threading.Thread(target=self._work_safely, name="vsr-recorder", daemon=True)
        self._thread.start()

    def put(self, finished: Finished) -> None:
        """Hand a call over."""
        self._queue.put(finished)

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be written that no new call should start."""
        return self._queue.qsize() + len(self._unscored) > _LONGEST_QUEUE

    def close(self) -> None:
        """Write what was handed over, sync, and end the thread.

        Raises:
            BenchmarkError: Something could not be written.
        """
        self._queue.put(None)
        self._thread.join()
        if self._beside is not None:
            self._beside.close()
            if not self._n_lost:
                self._beside.path.unlink(missing_ok=True)
        if self.failure is not None:
            kept = (
                f" What came in since is in {self._journal.path}: add its lines to the output before the next run."
                if self._is_moved
                else ""
            )
            lost = f" {self._n_lost:,} records could not be written anywhere." if self._n_lost else ""
            raise BenchmarkError(f"{self.failure}{kept}{lost}") from self.failure

    def _work_safely(self) -> None:
        try:
            self._work()
        except Exception as error:  # the thread must not die in silence: answers would be lost unseen
            self._n_lost += 1 + len(self._unscored) + self._queue.qsize()
            failure = BenchmarkError(f"{self._journal.path}: a record could not be written: {error!r}.")
            failure.__cause__ = error
            self._fail(failure)

    def _work(self) -> None:
        is_open = True
        while is_open or self._unscored:
            for finished in self._arrived(may_wait=is_open and not self._unscored):
                if finished is None:
                    is_open = False
                else:
                    self._keep(finished)
            if self._unscored:
                self._finish(*self._unscored.popleft())
            if time.monotonic() - self._looked_at >= _SYNC_EVERY_S or not is_open:
                self._look_after()

    def _arrived(self, *, may_wait: bool) -> Iterator[Finished | None]:
        try:
            yield self._queue.get(timeout=_SYNC_EVERY_S) if may_wait else self._queue.get_nowait()
            while True:
                yield self._queue.get_nowait()
        except queue.Empty:
            return

    def _keep(self, finished: Finished) -> None:
        """Make the line of a call, and write an answer down before it is scored."""
        try:
            line = self._line(finished)
        except Exception as error:  # whatever is in an answer, it costs that call alone
            finished = replace(finished, outcome=_unusable(error))
            line = self._line(finished)
        if self._beside is not None and isinstance(finished.outcome, Answer):
            try:
                self._beside.append(line)
            except BenchmarkError as error:
                self._fail(error)
        self._unscored.append((finished, line))

    def _finish(self, finished: Finished, line: bytes) -> None:
        """Score an answer and append the record to the output."""
        if isinstance(finished.outcome, Answer):
            line = self._plan.score(line)
        try:
            self._journal.append(line)
        except BenchmarkError as error:
            self._go_on_elsewhere(str(error), line)
        self._is_synced = False
        if self._beside is not None and self._beside.n_bytes > _MOST_BESIDE_BYTES and self._may_clear:
            self._beside.clear()
        self._count(finished, msgspec.json.decode(line, type=Line))

    def _look_after(self) -> None:
        """Carry what was written to the disk, and see that the output is still there."""
        self._looked_at = time.monotonic()
        happened = self._journal.what_happened()
        if happened is not None:
            self._go_on_elsewhere(f"{self._journal.path} {happened} during the run.")
        if self._is_synced:
            return
        try:
            self._journal.sync()
            if self._beside is not None and self._beside.n_bytes:
                self._beside.clear() if self._may_clear else self._beside.sync()
            self._is_synced = not self._unscored
        except BenchmarkError as error:
            self._fail(error)

    @property
    def _may_clear(self) -> bool:
        """Whether all that stands in `OUTPUT.unscored` stands in the output as well."""
        return not self._unscored and not self._n_lost

    def _go_on_elsewhere(self, why: str, line: bytes | None = None) -> None:
        """Write the rest of the calls under way into a new file, and let no new ones start."""
        self._fail(BenchmarkError(why))
        try:
            self._journal.move(line)
            self._is_moved = True
        except BenchmarkError:
            self._n_lost += line is not None

    def _fail(self, error: BenchmarkError) -> None:
        if self.failure is None:
            self.failure = error
            self.on_failure()

    def _count(self, finished: Finished, line: Line) -> None:
        name = finished.model.name
        cost_usd = line.cost or 0.0
        if line.error is not None:
            self.written.failures[name][line.error_kind or "failed"] += 1
        else:
            measured = self.written.measured[name]
            measured.n_answers += 1
            measured.latency_s += finished.latency_s or 0.0
            measured.output_tokens += line.output_tokens or 0
            measured.cost_usd += cost_usd
            line.score_into(measured)
        self.written.cost_usd += cost_usd
        self.written.n_records += 1

    def _line(self, finished: Finished) -> bytes:
        """Return the record of a call as it is written, an answer still without its score."""
        return self._encode(self._record(finished, self._plan.questions[finished.question]))

    def _record(self, finished: Finished, question: Question) -> dict[str, object]:
        query = question.query
        model = finished.model
        outcome = finished.outcome
        latency_s = finished.latency_s
        if isinstance(outcome, FailedCall) and outcome.kind not in (ErrorKind.TIMEOUT, ErrorKind.REFUSAL):
            latency_s = None
        record: dict[str, object] = {
            "task_name": query.task_name,
            "query": query.query,
            "category": query.category,
            "model_name": model.name,
            "response": None,
            "ground_truth": query.ground_truth,
            "response_time": None if latency_s is None else round(latency_s, 6),
            "performance": None,
        }
        always = tuple(record)
        record |= {name: value for name, value in query.extra.items() if name not in _OURS}
        record |= {
            "embedding_id": self._held.embedding_id(finished.question, question),
            "metric": query.metric,
            "choices": _plain_choices(query.choices),
            "messages": None if query.messages is None else list(query.messages.messages),
        }
        if isinstance(outcome, Answer):
            record |= _answered(outcome)
            if finished.first_token_s is not None:
                record["time_to_first_token"] = round(finished.first_token_s, 6)
            cost_usd = model.cost_of(outcome)
            record["cost"] = cost_usd if cost_usd is not None and 0 <= cost_usd <= MOST_USD else None
        else:
            record |= _failed(outcome)
        record |= {
            "use_reasoning": model.use_reasoning,
            "endpoint": finished.endpoint,
            "attempts": finished.n_attempts,
            "timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "probability": _rounded(self._plan.probability(model, finished.question)),
            "call_id": self._plan.call_id(model, question),
            "draw": question.draw if self._plan.n_draws > 1 else None,
        }
        return {name: value for name, value in record.items() if value is not None or name in always}


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, 6)


def finish_scoring(journal: Journal[Line], score: Callable[[bytes], bytes]) -> int:
    """Score and write what a run that was killed had received and not yet written to its output.

    Args:
        journal: the output.
        score: writes into the line of an answer what it is worth.

    Returns:
        How many records were added.

    Raises:
        BenchmarkError: A line of the output is no record, or it cannot be written.
    """
    path = journal.beside(_UNSCORED)
    if not path.exists():
        return 0
    with Journal(path, Line, OPENING) as kept:
        due = {line.call_id: raw for line, raw in zip(kept.lines(), kept.raw_lines(), strict=True)}
        for line in journal.lines():
            due.pop(line.call_id, None)
        for raw in due.values():
            journal.append(score(raw))
        journal.sync()
    path.unlink()
    return len(due)


def _answered(answer: Answer) -> dict[str, object]:
    return {
        "response": answer.text,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "finish_reason": answer.finish_reason,
        "reasoning": answer.reasoning,
    }


def _failed(failed: FailedCall) -> dict[str, object]:
    return {
        "error": failed.text,
        "error_kind": failed.kind.value,
        "performance": 0.0 if failed.kind.failure.counts else None,
    }


def _unusable(error: Exception) -> FailedCall:
    return FailedCall(ErrorKind.INVALID_ANSWER, f"the answer could not be written: {type(error).__name__}: {error}")


def _plain_choices(choices: Choices | None) -> object:
    """Return choices as they stand in a file: a list, or with their labels where those are not A, B, C."""
    if choices is None:
        return None
    if choices.labels == tuple(map(option_label, range(len(choices.texts)))):
        return list(choices.texts)
    return {"text": list(choices.texts), "labels": list(choices.labels)}
