"""A short run of the fuzzer of files; `fuzz_files.py` itself runs for minutes."""

from pathlib import Path

import pytest

from hostile import fuzz_files


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", fuzz_files.READERS)
def test_damaged_files_are_refused_or_read(kind: str, tmp_path: Path) -> None:
    files = fuzz_files.originals(kind, tmp_path)
    outcomes = [fuzz_files.run_case(kind, case, files, tmp_path) for case in range(120)]
    assert {outcome for outcome in outcomes if outcome not in ("refused", "read")} == set()
    assert outcomes.count("read") > 2, "everything was damaged beyond recognition"
