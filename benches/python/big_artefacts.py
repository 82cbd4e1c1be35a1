"""How big artefacts of KNN get, and what saving, loading and a first query take: JSON, and arrays that are mapped.

    python benches/python/big_artefacts.py [--rows 10000 100000 1000000] [--most-json-rows 100000] [--folder DIR]

Every step runs in a process of its own. Made-up vectors in clusters, 768 wide, 10 models, 14 categories, k = 100. A
cold load is one whose files the kernel was asked to forget; a query is one of 20 that were asked once before. Of
memory, "saving" is the peak of a process that holds the selector too; "own" is what loading and 20 queries add to a
process, "maps" what its peak grows by, pages of the mapped file included.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import made_up
import numpy as np

import vsr
from vsr._core import KnnIndex
from vsr.data.categories import CATEGORIES
from vsr.persistence import load_artefact, save_selector
from vsr.persistence.verification import verify_artefact
from vsr.selectors.base import TrainedSelector
from vsr.selectors.knn import KnnPredictor
from vsr.training.trainer import Trainer

_N_MODELS = 10
_N_TRAINED = 2_000
_BLOCK_ROWS = 10_000
_N_QUERIES = 20


def main() -> None:
    """Run the steps and print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--most-json-rows", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step", nargs=3, metavar=("STEP", "FORM", "ROWS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step is not None:
        step, form, rows = arguments.step
        figures = _save(arguments.folder, form, int(rows)) if step == "save" else _load(arguments.folder, cold=form)
        print(json.dumps(figures))
        return
    print(f"load before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    held: dict[str, dict[int, dict[str, float]]] = {"json": {}, "binary": {}}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for rows in arguments.rows:
            for form, found in held.items():
                if form == "binary" or rows <= arguments.most_json_rows:
                    found[rows] = _step("save", form, rows, folder)
                    found[rows] |= {f"cold_{key}": value for key, value in _step("load", "yes", rows, folder).items()}
                    found[rows] |= _step("load", "no", rows, folder)
    columns = [
        "rows",
        "form",
        "files",
        "save",
        "saving",
        "load",
        "cold",
        "first, cold",
        "query",
        "verify",
        "own",
        "maps",
    ]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for form, found in held.items():
        for rows, each in found.items():
            cells = [
                f"{rows:,}",
                form,
                *(
                    f"{each['bytes'] / 1e6:,.0f} MB",
                    f"{each['save_s']:.2f} s",
                    f"{each['save_peak_bytes'] / 1e9:.2f} GB",
                ),
                *(f"{each[name]:.3f} s" for name in ("load_s", "cold_load_s")),
                *(f"{1e3 * each[name]:.2f} ms" for name in ("cold_first_s", "query_s")),
                f"{each['verify_s']:.2f} s" if form == "binary" else "-",
                *(f"{each[name] / 1e6:,.1f} MB" for name in ("own_bytes", "peak_bytes")),
            ]
            print(f"| {' | '.join(cells)} |")
    names = ("bytes", "save_s", "save_peak_bytes", "load_s", "query_s", "own_bytes")
    print(f"\n| ~ rows ^ | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
    for form, found in held.items():
        print(f"| {form} | " + " | ".join(f"{_exponent(found, name):.2f}" for name in names) + " |")
    print(f"load after: {os.getloadavg()[0]:.1f}", file=sys.stderr)


def _step(step: str, form: str, rows: int, folder: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--folder", folder, "--step", step, form, str(rows)]
    figures: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(step, form, rows, figures, file=sys.stderr)
    return figures


def _exponent(found: dict[int, dict[str, float]], name: str) -> float:
    """Slope of the logarithms by least squares."""
    rows = [math.log(each) for each in found]
    values = [math.log(each[name]) for each in found.values()]
    return float(np.polyfit(rows, values, 1)[0]) if len(rows) > 1 else math.nan


def _save(folder: Path, form: str, n_rows: int) -> dict[str, float]:
    """Save a selector of so many rows; what is beside them comes from a training on few."""
    selector = _trained(n_rows)
    started = time.perf_counter()
    path = save_selector(selector, folder, artefact_format="json" if form == "json" else "binary")
    save_s = time.perf_counter() - started
    return {
        "save_s": save_s,
        "bytes": sum(each.stat().st_size for each in path.parent.iterdir()),
        "save_peak_bytes": _memory("VmHWM"),
    }


def _trained(n_rows: int) -> TrainedSelector:
    few = made_up.features(_N_TRAINED, 0)
    measured = vsr.Outcomes(
        queries=[f"query {number}" for number in range(_N_TRAINED)],
        categories=[CATEGORIES[column] for column in few[:, -made_up.N_CATEGORIES :].argmax(axis=1)],
        models=[f"model-{number}" for number in range(_N_MODELS)],
        quality=made_up.outcomes(few, _N_MODELS),
    )
    selector = Trainer.prepare(few, measured).train("knn", k=100)
    predictor, prior = selector.predictor, selector.prior
    assert isinstance(predictor, KnnPredictor)
    assert prior is not None
    features = np.empty((n_rows, few.shape[1]), dtype=np.float32)
    quality = np.empty((n_rows, _N_MODELS))
    for number, start in enumerate(range(0, n_rows, _BLOCK_ROWS)):
        block = features[start : start + _BLOCK_ROWS]
        block[:] = made_up.features(len(block), number)
        quality[start : start + _BLOCK_ROWS] = made_up.outcomes(block, _N_MODELS)
    codes = features[:, -made_up.N_CATEGORIES :].argmax(axis=1)
    index = KnnIndex(features, made_up.N_CATEGORIES, "flat")
    del features
    full = KnnPredictor(
        setting=replace(predictor.setting, k=100),
        measured=quality,
        residual=prior.residuals(quality, codes),
        best=quality.argmax(axis=1),
        queries=[f"made-up query of about the length that people have, number {number}" for number in range(n_rows)],
        index=index,
    )
    return replace(selector, predictor=full)


def _load(folder: Path, cold: str) -> dict[str, float]:
    if cold == "yes":
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    queries = made_up.features(_N_QUERIES, 10**6)
    before, own_before = _memory("VmHWM"), _memory("RssAnon")
    started = time.perf_counter()
    artefact = load_artefact(folder / "knn_model.json")
    load_s = time.perf_counter() - started
    seconds = []
    for row in [*queries, *queries]:
        started = time.perf_counter()
        artefact.selector.scores(row[None])
        seconds.append(time.perf_counter() - started)
    figures = {
        "load_s": load_s,
        "first_s": seconds[0],
        "query_s": float(np.median(seconds[_N_QUERIES:])),
        "own_bytes": max(_memory("RssAnon") - own_before, 1),
        "peak_bytes": _memory("VmHWM") - before,
    }
    started = time.perf_counter()
    verify_artefact(artefact)
    return figures | {"verify_s": time.perf_counter() - started}


def _memory(name: str) -> int:
    return 1024 * int(Path("/proc/self/status").read_text().partition(f"{name}:")[2].split()[0])


if __name__ == "__main__":
    main()
