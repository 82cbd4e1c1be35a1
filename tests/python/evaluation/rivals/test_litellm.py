"""LiteLLM's complexity tiers, by its own code, in a process of its own: importing it leaves marks."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vsr.data.outcomes import Outcomes
from vsr.errors import TrainingError
from vsr.evaluation.rivals.litellm import LiteLlmComplexity

SCRIPT = """
import os, socket, sys
def nobody(*args, **kwargs): raise SystemExit("it went to the network")
socket.getaddrinfo = socket.socket.connect = nobody
before = dict(os.environ)
import numpy as np
from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.evaluation.rivals.litellm import LiteLlmComplexity
from vsr.evaluation.rivals.rival import RivalFold
import vsr.cli.baselines
assert "litellm" not in sys.modules
hard = "Think step by step and explain your reasoning: implement and debug a python function over a schema, take %d"
texts = [f"what is {i}?" if i % 2 else hard % i for i in range(20)]
quality = np.array([[1.0, 0.0] if i % 2 else [0.0, 1.0] for i in range(20)])
outcomes = Outcomes(texts, [None] * 20, ["small", "large"], quality)
router = LiteLlmComplexity()
seconds = router.prepare(outcomes)
assert 0.0 < seconds < 1.0
train, test = np.arange(10), np.arange(10, 20)
none = np.zeros((10, 16), dtype=np.float32)
chosen = router.choose(RivalFold(none, outcomes.take(train), train, none, test, Objective(1.0), 0))
assert dict(os.environ) == before, "the environment changed"
print(chosen.tolist())
"""


@pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="the extra litellm is not installed")
def test_its_own_rules_sort_queries_and_the_training_part_names_the_models(tmp_path: Path):
    (tmp_path / ".env").write_text("LEFT_ALONE=1\n")
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert (run.returncode, run.stdout) == (0, f"{[1, 0] * 5}\n"), run.stderr


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(TrainingError, match=r"pip install '\.\[litellm\]'"):
        LiteLlmComplexity().prepare(Outcomes(["a"], [None], ["m"], np.ones((1, 1))))


def test_another_version_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(LiteLlmComplexity, "is_installed", staticmethod(lambda: True))
    monkeypatch.setattr("vsr.evaluation.rivals.litellm._MODULE", "vsr.evaluation.verdict")
    with pytest.raises(TrainingError, match="this version of litellm has no complexity router"):
        LiteLlmComplexity().prepare(Outcomes(["a"], [None], ["m"], np.ones((1, 1))))
