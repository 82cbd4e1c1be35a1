import subprocess
import sys
from importlib.metadata import version

import pytest

import vsr

HEAVY = {"scipy", "rich", "click", "httpx", "pydantic", "msgspec", "yaml", "huggingface_hub", "vsr._core"}


@pytest.mark.parametrize("name", vsr.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    value = getattr(vsr, name)
    assert name in dir(vsr)
    assert getattr(value, "__doc__", None)


def test_public_names_are_declared_once():
    assert sorted(vsr.__all__) == sorted(vsr._HOME_OF)
    assert len(vsr.__all__) == sum(map(len, vsr._HOMES.values()))


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'vsr' has no attribute 'train'"):
        vsr.train  # type: ignore[attr-defined]  # noqa: B018


def test_version_is_that_of_the_distribution():
    assert vsr.__version__ == version("vsr-train")


def test_importing_the_package_imports_nothing_heavy_but_numpy():
    code = f"import sys, vsr; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
