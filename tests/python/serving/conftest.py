"""What the servers of these tests serve."""

from pathlib import Path

import pytest

from routing.trainings import write_training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of the simulated texts."""
    made = tmp_path_factory.mktemp("models")
    write_training(made)
    return made
