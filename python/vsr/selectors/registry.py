"""The algorithms by name: the modules beside this one, and what other packages offer as `vsr.selectors`.

Another package adds one with an entry point that names a subclass of `Algorithm`:

    [project.entry-points."vsr.selectors"]
    forest = "my_package.forest:Forest"
"""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from vsr.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from vsr.selectors.base import Algorithm

_GROUP = "vsr.selectors"
_OWN = {
    "knn": "vsr.selectors.knn:Knn",
    "kmeans": "vsr.selectors.kmeans:KMeans",
    "svm": "vsr.selectors.svm:Svm",
    "mlp": "vsr.selectors.mlp:Mlp",
    "matrix_factorization": "vsr.selectors.matrix_factorization:MatrixFactorization",
}
# Behind those of other packages: it combines them too.
_LAST = {"table": "vsr.selectors.table:Table", "stacking": "vsr.selectors.stacking:Stacking"}
_SHORT_NAMES = {"mf": "matrix_factorization"}


@cache
def _entries() -> dict[str, EntryPoint]:
    """The algorithms by name; none of their modules is imported. A name of ours is never taken over."""
    entries = {name: EntryPoint(name, value, _GROUP) for name, value in _OWN.items()}
    for entry in entry_points(group=_GROUP):
        if entry.name not in _LAST:
            entries.setdefault(entry.name, entry)
    return entries | {name: EntryPoint(name, value, _GROUP) for name, value in _LAST.items()}


def names() -> tuple[str, ...]:
    """Give the registry names of all algorithms, those that combine others last."""
    return tuple(_entries())


def short_names() -> tuple[str, ...]:
    """Give the short names that some algorithms have beside their own."""
    return tuple(_SHORT_NAMES)


def full_name(name: str) -> str:
    """Give the registry name that a short one (`mf`) stands for; any other name is given back."""
    return _SHORT_NAMES.get(name, name) if isinstance(name, str) else name


@cache
def learning() -> tuple[str, ...]:
    """Give the names of the algorithms that predict anything beyond the category means."""
    return tuple(name for name in names() if algorithm(name).learns)


def parts_first(chosen: Iterable[str]) -> tuple[str, ...]:
    """Put algorithms into an order in which each is trained after those that it combines."""
    return tuple(sorted(chosen, key=lambda name: algorithm(name).combines))


def algorithm(name: str) -> "type[Algorithm[Any, Any]]":
    """Give the class of an algorithm.

    Raises:
        TrainingError: There is none of that name.
        ConfigError: Another package offers it, but what it offers cannot be used.
    """
    from vsr.selectors.base import Algorithm  # noqa: PLC0415 -- names alone are needed without NumPy

    entry = _entries().get(name) if isinstance(name, str) else None
    if entry is None:
        raise TrainingError(f"no algorithm is called {name!r}; there are {', '.join(names())}")
    try:
        found = entry.load()
    except Exception as error:
        raise ConfigError(f"the entry point {name} = {entry.value} of {_GROUP} cannot be loaded: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Algorithm) and found.name == name):
        raise ConfigError(
            f"the entry point {name} = {entry.value} of {_GROUP} is no algorithm of that name; expected a subclass of "
            f"vsr.selectors.base.Algorithm whose name is {name!r}"
        )
    return found
