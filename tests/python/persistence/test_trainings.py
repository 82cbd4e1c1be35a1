"""The run ids of artefacts, read without their arrays."""

import json
from pathlib import Path

from documented import document
from pools import planted_pool
from vsr.choice.objective import Objective
from vsr.persistence import load_artefact, save_selector
from vsr.persistence.trainings import run_ids
from vsr.selectors import registry
from vsr.training.trainer import train_selector


def test_run_ids_are_those_of_the_headers(tmp_path: Path) -> None:
    pool = planted_pool(40)
    selectors = [train_selector(name, pool.features, pool.outcomes) for name in registry.names()]
    paths = [save_selector(selector, tmp_path) for selector in selectors]
    headers = [load_artefact(path).header for path in paths]
    assert run_ids(paths) == {header.run_id for header in headers if header is not None}
    assert len(run_ids(paths)) == 1
    save_selector(selectors[-1], tmp_path, objective=Objective(0.5))
    assert len(run_ids(paths)) == 2


def test_files_that_say_nothing_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "documented.json").write_text(json.dumps(document("knn"), indent=2))
    (tmp_path / "text.json").write_text('{\n  "vsr": {\n    "run_id": 3\n  }\n}\n')
    assert run_ids([*tmp_path.iterdir(), tmp_path / "no.json", tmp_path]) == set()
