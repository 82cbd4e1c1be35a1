"""The switch that turns routing off, and the trial of it that changes no answer."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vsr.choice.chooser import Choice
from vsr.errors import ConfigError
from vsr.routing.disabled import DisabledRouter
from vsr.routing.request import Request

_LOGGER = logging.getLogger(__name__)
_LONGEST_NAME = 256

Routing = Literal["on", "shadow", "fixed"]


class FixedRouter(DisabledRouter):
    """Answers everything with one model, whatever a request says: routing is switched off."""

    def route(self, requests: Sequence[Request]) -> list[Choice]:
        """Give the model for every request; errors as those of any router without artefacts."""
        choices = super().route([replace(request, default=None) for request in requests])
        return [replace(choice, reason="fixed") for choice in choices]


@dataclass(frozen=True)
class State:
    """Whether choices reach the callers.

    Attributes:
        routing: `on`; `shadow`: choices are made and logged, and answers do without; `fixed`: no choices are made.
        fixed: answers everything; None where routing is on, and where a shadow answers with the default model.
    """

    routing: Routing = "on"
    fixed: FixedRouter | None = None

    @property
    def model(self) -> str | None:
        """The model that answers everything, None where there is none."""
        return None if self.fixed is None else self.fixed.default

    def __str__(self) -> str:
        if self.routing == "on":
            return "requests are routed"
        answers = "with the default model" if self.model is None else f"with {self.model}"
        if self.routing == "shadow":
            return f"choices are logged alone: every request is answered {answers}"
        return f"routing is switched off: every request is answered {answers}"


class Switch:
    """Says how requests are answered now; a file may say otherwise at any time.

    Attributes:
        state: as it is now.
    """

    def __init__(
        self,
        *,
        is_shadow: bool = False,
        fixed: str | None = None,
        file: Path | None = None,
        known: Collection[str] = (),
    ) -> None:
        """Set it.

        Args:
            is_shadow: log choices, and answer with a fixed model or the default one.
            fixed: the model that answers everything.
            file: holds the name of that model, or nothing; a missing file is an empty one.
            known: names that it may be; any without them.

        Raises:
            ConfigError: The file cannot be read, holds more than a name, or one that is not known.
        """
        self._is_shadow = is_shadow
        self._file = file
        self._known = known
        self.state = self._state(fixed if file is None else self._read(file))

    def read_again(self) -> bool:
        """Read the file again; what it cannot mean is logged, and changes nothing.

        Returns:
            Whether requests are answered otherwise from now on.
        """
        if self._file is None:
            return False
        try:
            state = self._state(self._read(self._file))
        except ConfigError as error:
            _LOGGER.warning("%s; as before, %s", error, self.state)
            return False
        if (state.routing, state.model) == (self.state.routing, self.state.model):
            return False
        self.state = state
        _LOGGER.warning("%s: %s", self._file, state)
        return True

    def _state(self, model: str | None) -> State:
        fixed = None if model is None else FixedRouter(model)
        if self._is_shadow:
            return State("shadow", fixed)
        return State() if fixed is None else State("fixed", fixed)

    def _read(self, file: Path) -> str | None:
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigError(f"{file}: cannot be read ({why}); expected the name of a model, or nothing") from error
        names = text.split("\n") if text.strip() else []
        names = [name.strip() for name in names if name.strip()]
        if not names:
            return None
        if len(names) > 1 or len(names[0]) > _LONGEST_NAME:
            raise ConfigError(f"{file}: holds more than a name; expected the name of one model, or nothing")
        if self._known and names[0] not in self._known:
            raise ConfigError(f"{file}: {names[0]} is no model of the configuration: {', '.join(self._known)}")
        return names[0]
