"""What judges are asked about: one call for a response, two for a pair of them, and some calls again."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random

from vsr.judging.criteria import Criteria
from vsr.judging.modes import Mode, Shown, Task, prompt_of
from vsr.judging.responses import Response

AGAIN = "-again"
"""Ends the key of an item that asks once more what could not be read."""

_RECHECK = "-recheck"


@dataclass(frozen=True)
class Item:
    """One question to a judge.

    Attributes:
        key: tells it from others: a digest of what is shown, not of how it is asked about.
        prompt: what the judge reads.
        shown: places in the list of responses: one, or two in the order in which they are shown. Models that answered
            the same text share the item: then there are several.
        is_recheck: whether the same was asked before, to see whether the judge says the same.
    """

    key: str
    prompt: str
    shown: tuple[tuple[int, ...], ...]
    is_recheck: bool = False

    @property
    def first_key(self) -> str:
        """Key of the item that a recheck repeats."""
        return self.key.removesuffix(_RECHECK)


@dataclass(frozen=True)
class Judged:
    """What is judged, and how.

    Attributes:
        responses: all that can be judged.
        task: mode and form.
        criteria: of rubrics and comparisons.
        against: the model that all others are compared with; None compares all with all.
        recheck: share of the items that are asked twice.
        seed: decides which.
    """

    responses: Sequence[Response]
    task: Task
    criteria: Criteria = field(default_factory=Criteria)
    against: str | None = None
    recheck: float = 0.0
    seed: int = 0

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Give the pairs of responses to one query that are compared, each once; of one model, the first counts."""
        of_query: dict[str, dict[str, int]] = {}
        for place, response in enumerate(self.responses):
            of_query.setdefault(response.key, {}).setdefault(response.model, place)
        for places in of_query.values():
            for first, second in itertools.combinations(places, 2):
                if self.against is None or self.against in (first, second):
                    yield places[first], places[second]

    def items(self) -> list[Item]:
        """Work out every question, rechecks behind all others. Of two equal responses nobody is asked: they tie."""
        shown_by_key: dict[str, list[tuple[int, ...]]] = {}
        for places in self._shown():
            shown_by_key.setdefault(self._key(places), []).append(places)
        items = [Item(key, self._prompt(held[0]), tuple(held)) for key, held in shown_by_key.items()]
        n_again = min(len(items), round(self.recheck * len(items)) or (1 if self.recheck else 0))
        rng = Random(self.seed)  # noqa: S311 a sample, no secret
        again = sorted(rng.sample(range(len(items)), n_again))
        return items + [
            Item(items[index].key + _RECHECK, self._prompt(items[index].shown[0], _RECHECK), items[index].shown, True)
            for index in again
        ]

    def second_time(self, item: Item) -> Item:
        """Give the item that asks once more what could not be read."""
        salt = _RECHECK if item.is_recheck else ""
        prompt = self._prompt(item.shown[0], salt, is_second_time=True)
        return Item(item.key + AGAIN, prompt, item.shown, item.is_recheck)

    def _shown(self) -> Iterator[tuple[int, ...]]:
        if self.task.mode is not Mode.PAIRWISE:
            yield from ((place,) for place in range(len(self.responses)))
            return
        for first, second in self.pairs():
            if self.responses[first].text != self.responses[second].text:
                yield (first, second)
                yield (second, first)

    def _key(self, places: tuple[int, ...]) -> str:
        shown = self._texts(places)
        digest = blake2b(self.task.mode.encode(), digest_size=16)
        for text in (shown.query, *shown.responses, shown.ground_truth or ""):
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
        return f"{self.task.mode}-{digest.hexdigest()}"

    def _prompt(self, places: tuple[int, ...], salt: str = "", *, is_second_time: bool = False) -> str:
        return prompt_of(self.task, self._texts(places), salt, is_second_time=is_second_time)

    def _texts(self, places: tuple[int, ...]) -> Shown:
        first = self.responses[places[0]]
        return Shown(
            first.query,
            tuple(self.responses[place].text for place in places),
            first.ground_truth if self.task.mode is Mode.REFERENCE else None,
            self.criteria.of(first.category),
        )
