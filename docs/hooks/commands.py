"""A page for every command, from the same declarations as its `--help`."""

import inspect
import re

import click
from tables import code, table

from vsr.cli import cli
from vsr.cli.sections import options_by_section

_CHOICES = re.compile(r"(.+) \[(.+\|.+)\]")
_SPECIAL = re.compile(r"[*_<>\[\]#]")


def pages() -> dict[str, str]:
    """Make the pages, by the name of the command."""
    return {name: _page(context) for name, context in _contexts().items()}


def overview() -> str:
    """Make a table of the commands."""
    rows = (
        (f"[{code(name)}]({name}.md)", _text(context.command.get_short_help_str(200)))
        for name, context in _contexts().items()
    )
    return table(("command", "does"), rows)


def _contexts() -> dict[str, click.Context]:
    top = click.Context(cli, info_name="vsr-train")
    commands = ((name, cli.get_command(top, name)) for name in cli.list_commands(top))
    return {name: click.Context(command, top, info_name=name) for name, command in commands if command is not None}


def _page(context: click.Context) -> str:
    command = context.command
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    parts = [
        f"---\ntitle: {context.info_name}\n---\n",
        f"# {context.command_path}\n",
        _text(inspect.cleandoc(command.help or "")),
        f"```text\n{usage}\n```\n",
    ]
    for section, records in options_by_section(command, context).items():
        rows = ((_flags(flags), _text(text)) for flags, text in records)
        parts += [f"## {section}\n", '<div class="flags" markdown>\n', table(("flag", ""), rows), "</div>\n"]
    if command.epilog:
        parts += [f"```text\n{command.epilog.strip()}\n```\n"]
    return "\n".join(parts)


def _flags(written: str) -> str:
    """Set each of the flags of one option as code, and what may follow them behind it."""
    if (chosen := _CHOICES.fullmatch(written)) is not None:
        return f"{_flags(chosen[1])} {chosen[2].replace('|', ', ')}"
    return ", ".join(code(flag) for flag in written.split(", "))


def _text(help_text: str) -> str:
    """Let a help text stand in Markdown as it stands in a terminal, but for what is code there."""
    parts = help_text.replace("\b\n", "").split("`")
    return "`".join(part if index % 2 else _SPECIAL.sub(r"\\\g<0>", part) for index, part in enumerate(parts))
