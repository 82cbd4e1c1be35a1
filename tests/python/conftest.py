import os
import signal
from pathlib import Path

import hypothesis
import pytest

# A busy machine is no failure, and every run tries the same examples.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("suite")

# A shell that starts the tests in the background lets them and all their children ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and reference models, which lies outside the repository."""
    folder = Path(os.environ.get("VSR_SHARED", Path(__file__).parents[3] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no {folder}: set VSR_SHARED to the folder that holds data and reference")
    return folder


@pytest.fixture(scope="session", autouse=True)
def private_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what processes of one user share apart from what runs beside the tests."""
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("runtime"))
