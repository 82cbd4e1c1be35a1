"""What `/metrics` shows, in Prometheus' form; where several workers answer, it adds up over them."""

import os
import threading
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client import values as prometheus_values
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from vsr.choice.chooser import Choice
from vsr.routing.decision_log import DecisionLog
from vsr.routing.reloading import ReloadingRouter
from vsr.serving.feedback import OUTCOMES, Receipt
from vsr.serving.switch import Switch

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_OTHER = "other"
_INFOS = frozenset({"vsr_training_info", "vsr_routing_info"})


def share_metrics(folder: Path, number: int) -> None:
    """Let the metrics of this process add up with those of other workers; before any of them is made.

    Args:
        folder: where all workers keep them.
        number: of this worker; whoever takes the place of a dead one goes on with its counts.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    prometheus_values.ValueClass = prometheus_values.MultiProcessValue(lambda: number)


class Metrics:
    """Counters of one server."""

    def __init__(
        self, reloading: ReloadingRouter | None, log: DecisionLog | None, switch: Switch, folder: Path | None = None
    ) -> None:
        """Start at nought, or where the worker before this one was.

        Args:
            reloading: the router, where it goes over to new trainings.
            log: where decisions are kept.
            switch: how requests are answered.
            folder: as `share_metrics` got it; None where one process answers alone.
        """
        disable_created_metrics()  # a series for each of ours that only says when the server began
        self._reloading = reloading
        self._log = log
        self._switch = switch
        self._lock = threading.Lock()
        own = CollectorRegistry()
        self._requests = Counter(
            "vsr_http_requests", "Answers by path and status code.", ("path", "code"), registry=own
        )
        self._choices = Counter("vsr_choices", "Choices by model and reason.", ("model", "reason"), registry=own)
        self._seconds = Histogram(
            "vsr_select_seconds",
            "How long choosing took, for one request or those that came together.",
            buckets=_SECONDS,
            registry=own,
        )
        self._feedback = Counter(
            "vsr_feedback", "Pieces of feedback by what became of them.", ("result",), registry=own
        )
        for outcome in OUTCOMES:  # from the first day on, so that an alert sees the first one
            self._feedback.labels(outcome)
        self._starts = Counter("vsr_worker_starts", "Processes that began to answer.", registry=own)
        self.in_flight = _gauge("vsr_requests_in_flight", "Requests that are read or wait.", own)
        self._workers = _gauge("vsr_workers", "Processes that answer.", own)
        self._routing = _gauge(
            "vsr_routing_info", "How requests are answered: on, shadow or fixed.", own, "routing", "model"
        )
        if reloading is not None:
            self._reloads = Counter(
                "vsr_reloads",
                "New trainings found, by what became of them; each worker counts its own.",
                ("result",),
                registry=own,
            )
            for result in ("served", "refused"):
                self._reloads.labels(result)
            self._refused = _gauge(
                "vsr_training_refused", "Workers that refuse the training in the folder and serve an older one.", own
            )
            self._training = _gauge("vsr_training_info", "The training that is served, in workers.", own, "run_id")
        if log is not None:
            self._written = Counter("vsr_log_lines", "Decisions written to the log.", registry=own)
            self._dropped = Counter("vsr_log_dropped", "Decisions not written to the log.", registry=own)
        self._seen = _Seen()
        self._page = CollectorRegistry()
        self._page.register(_WithoutFormer(own if folder is None else MultiProcessCollector(None, str(folder))))
        self.in_flight.set(0)
        self._workers.set(1)
        self._starts.inc()

    def answered(self, path: str, code: int) -> None:
        """Count an answer."""
        self._requests.labels(path, code).inc()

    def chosen(self, choices: Sequence[Choice], seconds: float, known: Collection[str]) -> None:
        """Count choices; a default that only the caller knows counts as `other`, lest callers make metrics."""
        for choice in choices:
            self._choices.labels(choice.model if choice.model in known else _OTHER, choice.reason).inc()
        self._seconds.observe(seconds)

    def judged(self, receipts: Sequence[Receipt]) -> None:
        """Count pieces of feedback."""
        for receipt in receipts:
            self._feedback.labels(receipt.outcome).inc()

    def refresh(self) -> None:
        """Take over what router, log and switch say of themselves at this moment."""
        with self._lock:
            seen = self._seen
            state = self._switch.state
            seen.routing = _show(self._routing, seen.routing, (state.routing, state.model or ""))
            if self._reloading is not None:
                reloads = self._reloading.reloads
                self._reloads.labels("served").inc(reloads.served - seen.served)
                self._reloads.labels("refused").inc(reloads.refused - seen.refused)
                seen.served, seen.refused = reloads.served, reloads.refused
                self._refused.set(float(reloads.refusal is not None))
                seen.training = _show(self._training, seen.training, (self._reloading.run_id or "",))
            if self._log is not None:
                n_written, n_dropped = self._log.n_written, self._log.n_dropped
                self._written.inc(n_written - seen.n_written)
                self._dropped.inc(n_dropped - seen.n_dropped)
                seen.n_written, seen.n_dropped = n_written, n_dropped

    def page(self) -> bytes:
        """Write the page."""
        self.refresh()
        return generate_latest(self._page)


class _Seen:
    """What was taken over last."""

    routing: tuple[str, ...] | None = None
    training: tuple[str, ...] | None = None
    served = 0
    refused = 0
    n_written = 0
    n_dropped = 0


class _WithoutFormer(Collector):
    """Leaves out of the infos what held before: a value that processes share can be set to 0, not taken away."""

    def __init__(self, all_of_them: Collector) -> None:
        self._all = all_of_them

    def collect(self) -> Iterable[Metric]:
        for metric in self._all.collect():
            if metric.name in _INFOS:
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric


def _gauge(name: str, text: str, registry: CollectorRegistry, *labels: str) -> Gauge:
    return Gauge(name, text, labels, registry=registry, multiprocess_mode="livesum")


def _show(info: Gauge, before: tuple[str, ...] | None, now: tuple[str, ...]) -> tuple[str, ...]:
    """Let an info say what holds now."""
    if before != now:
        if before is not None:
            info.labels(*before).set(0)
        info.labels(*now).set(1)
    return now
