"""The flag that names the models of files that do not say them."""

import click


def split_names(given: str | None) -> list[str] | None:
    """Split `a,b,c` into names; None where the flag was not given.

    Raises:
        click.UsageError: A name is blank or occurs twice.
    """
    if given is None:
        return None
    names = [name.strip() for name in given.split(",")]
    if not all(names):
        raise click.UsageError(f"--models {given!r} has a blank name; expected A,B,...")
    if len(set(names)) < len(names):
        raise click.UsageError(
            f"--models {given!r} names a model twice; expected each once, in the order of the files."
        )
    return names
