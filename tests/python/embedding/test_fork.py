"""A child that is forked after its parent embedded batches embeds too: no library's threads stay behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from embedding.tiny_models import models, write_model

# Batches above 65,536 numbers: from there on the tensor library used to spread its work over threads of its own. The
# child also loads the model anew. A child that hangs is killed by the alarm.
EMBED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from vsr import _core

texts = [" ".join(f"w{(i + j) % 60}" for j in range(40 + i % 24)) for i in range(96)]
rows = np.arange(len(texts), dtype=np.uint32)

def embed(encoder):
    return encoder.embed(encoder.tokenize(texts), rows)

def threads():
    return set(Path("/proc/self/task").iterdir())

before = threads()
_core.set_n_threads(3)
encoder = _core.TextEncoder(sys.argv[1])
expected = embed(encoder)
names = {(task / "comm").read_text().strip() for task in threads() - before}
child = os.fork()
if child == 0:
    signal.alarm(20)
    same = all(np.array_equal(embed(each), expected) for each in (encoder, _core.TextEncoder(sys.argv[1])))
    os._exit(0 if same else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *sorted(names))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="names of threads are read from /proc")
@pytest.mark.parametrize("index", range(len(models())), ids=[config["model_type"] for config, _ in models()])
def test_a_forked_child_embeds_after_its_parent(index: int, tmp_path: Path) -> None:
    config, shapes = models()[index]
    write_model(tmp_path / "model", config, shapes, sharded=False)
    command = [sys.executable, "-c", EMBED, str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["0", "vsr-0", "vsr-1", "vsr-2"]
