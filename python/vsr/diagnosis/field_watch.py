"""The fields of every line of a file as they stand there, without decoding what nobody looks at."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

NOTHING = frozenset({b"", b"null", b'""'})
"""What a field holds that is not there or says nothing."""

_UNKNOWN = re.compile(r"unknown field `(.*)`", re.DOTALL)
_UNNAMEABLE = re.compile(r'[\x00-\x1f"\\]')  # no class of msgspec has such a field: from then on no name is learnt
_MOST_LEARNT = 300


class FieldWatch:
    """Reads some fields of every line as raw bytes, and learns the names of the others.

    A decoder that refuses unknown fields, and is made anew whenever it meets one, takes less than half the time of
    decoding every line into a dictionary.

    Attributes:
        harmless: the names met so far, but for those that may mean one of ours.
    """

    def __init__(self, known: Sequence[str], meant_by: Callable[[str], str | None]) -> None:
        """Make it.

        Args:
            known: names of fields that mean something.
            meant_by: says which of them another name may mean, if any; asked once a name.
        """
        self._meant_by = meant_by
        self._names = list(known)
        self.harmless = list(known)
        self._doubtful: list[tuple[str, str, str]] = []  # a name, its attribute, the attribute of what it may mean
        self._learns = True
        self._decode = self._decoder()

    def read(self, line: bytes) -> Any:  # noqa: ANN401 its class is made while reading
        """Give the fields of a line: attributes `f0`, `f1`, ... in the order of the known names, each `msgspec.Raw`.

        Raises:
            ValueError: The line is no JSON object.
        """
        while True:
            try:
                return self._decode(line)
            except msgspec.ValidationError as error:
                unknown = _UNKNOWN.search(str(error))
                if unknown is None or unknown[1] in self._names:
                    raise
                self._learn(unknown[1])

    @property
    def is_doubtful(self) -> bool:
        """Whether there is any unknown field that may mean one of ours."""
        return bool(self._doubtful)

    def misnamed(self, fields: Any) -> list[str]:  # noqa: ANN401 what `read` gave
        """Name the unknown fields of a line that may mean one of ours, where that one is not there."""
        return [
            name
            for name, attribute, meant in self._doubtful
            if bytes(getattr(fields, attribute)) not in NOTHING and bytes(getattr(fields, meant)) in NOTHING
        ]

    def _learn(self, name: str) -> None:
        if _UNNAMEABLE.search(name):
            self._learns = False
            self._decode = self._decoder()
            return
        meant = self._meant_by(name)
        if meant is None:
            self.harmless.append(name)
        else:
            self._doubtful.append((name, f"f{len(self._names)}", f"f{self._names.index(meant)}"))
        self._names.append(name)
        self._decode = self._decoder()

    def _decoder(self) -> Callable[[bytes], Any]:
        names = {f"f{number}": name for number, name in enumerate(self._names)}
        line = msgspec.defstruct(
            "Line",
            [(attribute, msgspec.Raw, msgspec.Raw()) for attribute in names],
            rename=names,
            forbid_unknown_fields=self._learns and len(names) < _MOST_LEARNT,
            gc=False,
        )
        return msgspec.json.Decoder(line).decode
