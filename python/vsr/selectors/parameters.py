"""Parameters of an algorithm: one typed, bounded, documented model for Python, flags, configuration and help."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo

from vsr.errors import TrainingError

Auto = Literal["auto"]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Described:
    """What a parameter's type and description do not say of it; put into its annotation.

    Attributes:
        expected: the values that it takes, for messages.
        metavar: stands for its value in the help.
        flag: on the command line; `--<algorithm>-<parameter>` without it.
        default: what the help says of the default where the value itself says too little.
        label: short name in tables, for the parameter that tells most about a trained selector.
    """

    expected: str | None = None
    metavar: str | None = None
    flag: str | None = None
    default: str | None = None
    label: str | None = None


class Parameters(BaseModel):
    """Base of the parameters of an algorithm; each field's type holds its bounds, its description is its help.

    Attributes:
        needs: parameter -> (other parameter, value that this one must have for it to mean anything).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    needs: ClassVar[Mapping[str, tuple[str, object]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, values: object) -> object:
        """Take NumPy's numbers and any list as Python's own: strict types know neither."""
        if not isinstance(values, dict):
            return values
        return {name: _as_plain(value) for name, value in values.items()}

    @classmethod
    def of(cls, algorithm: str, values: Mapping[str, object]) -> Self:
        """Check what a caller gives.

        Args:
            algorithm: registry name, for messages.
            values: by parameter; what is missing has its default.

        Raises:
            TrainingError: There is no such parameter, or a value that it cannot have.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            name = str(error.errors(include_url=False)[0]["loc"][0])
        known = {parameter.name: parameter for parameter in parameters_of(algorithm, cls)}
        if name not in known:
            raise TrainingError(f"{algorithm} has no parameter {name}; it has {', '.join(known) or 'none'}")
        raise TrainingError(f"{name} is {values[name]!r}; expected {known[name].expected}")


def _as_plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(map(_as_plain, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Parameter:
    """One parameter, as the command line, the configuration and the documentation show it.

    Attributes:
        algorithm: registry name of its algorithm.
        name: in Python and in the configuration.
        field: its type with bounds, description and default.
    """

    algorithm: str
    name: str
    field: FieldInfo

    @cached_property
    def _described(self) -> Described:
        return next((extra for extra in self.field.metadata if isinstance(extra, Described)), Described())

    @property
    def annotation(self) -> Any:  # noqa: ANN401 -- a type form
        """Its type with its bounds."""
        return Annotated[self.field.annotation, *self.field.metadata] if self.field.metadata else self.field.annotation

    @property
    def flag(self) -> str:
        """On the command line."""
        return self._described.flag or f"--{self.algorithm}-{self.name}".replace("_", "-")

    @property
    def help(self) -> str:
        """One sentence."""
        return self.field.description or ""

    @property
    def words(self) -> tuple[str, ...] | None:
        """The values that it takes where they are a few words; None where it takes others too."""
        annotation = self.field.annotation
        return get_args(annotation) if get_origin(annotation) is Literal else None

    @property
    def expected(self) -> str:
        """The values that it takes, for messages."""
        return self._described.expected or (f"one of {', '.join(self.words)}" if self.words else f"{self.metavar}")

    @property
    def metavar(self) -> str:
        """Stands for its value in the help."""
        return self._described.metavar or "VALUE"

    @property
    def shown_default(self) -> str:
        """Its default, for people."""
        return self._described.default or shown(self.field.default)

    @property
    def label(self) -> str | None:
        """Short name in tables, None where it does not stand there."""
        return self._described.label

    def parse(self, text: str) -> object:
        """Read the value from a command line; a list has commas between its items.

        Raises:
            ValueError: It is none that the parameter takes.
        """
        adapter: TypeAdapter[object] = TypeAdapter(self.annotation)
        try:
            return adapter.validate_python(text)
        except ValueError:
            return adapter.validate_python([part.strip() for part in text.split(",")])


def parameters_of(algorithm: str, model: type[Parameters]) -> Iterator[Parameter]:
    """Give the parameters of an algorithm in order."""
    for name, field in model.model_fields.items():
        yield Parameter(algorithm, name, field)


def shown(value: object) -> str:
    """Write a parameter's value for people, as a command line takes it; what was fitted by name, rounded."""
    if isinstance(value, Mapping):
        return " + ".join(f"{number:.2g} {name}" for name, number in value.items()) or "none"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else f"{value}"
