"""A report of made-up contents, written once."""

from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")
pytest.importorskip("jinja2")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole report."""
    from made_up_report import contents  # noqa: PLC0415 -- needs what was looked for above
    from vsr.report import write_report  # noqa: PLC0415 -- the same

    folder = tmp_path_factory.mktemp("report")
    write_report(folder, contents())
    return folder
