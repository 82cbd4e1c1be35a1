"""Commands whose help lists the options under headings, and the flags that every command has."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from vsr.cli import terminal

OWN = "Options"  # the heading of what only one command has
GENERAL = "General"
_FLAG_COLUMN = 28  # characters for the flags; the text of longer ones starts on the next line
_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


class SectionedOption(click.Option):
    """An option that knows the heading it stands under."""

    def __init__(self, names: Sequence[str], section: str = OWN, **settings: Any) -> None:
        super().__init__(names, **settings)
        self.section = section

    def get_help_extra(self, ctx: click.Context) -> Any:  # noqa: ANN401 (a type that click does not export)
        """Leave out the range, which the metavar shows in fewer characters, and click's brackets around a default."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        if isinstance(self.show_default, str):
            extra["default"] = self.show_default
        return extra


def option(*names: str, section: str = OWN, **settings: Any) -> Callable[[_Decorated], _Decorated]:
    """Declare an option like `click.option`, with the heading that it stands under in the help."""
    return click.option(*names, cls=SectionedOption, section=section, **settings)


class SectionedCommand(click.Command):
    """A command with `-v` and `-q`, whose help groups the options; the headings keep the order of declaration."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params.extend(verbosity_options())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's own names)
        """Write the epilog line by line: what stands there is a table."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write("".join(f"{line}\n" for line in self.epilog.splitlines()))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one block of options per heading, the general ones last."""
        for heading, records in options_by_section(self, ctx).items():
            with formatter.section(heading):
                # Padded, so that the texts of all blocks start in one column.
                padded = [(flags.ljust(_FLAG_COLUMN), text) for flags, text in records]
                formatter.write_dl(padded, col_max=_FLAG_COLUMN)


def options_by_section(command: click.Command, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
    """Give the options of a command under their headings, the general ones last: flags and what they do."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, click.Option):
            sections.setdefault(_section_of(parameter), []).append(record)
    return {**sections, GENERAL: sections.pop(GENERAL)}


def command(
    name: str, cls: type[SectionedCommand] = SectionedCommand, epilog: str | None = None
) -> Callable[[Callable[..., object]], SectionedCommand]:
    """Declare a command like `click.command`, with headings in its help and the flags that every command has.

    Args:
        name: what it is called by.
        cls: its class.
        epilog: lines for the end of the help.
    """
    return click.command(name, cls=cls, epilog=epilog)


def _section_of(parameter: click.Parameter) -> str:
    return parameter.section if isinstance(parameter, SectionedOption) else GENERAL


def verbosity_options() -> list[click.Parameter]:
    """Make the two flags that say how much is printed."""
    return [
        click.Option(
            ["-v", "--verbose"], is_flag=True, expose_value=False, callback=_apply_verbose, help="Say more on stderr."
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_apply_quiet,
            help="Print data, warnings and errors alone.",
        ),
    ]


def _apply_verbose(_context: click.Context, _parameter: click.Parameter, given: bool) -> None:
    if given:
        _set_once(terminal.Verbosity.VERBOSE)


def _apply_quiet(_context: click.Context, _parameter: click.Parameter, given: bool) -> None:
    if given:
        _set_once(terminal.Verbosity.QUIET)


def _set_once(verbosity: terminal.Verbosity) -> None:
    if terminal.verbosity() not in (terminal.Verbosity.NORMAL, verbosity):
        raise click.UsageError("-v and -q contradict each other: give one of them.")
    terminal.set_verbosity(verbosity)
