"""What lies before a run: how many calls, how long, how dear."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from vsr.asking.budget import TEMPLATE_TOKENS, highest_cost_usd
from vsr.asking.models import AskedModel
from vsr.benchmark.plan import Plan
from vsr.benchmark.resume import Measured, OutputSummary

_BYTES_PER_TOKEN = 4
#: An answer of usual length, where nothing else is known yet.
USUAL_TOKENS = 300


@dataclass(frozen=True)
class Estimate:
    """What lies before a run.

    Attributes:
        n_calls: calls that are to be asked.
        n_there: calls of the plan that the output already holds.
        highest_usd: cost if every answer used its whole limit; None where no model has prices.
        likely_usd: cost if answers are as long as those that are there already; None where too few are.
        shortest_s: seconds that the delay between requests takes in any case.
        likely_s: seconds if calls take as long as those that are there already; None where too few are.
        unpriced: models without prices.
    """

    n_calls: int
    n_there: int
    highest_usd: float | None
    likely_usd: float | None
    shortest_s: float
    likely_s: float | None
    unpriced: tuple[str, ...]

    def of_part(self, n_in_all: int) -> "Estimate":
        """Give what is left where only so many calls of the plan are made in all, of usual length each."""
        n_calls = min(max(n_in_all - self.n_there, 0), self.n_calls)
        share = n_calls / max(self.n_calls, 1)

        def part(whole: float | None) -> float | None:
            return None if whole is None else share * whole

        return replace(
            self,
            n_calls=n_calls,
            highest_usd=part(self.highest_usd),
            likely_usd=part(self.likely_usd),
            shortest_s=share * self.shortest_s,
            likely_s=part(self.likely_s),
        )


def estimate(plan: Plan, held: OutputSummary, *, concurrency: int, delay_s: float) -> Estimate:
    """Say what a run will take, as far as that can be known.

    Args:
        plan: what is asked.
        held: what the output holds; its answers are the measure for the others.
        concurrency: requests in flight.
        delay_s: seconds between the starts of two requests to one endpoint.
    """
    missing = {model.name: held.missing(model.name) for model in plan.models}
    due = [model for model in plan.models if missing[model.name]]
    at_endpoint: dict[str, int] = {}
    for model in due:
        for target in model.targets if model.is_drawn else model.targets[:1]:
            share = len(missing[model.name]) // (len(model.targets) if model.is_drawn else 1)
            at_endpoint[target.endpoint] = at_endpoint.get(target.endpoint, 0) + share
    shortest_s = max(at_endpoint.values(), default=0) * delay_s
    is_priced = any(model.pricing is not None for model in due)
    highest_usd = sum(
        highest_cost_usd(model, plan.questions[index].prompt) for model in due for index in missing[model.name]
    )
    means = {model.name: held.measured[model.name] for model in due}
    is_known = bool(due) and all(measured.n_answers >= 3 for measured in means.values())
    likely_usd = sum(_likely(model, plan, missing[model.name], means[model.name]) for model in due)
    busy_s = sum(len(missing[model.name]) * (means[model.name].mean_latency_s or 0.0) for model in due)
    return Estimate(
        n_calls=sum(map(len, missing.values())),
        n_there=held.n_done,
        highest_usd=highest_usd if is_priced else None,
        likely_usd=likely_usd if is_priced and is_known else None,
        shortest_s=shortest_s,
        likely_s=max(shortest_s, busy_s / concurrency) if is_known else None,
        unpriced=tuple(model.name for model in due if model.pricing is None),
    )


def usual_cost_usd(plan: Plan) -> float:
    """Say what all calls of a plan would cost with answers of usual length; 0 where no model has prices."""
    everything = range(len(plan.questions))
    return sum(
        _cost_of(model, plan, everything, min(USUAL_TOKENS, model.max_tokens or USUAL_TOKENS)) for model in plan.models
    )


def _likely(model: AskedModel, plan: Plan, questions: Iterable[int], measured: Measured) -> float:
    return _cost_of(model, plan, questions, round(measured.output_tokens / max(measured.n_answers, 1)))


def _cost_of(model: AskedModel, plan: Plan, questions: Iterable[int], n_output: int) -> float:
    n_inputs = (len(plan.questions[index].prompt.encode()) // _BYTES_PER_TOKEN + TEMPLATE_TOKENS for index in questions)
    return sum(model.cost_usd(n_input, n_output) or 0.0 for n_input in n_inputs)
