"""The flags of the algorithms, made from their parameters: no flag of an algorithm stands anywhere else."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from vsr.cli.sections import SectionedCommand, SectionedOption, option
from vsr.selectors import registry

ALGORITHMS = "Algorithms"
_SEPARATOR = "__"  # between algorithm and parameter in the name that click gives a value


class AlgorithmChoice(click.Choice[str]):
    """The name of an algorithm, or a short one; the command gets the registry name."""

    def __init__(self, *others: str) -> None:
        super().__init__((*others, *registry.names(), *registry.short_names()))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        """Give the registry name."""
        return registry.full_name(super().convert(value, param, ctx))


def selector_option(command: Callable[..., object]) -> Callable[..., object]:
    """Add `--algorithm`, the one selector to ask; the command gets its registry name, or `recommended`."""
    return option(
        "--algorithm",
        type=AlgorithmChoice("recommended"),
        metavar="NAME",
        default="recommended",
        show_default=True,
        help=f"Which selector to ask: what the training recommends, or {', '.join(registry.names())}.",
    )(command)


class AlgorithmsCommand(SectionedCommand):
    """A command with the flags of every algorithm, made when somebody asks for them: they need NumPy and pydantic."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Put the flags of the algorithms behind the other options of their heading."""
        parameters = super().get_params(ctx)
        place = 1 + max(
            (
                index
                for index, each in enumerate(parameters)
                if isinstance(each, SectionedOption) and each.section == ALGORITHMS
            ),
            default=len(parameters) - 1,
        )
        return [*parameters[:place], *_options(), *parameters[place:]]


def _options() -> list[click.Parameter]:
    from vsr.selectors.parameters import Parameter, parameters_of

    class Value(click.ParamType[Any]):
        """A value of a parameter."""

        def __init__(self, parameter: Parameter) -> None:
            self.name = parameter.name
            self._parameter = parameter

        def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
            """Read it."""
            if not isinstance(value, str):
                return value
            try:
                return self._parameter.parse(value)
            except ValueError:
                self.fail(f"{value!r} is not {self._parameter.expected}.", param, ctx)

    return [
        SectionedOption(
            [parameter.flag, f"{name}{_SEPARATOR}{parameter.name}"],
            section=ALGORITHMS,
            type=Value(parameter) if parameter.words is None else click.Choice(parameter.words),
            metavar=None if parameter.words else parameter.metavar,
            show_default=parameter.shown_default,
            help=parameter.help,
        )
        for name in registry.names()
        for parameter in parameters_of(name, registry.algorithm(name).parameters_model)
    ]


def given_parameters(
    algorithms: tuple[str, ...], flags: Mapping[str, Any], configured: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Sort parameters by algorithm: those of the configuration, over them the flags that were given.

    Args:
        algorithms: those that are trained.
        flags: the values of `AlgorithmsCommand`'s flags; None where a flag was not given.
        configured: by algorithm, what the configuration says.

    Raises:
        click.UsageError: A flag is for an algorithm that is not trained, or means nothing beside another one.
    """
    from vsr.selectors.parameters import parameters_of

    given = {name: dict(own) for name, own in configured.items() if name in algorithms}
    for key, value in flags.items():
        if value is None:
            continue
        name, _, own = key.partition(_SEPARATOR)
        model = registry.algorithm(name).parameters_model
        flag_of = {parameter.name: parameter.flag for parameter in parameters_of(name, model)}
        if name not in algorithms:
            raise click.UsageError(f"{flag_of[own]} has no effect here: {name} is not trained (--algorithm).")
        needed = model.needs.get(own)
        if needed is not None:
            other, wanted = needed
            found = flags.get(f"{name}{_SEPARATOR}{other}")
            if found not in (None, wanted):
                raise click.UsageError(f"{flag_of[own]} has no effect with {flag_of[other]} {found}.")
        given.setdefault(name, {})[own] = value
    return given
