"""Does the real library of vLLM Semantic Router choose what `export.json` foretells?

    python benches/python/semantic_router.py CHECKOUT [--data FOLDER] [--target-dir DIR] [--pool "LLMRouter 9"] ...

Builds `ml-binding` of a checkout of https://github.com/vllm-project/semantic-router with cargo (outside the checkout),
trains on 3,000 queries of each pool, exports for `semantic-router` with up to 3,000 others held out, loads the files
through the library's C interface, and compares its choices on 500 of these with the plain reading that `export.json`
rests on. KNN, KMeans and SVM are read by that library; the MLP by its rule in NumPy alone; matrix factorization has no
reader there.
"""

import argparse
import ctypes
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from routing_quality import Pool, default_folder, read_pools

from vsr._core import hash_embed
from vsr.choice.objective import EfficiencyScale, Objective, measured_utilities
from vsr.embedding import Fingerprint
from vsr.embedding.vectors import unit_rows
from vsr.exporting import FORMATS, ExportedFile, ExportSettings, HeldOutQueries, export_selectors
from vsr.exporting.export import WRITERS
from vsr.exporting.readers import CHOOSERS
from vsr.exporting.teacher import Teacher
from vsr.features import build_features
from vsr.persistence import Artefact, load_artefact, save_selectors
from vsr.training.trainer import Trainer

_IN_LIBRARY = ("knn", "kmeans", "svm")
_N_TRAINED = 3_000
_N_HELD_OUT = 3_000
_N_COMPARED = 500
_WEIGHTS = Objective()


def build_library(checkout: Path, target: Path) -> Path:
    """Build `ml-binding` with cargo and give the library.

    Args:
        checkout: the repository; it is only read.
        target: where cargo puts what it builds.
    """
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    command = ["cargo", "build", "--release", "--manifest-path", str(checkout / "ml-binding" / "Cargo.toml")]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    built = [target / "release" / f"libml_semantic_router{suffix}" for suffix in (".so", ".dylib")]
    return next(path for path in built if path.exists())


class LibrarySelector:
    """One file as `ml-binding` loads it."""

    def __init__(self, library: Path, algorithm: str, path: Path) -> None:
        """Load the file.

        Raises:
            RuntimeError: The library refuses it.
        """
        self._library = ctypes.CDLL(str(library))
        self._algorithm = algorithm
        load = self._function("from_json", ctypes.c_void_p, ctypes.c_char_p)
        self._handle = load(path.read_bytes())
        if not self._handle:
            raise RuntimeError(f"{path}: ml-binding does not load it")
        self._select = self._function(
            "select", ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_double), ctypes.c_size_t
        )
        self._free_text = self._library.ml_free_string
        self._free_text.argtypes = [ctypes.c_void_p]
        self._free_text.restype = None

    def _function(self, name: str, result: type, *arguments: type) -> "ctypes._NamedFuncPointer":
        function = self._library[f"ml_{self._algorithm}_{name}"]
        function.restype, function.argtypes = result, list(arguments)
        return function

    def choose(self, rows: npt.NDArray[np.float64]) -> list[str]:
        """Choose for every row: (n, width) -> names of models."""
        chosen = []
        for row in np.ascontiguousarray(rows):
            text = self._select(self._handle, row.ctypes.data_as(ctypes.POINTER(ctypes.c_double)), len(row))
            if not text:
                raise RuntimeError(f"ml-binding does not choose by {self._algorithm}")
            chosen.append(ctypes.string_at(text).decode())
            self._free_text(text)
        return chosen


@dataclass(frozen=True, eq=False)
class Exported:
    """What was exported, and the held-out queries.

    Attributes:
        artefacts: ours.
        files: what was written.
        features: (n, n_features) of the held-out queries.
    """

    artefacts: list[Artefact]
    files: tuple[ExportedFile, ...]
    features: npt.NDArray[np.float32]


