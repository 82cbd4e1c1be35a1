"""`vsr-train doctor`: is anything wrong with these queries, records and configurations?"""

from pathlib import Path

import click

from vsr.cli.findings import write_diagnosis
from vsr.cli.options import json_option
from vsr.cli.sections import command


@command("doctor")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@json_option
def doctor(files: tuple[Path, ...], as_json: bool) -> int:
    """Check queries, records and configurations before they cost money or time.

    What kind of file each is, is told by what stands in it. Every finding says what is wrong, where, and what to do:
    an error cannot work or wastes money, a warning is hardly meant, a note is good to know. With a configuration its
    endpoints are tried by a connection; nothing is asked. Exit code 1 if there are errors.
    """
    from vsr.diagnosis import doctor as run

    diagnosis = run(files)
    write_diagnosis(diagnosis, as_json=as_json)
    return 1 if diagnosis.count("error") else 0
