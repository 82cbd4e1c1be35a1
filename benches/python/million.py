"""What `vsr-train train` takes with ten thousand, a hundred thousand and a million queries, as a user runs it.

    python benches/python/million.py [--rows 10000 100000 1000000] [--folder DIR] [--kills 20]

Made from a seed: vectors in clusters, 768 wide, 14 categories, 10 models that are good at different clusters. The
command runs as a process of its own, on records (a line per query and model) and a .npy file of vectors, with all five
algorithms and stacking; its peak is what the system says of it (pages of mapped files included). Artefacts are then
loaded, each in a fresh process, and asked single queries. With `--kills` the KNN artefact of the most queries is saved
over and over, with other qualities, by processes that are killed (SIGKILL) at random moments of it: what lies in the
folder must be all of the old or all of the new one. A Markdown table to stdout.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vsr.data.categories import CATEGORIES
from vsr.data.outcomes import Outcomes
from vsr.features import build_features, split_features
from vsr.persistence import Artefact, load_artefact, save_selector
from vsr.persistence.manifest import read_manifest
from vsr.persistence.verification import verify_artefact
from vsr.selectors import svm
from vsr.selectors.coverage import covering_rows
from vsr.selectors.knn import KnnPredictor
from vsr.selectors.svm import Svm
from vsr.selectors.training_data import TrainingData
from vsr.training.trainer import Trainer

_DIM = 768
_N_MODELS = 10
_N_TOPICS = 60
_BLOCK_ROWS = 10_000
_N_ASKED = 20
_KNN = "knn_model.json"
_ALGORITHMS = ("knn", "kmeans", "svm", "mlp", "matrix_factorization", "stacking")
Matrix = npt.NDArray[np.float32]


def main() -> None:
    """Run the steps and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="Work here, and leave everything there.")
    parser.add_argument("--flag", action="append", default=[], help="A further flag of train, for example --splits=1.")
    parser.add_argument("--svm-rows", type=int, metavar="N", help="Fit SVMs on all of N queries and on some; no train.")
    parser.add_argument("--svm-fitted", type=int, default=20_000, metavar="N", help="How many these some are.")
    parser.add_argument("--only-files", action="store_true", help="Make the files and stop.")
    parser.add_argument("--step", nargs=2, metavar=("ALGORITHM", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--save-step", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step is not None:
        print(json.dumps(_asked(arguments.step[0], Path(arguments.step[1]))))
        return
    if arguments.save_step is not None:
        _save_other(arguments.save_step)
        return
    if arguments.svm_rows is not None:
        _compare_svms(arguments.svm_rows, arguments.svm_fitted)
        return
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for n_rows in arguments.rows:
            folder = (arguments.folder or Path(temporary)) / str(n_rows)
            _write_files(folder, n_rows)
            if not arguments.only_files:
                found[n_rows] = _measured(folder, arguments.flag)
                print(n_rows, found[n_rows], file=sys.stderr)
                if arguments.kills and n_rows == max(arguments.rows):
                    _kill_while_saving(folder / "trained", folder / "killed", arguments.kills)
    if not found:
        return
    names = list(next(iter(found.values())))
    print(f"| | {' | '.join(f'{rows:,}' for rows in found)} | ~ rows ^ |\n|---|{'---|' * (len(found) + 1)}")
    for name in names:
        cells = [_shown(each[name]) for each in found.values()]
        print(f"| {name} | {' | '.join(cells)} | {_exponent({rows: each[name] for rows, each in found.items()})} |")


def _measured(folder: Path, flags: list[str]) -> dict[str, float]:
    """Train on the files in a folder, and load what came out."""
    load = os.getloadavg()[0]
    command = [
        *(sys.executable, "-m", "vsr", "train", "--json"),
        *("--data-file", str(folder / "records.jsonl"), "--embedding-file", str(folder / "vectors.npy")),
        *("--output-dir", str(folder / "trained"), *flags),
    ]
    started = time.perf_counter()
    with (folder / "out.json").open("wb") as out, (folder / "err.txt").open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    print((folder / "err.txt").read_text(), file=sys.stderr)
    if status:
        raise SystemExit(f"train ended with {status}")
    told = json.loads((folder / "out.json").read_text())
    print(told["evaluation"]["verdict"]["sentence"], file=sys.stderr)
    trained = folder / "trained"
    figures = {
        "train, s": wall_s,
        "after reading, s": told["duration_s"],
        "processor, s": usage.ru_utime + usage.ru_stime,
        "peak, MB": usage.ru_maxrss * 1024 / 1e6,
        "load of the machine before": load,
        "artefacts, MB": sum(each.stat().st_size for each in trained.iterdir()) / 1e6,
    }
    for name in _ALGORITHMS:
        step = [sys.executable, __file__, "--step", name, str(trained)]
        asked = json.loads(subprocess.run(step, check=True, capture_output=True, text=True).stdout)
        figures |= {f"{name}: {key}": value for key, value in asked.items()}
    return figures


def _write_files(folder: Path, n_rows: int) -> None:
    """Write records and vectors, unless they are there."""
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", mode="w+", dtype=np.float32, shape=(n_rows, _DIM))
    with (folder / "records.jsonl").open("w") as file:
        for start, (block, topics, chances) in enumerate(made_up(n_rows)):
            first = start * _BLOCK_ROWS
            vectors[first : first + len(block)] = block
            rng = np.random.default_rng([1, start])
            right = (rng.random(chances.shape) < chances).tolist()
            latencies = rng.lognormal(np.linspace(-1.0, 1.0, _N_MODELS), 0.3, chances.shape).round(3).tolist()
            for row, (topic, own, seconds) in enumerate(zip(topics.tolist(), right, latencies, strict=True), first):
                query = f"Query {row} of topic {topic}, made up to be about as long as what people ask"
                category = CATEGORIES[topic % len(CATEGORIES)]
                file.writelines(
                    f'{{"query":"{query}","category":"{category}","model_name":"model-{model}",'
                    f'"performance":{float(own[model])},"response_time":{seconds[model]},'
                    f'"cost":{1e-4 * (model + 1):g}}}\n'
                    for model in range(_N_MODELS)
                )
    vectors.flush()
    (folder / "done").touch()


def made_up(n_rows: int) -> Iterator[tuple[Matrix, npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    """Make up queries block by block: vectors, topics, and the chance of each model to be right."""
    world = np.random.default_rng(0)
    centres = world.standard_normal((_N_TOPICS, _DIM)).astype(np.float32)
    skill = np.linspace(-0.4, 0.4, _N_MODELS) + 0.7 * world.standard_normal((_N_TOPICS, _N_MODELS))
    directions = world.standard_normal((_DIM, _N_MODELS)).astype(np.float32)
    for number, first in enumerate(range(0, n_rows, _BLOCK_ROWS)):
        rng = np.random.default_rng([2, number])
        n = min(_BLOCK_ROWS, n_rows - first)
        topics = rng.integers(0, _N_TOPICS, n)
        block = centres[topics] + np.float32(1.2) * rng.standard_normal((n, _DIM), dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        hard = rng.standard_normal((n, 1))
        yield block, topics, 1.0 / (1.0 + np.exp(-(skill[topics] + 0.5 * (block @ directions) + hard)))


def _compare_svms(n_rows: int, n_fitted: int) -> None:
    """Print the held-out loss of an SVM that was fitted on all rows, on rows that cover them, and on random ones."""
    n_held_out = 10_000
    blocks = list(made_up(n_rows + n_held_out))
    topics, chances = (np.concatenate([block[part] for block in blocks]) for part in (1, 2))
    names = [CATEGORIES[topic % len(CATEGORIES)] for topic in topics.tolist()]
    features = build_features(np.concatenate([block[0] for block in blocks]), names)
    quality = (np.random.default_rng(3).random(chances.shape) < chances).astype(np.float64)
    held_out = slice(n_rows, None)
    data = Trainer.prepare(
        features[:n_rows],
        Outcomes(
            queries=[f"query {row}" for row in range(n_rows)],
            categories=names[:n_rows],
            models=[f"model-{model}" for model in range(_N_MODELS)],
            quality=quality[:n_rows],
        ),
    ).data
    codes = split_features(features[held_out]).codes
    prior, residual = data.prior.rows(codes), data.prior.residuals(quality[held_out], codes)
    algorithm = Svm.of(c=1.0, solver="shared-gram")
    drawn = {
        f"{n_fitted:,} that cover": covering_rows(data, n_fitted, 0),
        f"{n_fitted:,} at random": np.random.default_rng(0).permutation(n_rows)[:n_fitted],
        f"all {n_rows:,}": np.arange(n_rows),
    }
    print("| fitted on | centred error | explained | chosen, quality | processor, s |\n|---|---|---|---|---|")
    for name, rows in drawn.items():
        started = time.process_time()
        own = TrainingData(data.features[rows], data.codes[rows], data.quality[rows], data.prior)
        svm.MOST_FITTED = len(rows)
        predictor = algorithm.fit(own, algorithm.settings(len(rows))[0], 0)
        seconds = time.process_time() - started
        predicted = predictor.predicted_residuals(features[held_out], prior)
        slope = float((predicted * residual).sum() / (predicted * predicted).sum())
        error = float(np.square(residual - slope * predicted).mean())
        chosen = chances[held_out][np.arange(n_held_out), (prior + slope * predicted).argmax(axis=1)].mean()
        explained = 1.0 - error / float(np.square(residual).mean())
        print(f"| {name} | {error:.5f} | {explained:.2%} | {chosen:.4f} | {seconds:.0f} |", flush=True)


def _asked(name: str, trained: Path) -> dict[str, float]:
    """Load an artefact and ask it single queries."""
    queries, topics, _ = next(made_up(_N_ASKED))
    features = build_features(queries, [CATEGORIES[topic % len(CATEGORIES)] for topic in topics.tolist()])
    manifest = read_manifest(trained)
    assert manifest is not None
    path = trained / manifest.files[name].name
    started = time.perf_counter()
    artefact = load_artefact(path)
    load_s = time.perf_counter() - started
    seconds = []
    for row in [*features, *features]:
        started = time.perf_counter()
        artefact.selector.scores(row[None])
        seconds.append(time.perf_counter() - started)
    size = sum(each.stat().st_size for each in trained.glob(f"{path.stem}.*"))
    return {"MB": size / 1e6, "load, s": load_s, "one query, ms": 1e3 * float(np.median(seconds[_N_ASKED:]))}


def _save_other(folder: Path) -> None:
    """Save the KNN artefact of a folder there, with all qualities turned round."""
    selector = load_artefact(folder / _KNN).selector
    predictor = selector.predictor
    assert isinstance(predictor, KnnPredictor)
    other = replace(selector, predictor=replace(predictor, measured=1.0 - predictor.measured))
    print("saving", flush=True)
    save_selector(other, folder, artefact_format="binary")


def _kill_while_saving(trained: Path, folder: Path, n_kills: int) -> None:
    """Kill processes that save the KNN artefact of a training at random moments, and check what is there then."""
    folder.mkdir()
    for path in trained.glob(f"{Path(_KNN).stem}.*"):
        os.link(path, folder / path.name)
    rng = np.random.default_rng(0)
    save_s, before = math.inf, _first_quality(load_artefact(folder / _KNN))
    seen, n_left = {"old": 0, "new": 0}, 0
    for kill in range(n_kills + 1):  # the first may end, and says how long it takes
        command = [sys.executable, __file__, "--save-step", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "saving\n"
            started = time.perf_counter()
            if kill:
                time.sleep(float(rng.uniform(0.0, 1.05 * save_s)))
                process.kill()
        if not kill:
            save_s = time.perf_counter() - started
        artefact = load_artefact(folder / _KNN)
        verify_artefact(artefact)
        now = _first_quality(artefact)
        assert now in {before, 1.0 - before}
        if kill:
            seen["old" if now == before else "new"] += 1
        before = now
        for unfinished in folder.glob(".*.tmp"):  # a save removes those of the day before; twenty of 4 GB fill a disk
            unfinished.unlink()
            n_left += 1
    print(
        f"killed {n_kills} times in saves of {save_s:.1f} s: always whole, {seen}; {n_left} unfinished files left",
        file=sys.stderr,
    )


def _first_quality(artefact: Artefact) -> float:
    predictor = artefact.selector.predictor
    assert isinstance(predictor, KnnPredictor)
    return float(predictor.measured[0, 0])


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value else "0"


def _exponent(values: dict[int, float]) -> str:
    """Slope of the logarithms by least squares."""
    known = {math.log(rows): math.log(value) for rows, value in values.items() if value > 0.0}
    return f"{np.polyfit(list(known), list(known.values()), 1)[0]:.2f}" if len(known) > 1 else ""


if __name__ == "__main__":
    main()
