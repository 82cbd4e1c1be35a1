"""Many short texts as two arrays, so that none of them is made before somebody reads it."""

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt


class StoredTexts(Sequence[str]):
    """Texts, UTF-8 bytes one after the other and where each of them ends."""

    def __init__(self, content: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> None:
        """Take the two arrays.

        Raises:
            ValueError: They do not fit together.
        """
        if len(ends) and (ends[0] < 0 or ends[-1] != len(content) or np.any(np.diff(ends) < 0)):
            raise ValueError("the ends of texts are not in order, or not within their bytes")
        self.content = content
        self.ends = ends

    @classmethod
    def of(cls, texts: Sequence[str]) -> "StoredTexts":
        """Take texts."""
        encoded = [text.encode("utf-8", "replace") for text in texts]
        ends = np.cumsum([len(each) for each in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Make one of the texts, or some."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        start = int(self.ends[number - 1]) if number else 0
        return self.content[start : int(self.ends[number])].tobytes().decode("utf-8", "replace")

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ends)
