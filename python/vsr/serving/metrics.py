"""What `/metrics` shows, in Prometheus' form."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vsr.choice.chooser import Choice
from vsr.routing.decision_log import DecisionLog
from vsr.routing.reloading import ReloadingRouter
from vsr.serving.feedback import OUTCOMES, Receipt

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_OTHER = "other"


class Metrics:
    """Counters of one server."""

    def __init__(self, reloading: ReloadingRouter | None, log: DecisionLog | None) -> None:
        """Start at nought."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # a series for each of ours that only says when the server began
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "vsr_http_requests", "Answers by path and status code.", ("path", "code"), registry=self._registry
        )
        self._choices = Counter(
            "vsr_choices", "Choices by model and reason.", ("model", "reason"), registry=self._registry
        )
        self._seconds = Histogram(
            "vsr_select_seconds",
            "From the whole body of a request to its answer.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._feedback = Counter(
            "vsr_feedback", "Pieces of feedback by what became of them.", ("result",), registry=self._registry
        )
        for outcome in OUTCOMES:  # from the first day on, so that an alert sees the first one
            self._feedback.labels(outcome)
        self.in_flight = Gauge("vsr_requests_in_flight", "Requests that are read or wait.", registry=self._registry)
        self._registry.register(_States(reloading, log))

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

    def page(self) -> bytes:
        """Write the page."""
        return generate_latest(self._registry)


class _States(Collector):
    """What router and log say of themselves, at the moment when somebody looks."""

    def __init__(self, reloading: ReloadingRouter | None, log: DecisionLog | None) -> None:
        self._reloading = reloading
        self._log = log

    def collect(self) -> Iterable[Metric]:
        """Give the metrics."""
        yield from self._of_trainings()
        yield from self._of_log()

    def _of_trainings(self) -> Iterator[Metric]:
        if self._reloading is None:
            return
        reloads = self._reloading.reloads
        counted = CounterMetricFamily("vsr_reloads", "New trainings found, by what became of them.", labels=["result"])
        counted.add_metric(["served"], reloads.served)
        counted.add_metric(["refused"], reloads.refused)
        yield counted
        yield GaugeMetricFamily(
            "vsr_training_refused",
            "1 while the training in the folder is refused and an older one is served.",
            value=float(reloads.refusal is not None),
        )
        info = GaugeMetricFamily("vsr_training_info", "The training that is served.", labels=["run_id"])
        info.add_metric([self._reloading.run_id or ""], 1.0)
        yield info

    def _of_log(self) -> Iterator[Metric]:
        if self._log is None:
            return
        yield CounterMetricFamily("vsr_log_lines", "Decisions written to the log.", value=self._log.n_written)
        yield CounterMetricFamily("vsr_log_dropped", "Decisions not written to the log.", value=self._log.n_dropped)
