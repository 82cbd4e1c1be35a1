"""A whole run through all kinds of fault at once: nothing aborts, nothing is lost, memory stays small."""

import json
import os
import subprocess
import sys
from pathlib import Path

from hostile import whole_run
from hostile.fault_server import running
from hostile.faults import FAULTS


def test_a_thousand_calls_through_all_kinds_of_fault(tmp_path):
    assert len({fault.name for fault in FAULTS.values()}) > 22
    with running() as port:
        command = [sys.executable, whole_run.__file__, str(port), str(tmp_path / "out.jsonl"), "1000", "16"]
        here = str(Path(__file__).parents[1])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join((here, *sys.path))}
        process = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert (found["records"], found["different"]) == (1000, 1000)
    assert found["wrong"] == []
    assert found["elsewhere"] == 0
    assert found["kinds"] == found["failures"] | {"answer": found["answers"]}
    assert sum(found["kinds"].values()) == 1000
    assert found["longest_s"] < whole_run.TIMEOUT_S + 1
    assert found["peak_mib"] < 512
