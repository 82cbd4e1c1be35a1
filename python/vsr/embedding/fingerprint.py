"""What identifies an embedder: two embedders with equal fingerprints give equal vectors."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Any

from vsr.errors import EmbeddingError

HASH = "hash"
EXTERNAL = "external"

_COMPARED = ("digest", "width", "pooling", "prompt", "normalisation", "dtype", "token_limit")
_DIGEST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which two fingerprints differ."""

    field: str
    mine: str | int | None
    other: str | int | None

    def __str__(self) -> str:
        return f"{self.field}: {_shown(self.field, self.mine)} against {_shown(self.field, self.other)}"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Where vectors come from, as an artefact records it.

    Attributes:
        name: `qwen3`, `gemma`, `bert`, `hash`, or `external` for vectors that the caller brought. Informs only.
        width: Width of the vectors after any cut.
        digest: Digest of the files that define the network (configuration, tokenizer, case, weights, dense layers).
        pooling: How token vectors become one vector: `mean`, `cls`, `lasttoken`, or `none`.
        prompt: The text put before every query; empty for none.
        normalisation: `l2`: rows have unit length.
        dtype: What the network multiplies: `float32`, `bfloat16` or `int8`.
        token_limit: Longer texts are cut to this many tokens; None for no limit.
        prompt_name: The model's own name of `prompt`. Informs only.
        path: The local folder that was loaded; None for a model from the hub. Informs only.
        revision: The hub's commit. Informs only.
        text: Which text of a conversation was embedded (`vsr.data.messages.Text`). Whoever asks the embedder decides
            that, so it is not compared with one.
    """

    name: str
    width: int
    digest: str
    pooling: str = "none"
    prompt: str = ""
    normalisation: str = "l2"
    dtype: str = "float32"
    token_limit: int | None = None
    prompt_name: str | None = None
    path: str | None = None
    revision: str | None = None
    text: str = "last"

    @classmethod
    def external(cls, width: int) -> "Fingerprint":
        """Describe vectors of `width` columns that the caller brought."""
        return cls(name=EXTERNAL, width=width, digest=EXTERNAL)

    @property
    def is_external(self) -> bool:
        """Whether the vectors were brought by the caller, so that only their width is known."""
        return self.name == EXTERNAL

    def differences(self, other: "Fingerprint") -> list[Difference]:
        """Name what differs between two fingerprints; an empty list means the vectors may be mixed.

        Where one of the two is `external`, only the width can be compared.
        """
        fields = ("width",) if self.is_external or other.is_external else _COMPARED
        pairs = ((field, getattr(self, field), getattr(other, field)) for field in fields)
        return [Difference(field, mine, theirs) for field, mine, theirs in pairs if mine != theirs]

    def key(self) -> str:
        """Give a short text that is equal for two fingerprints if and only if nothing compared differs."""
        compared = {field: getattr(self, field) for field in _COMPARED}
        if self.text != "last":  # what has no conversations keeps its key
            compared["text"] = self.text
        content = json.dumps({**compared, "external": self.is_external}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def to_json(self) -> dict[str, str | int | None]:
        """Give the fields as they are written into an artefact."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: object) -> "Fingerprint":
        """Read the fields back; unknown ones (from a newer version) are ignored.

        Raises:
            EmbeddingError: A field is missing or of the wrong type.
        """
        if not isinstance(content, Mapping):
            raise EmbeddingError(f"embedder fingerprint: expected an object, found {type(content).__name__}")
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name not in content:
                if field.default is dataclasses.MISSING:
                    raise EmbeddingError(f"embedder fingerprint: the field '{field.name}' is missing")
                continue
            value = content[field.name]
            expected: type = int if field.name in {"width", "token_limit"} else str
            optional = field.default is None
            if not (isinstance(value, expected) and not isinstance(value, bool)) and not (optional and value is None):
                kind = "an integer" if expected is int else "a string"
                raise EmbeddingError(f"embedder fingerprint: '{field.name}' must be {kind}, found {shortened(value)}")
            values[field.name] = value
        fingerprint = cls(**values)
        if fingerprint.width < 1:
            raise EmbeddingError(f"embedder fingerprint: 'width' must be at least 1, found {fingerprint.width}")
        return fingerprint

    def __str__(self) -> str:
        parts = [self.name, f"{self.width} wide"]
        if not self.is_external:
            parts.append(f"digest {self.digest[:_DIGEST_SHOWN]}")
        if self.prompt_name is not None:
            parts.append(f"prompt '{self.prompt_name}'")
        if self.text != "last":
            parts.append(f"text {self.text}")
        if self.revision is not None:
            parts.append(f"revision {self.revision[:_DIGEST_SHOWN]}")
        return ", ".join(parts)


def _shown(field: str, value: str | int | None) -> str:
    if field == "digest":
        return str(value)[:_DIGEST_SHOWN]
    return "none" if value is None else repr(value)
