"""What a run in rounds has planned and seen, beside its records: so that it goes on as it began.

The calls of a round are drawn from the qualities before it. Scored again, or asked again after a failure, these would
give other draws, and more calls than the budget allows; so what was drawn is kept. So is what a look at the verdict
saw: a run that was decided stays decided.
"""

import os
import zlib
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from vsr._files import atomic_writer
from vsr.benchmark.allocation import Allocation
from vsr.benchmark.plan import Plan
from vsr.errors import BenchmarkError


class Look(msgspec.Struct, frozen=True):
    """What a look at the verdict came to.

    Attributes:
        said: what it saw, and why the run goes on or stops, for people.
        ends: whether the run stops.
    """

    said: str
    ends: bool


class _Round(msgspec.Struct, frozen=True):
    """A round: (n, n_models) float64 probabilities and bool draws, compressed."""

    probabilities: bytes
    is_drawn: bytes


class _Content(msgspec.Struct, frozen=True):
    plan: str
    rounds: dict[int, _Round] = {}
    looks: dict[int, Look] = {}


@dataclass(frozen=True, eq=False)
class Drawn:
    """The calls of a round.

    Attributes:
        probabilities: (n, n_models) float64 with which each was drawn.
        is_drawn: (n, n_models) bool, those that are made.
    """

    probabilities: npt.NDArray[np.float64]
    is_drawn: npt.NDArray[np.bool_]


class RoundsFile:
    """The file beside the records of a run; one of other queries, models, settings or rounds is not used."""

    def __init__(
        self, output: str | os.PathLike[str], plan: Plan, allocation: Allocation, looked_for: str = ""
    ) -> None:
        """Read it, where it and the records are there.

        Args:
            output: the records file.
            plan: every query and every model.
            allocation: the rounds.
            looked_for: what the verdict of the looks is about.

        Raises:
            BenchmarkError: It is damaged.
        """
        records = Path(output)
        self.path = records.with_name(f"{records.name.removesuffix('.jsonl')}.rounds.json")
        self._allocation = allocation
        own = _Content(_digest(plan, allocation, looked_for))
        # Records that were deleted are a new beginning.
        held = self._read() if records.exists() and self.path.exists() else own
        #: Whether the file is of another plan than this one.
        self.is_of_another_plan = held.plan != own.plan
        self._content = own if self.is_of_another_plan else held

    def drawn(self, number: int) -> Drawn | None:
        """Give what was drawn for a round; None where nothing was yet.

        Raises:
            BenchmarkError: It is damaged.
        """
        held = self._content.rounds.get(number)
        if held is None:
            return None
        shape = (len(self._allocation.rounds[number].rows), self._allocation.n_models)
        probabilities = np.frombuffer(self._unpacked(held.probabilities, 8 * shape[0] * shape[1]), dtype=np.float64)
        is_drawn = np.frombuffer(self._unpacked(held.is_drawn, shape[0] * shape[1]), dtype=np.uint8) != 0
        if not ((probabilities > 0.0) & (probabilities <= 1.0)).all():
            raise self._damaged()
        return Drawn(probabilities.reshape(shape), is_drawn.reshape(shape))

    def keep_drawn(self, number: int, drawn: Drawn) -> None:
        """Keep what was drawn for a round.

        Raises:
            OutputError: The file cannot be written.
        """
        packed = _Round(zlib.compress(drawn.probabilities.tobytes()), zlib.compress(drawn.is_drawn.tobytes()))
        self._write(msgspec.structs.replace(self._content, rounds=self._content.rounds | {number: packed}))

    @property
    def is_ended(self) -> bool:
        """Whether a look ended the run."""
        return any(look.ends for look in self._content.looks.values())

    def look(self, number: int) -> Look | None:
        """Give what the look after a round came to; None where nobody has looked yet."""
        return self._content.looks.get(number)

    def keep_look(self, number: int, look: Look) -> None:
        """Keep what the look after a round came to.

        Raises:
            OutputError: The file cannot be written.
        """
        self._write(msgspec.structs.replace(self._content, looks=self._content.looks | {number: look}))

    def _read(self) -> _Content:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Content)
        except (OSError, msgspec.DecodeError) as error:
            raise self._damaged() from error

    def _write(self, content: _Content) -> None:
        with atomic_writer(self.path) as file:
            file.write(msgspec.json.encode(content))
        self._content = content

    def _unpacked(self, packed: bytes, n_bytes: int) -> bytes:
        """Decompress so many bytes, never more."""
        try:
            unpacked = zlib.decompressobj().decompress(packed, n_bytes + 1)
        except zlib.error as error:
            raise self._damaged() from error
        if len(unpacked) != n_bytes:
            raise self._damaged()
        return unpacked

    def _damaged(self) -> BenchmarkError:
        return BenchmarkError(
            f"{self.path}: is not what a run in rounds writes there. Delete it: rounds are then planned from the "
            "records alone"
        )


def _digest(plan: Plan, allocation: Allocation, looked_for: str) -> str:
    """Say in a few bytes what is asked of whom, under which settings, in which rounds, and what for."""
    digest = blake2b(digest_size=16)
    for question in plan.questions:
        digest.update(question.key.encode("utf-8", "surrogatepass") + b"\0")
    for model in plan.models:
        digest.update(plan.call_id(model, plan.questions[0]).encode())
    digest.update(b"%d" % allocation.seed)
    for array in (allocation.clusters, allocation.codes, *(own.rows for own in allocation.rounds)):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(str([own.n_cells for own in allocation.rounds]).encode())
    digest.update(looked_for.encode())
    return digest.hexdigest()