def export_pool(pool: Pool, folder: Path) -> Exported:
    """Train on some queries of a pool and export for the library, judged on others."""
    order = np.random.default_rng(0).permutation(pool.outcomes.n_queries)
    train, held = order[:_N_TRAINED], order[_N_TRAINED : _N_TRAINED + _N_HELD_OUT]
    features = build_features(pool.vectors, [category or "other" for category in pool.outcomes.categories])
    trainer = Trainer.prepare(features[train], pool.outcomes.take(train))
    selectors = [trainer.train(name) for name in WRITERS]
    paths = save_selectors(selectors, folder / "ours", Fingerprint.external(pool.vectors.shape[1]))
    statistics, outcomes = selectors[0].statistics, pool.outcomes
    utilities = measured_utilities(
        outcomes.quality[held],
        outcomes.latency_s[held],
        outcomes.cost_usd[held],
        EfficiencyScale.of(statistics.latency_s[-1], statistics.cost_usd[-1]),
        _WEIGHTS,
        outcomes.models,
    )
    artefacts = [load_artefact(path) for path in paths]
    result = export_selectors(
        artefacts,
        folder / "exported",
        ExportSettings("semantic-router", _WEIGHTS),
        HeldOutQueries(features[held], utilities),
    )
    return Exported(artefacts, result.files, features[held])


def compare(pool: Pool, library: Path, embedder: str) -> None:
    """Print one Markdown row per algorithm."""
    with tempfile.TemporaryDirectory() as folder:
        exported = export_pool(pool, Path(folder))
        features = exported.features[:_N_COMPARED]
        rows = FORMATS["semantic-router"].rows(features)
        for artefact, file in zip(exported.artefacts, exported.files, strict=True):
            teacher = Teacher.of(artefact.selector, _WEIGHTS)
            foretold = CHOOSERS[file.algorithm](json.loads(file.path.read_text()))(rows)
            same, milliseconds = "-", "-"
            if file.algorithm in _IN_LIBRARY:
                selector = LibrarySelector(library, file.algorithm, file.path)
                started = time.perf_counter()
                chosen = selector.choose(rows)
                milliseconds = f"{1e3 * (time.perf_counter() - started) / len(rows):.2f}"
                same = f"{np.mean([a == b for a, b in zip(chosen, foretold, strict=True)]):.1%}"
            started = time.perf_counter()
            for row in range(100):
                teacher.choices(features[row : row + 1])
            ours = 1e3 * (time.perf_counter() - started) / 100
            low, high = file.interval
            print(
                f"| {pool.name}, {embedder} | {file.algorithm} | {file.rows:,} | {same} | {file.agreement:.1%} | "
                f"{100 * file.utility_lost:+.2f} ({100 * low:+.2f} .. {100 * high:+.2f}) | {milliseconds} | "
                f"{file.reader_ms:.2f} | {ours:.2f} |",
                flush=True,
            )


def hashed(pool: Pool) -> Pool:
    """The same outcomes with vectors of the hash embedder."""
    vectors = unit_rows(hash_embed(list(pool.outcomes.queries), 384))
    return Pool(pool.name, pool.outcomes, vectors)


def main() -> None:
    """Build, train, export, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--target-dir", type=Path, default=Path(tempfile.gettempdir()) / "semantic-router-target")
    parser.add_argument("--pool", action="append", choices=("LLMRouter 9", "MMLU-Pro 16", "MMLU-Pro 28"))
    parser.add_argument("--embedder", action="append", choices=("MiniLM", "hash"))
    options = parser.parse_args()
    library = build_library(options.checkout, options.target_dir)
    print(
        "| data | algorithm | rows | library = foretold | agrees with us | points lost (95 %) | library ms "
        "| NumPy ms | ours ms |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    wanted = options.pool or ["LLMRouter 9", "MMLU-Pro 16"]
    for pool in read_pools(options.data):
        if pool.name in wanted:
            for embedder in options.embedder or ("MiniLM", "hash"):
                compare(hashed(pool) if embedder == "hash" else pool, library, embedder)


if __name__ == "__main__":
    main()
