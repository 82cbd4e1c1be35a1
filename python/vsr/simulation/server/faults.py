"""Faults that a pool makes on request, each with its own share of the calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Literal, get_args

from vsr.errors import ConfigError

FaultName = Literal["rate_limited", "server_error", "hang", "cut", "malformed", "unauthorized"]

FAULTS: tuple[FaultName, ...] = get_args(FaultName)
"""What can go wrong: 429 with `Retry-After`, 500, no answer at all, a connection cut in the middle of the answer, an
answer that is no JSON, 401."""

FAULTS_HEADER = "X-Simulate-Faults"
"""A request that bears this header (`rate_limited=0.1, hang=0.05`) gets these faults in place of the pool's own; an
endpoint's `headers` in a configuration can set it."""


@dataclass(frozen=True)
class Faults:
    """Which faults a pool makes, and how often.

    Attributes:
        shares: share of the calls by fault; together at most 1.
        retry_after_s: what a 429 says in `Retry-After`.
        as_date: whether it says so as a date.
        hang_s: how long a hanging call is held before it is dropped.
    """

    shares: Mapping[FaultName, float] = field(default_factory=dict)
    retry_after_s: int = 1
    as_date: bool = False
    hang_s: float = 600.0

    def __post_init__(self) -> None:
        """Check names and shares.

        Raises:
            ConfigError: There is no such fault, or the shares make no sense.
        """
        for name, share in self.shares.items():
            if name not in FAULTS:
                raise ConfigError(f"there is no fault '{name}'; there is: {', '.join(FAULTS)}.")
            if not 0.0 <= share <= 1.0:
                raise ConfigError(f"the share of {name} is {share}; expected 0 to 1.")
        if sum(self.shares.values()) > 1.0 + 1e-9:
            raise ConfigError(f"the shares of the faults sum up to {sum(self.shares.values()):g}; expected at most 1.")

    def draw(self, *key: object) -> FaultName | None:
        """Return the fault of a call, None for most; the same key has always the same."""
        if not self.shares:
            return None
        digest = blake2b("\n".join(map(str, key)).encode("utf-8", "replace"), digest_size=8).digest()
        chance = Random(int.from_bytes(digest)).random()  # noqa: S311 a simulation, no secret
        for name in FAULTS:
            chance -= self.shares.get(name, 0.0)
            if chance < 0.0:
                return name
        return None


def parse_faults(text: str, defaults: Faults) -> Faults:
    """Read `rate_limited=0.1, hang=0.05`.

    Raises:
        ConfigError: It is not of that form.
    """
    shares: dict[FaultName, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)  # type: ignore[index]  # Faults checks the names
        except ValueError as error:
            raise ConfigError(f"'{part}' is no fault; expected a name and a share, for example hang=0.05.") from error
    return Faults(shares, defaults.retry_after_s, defaults.as_date, defaults.hang_s)
