"""`vsr-train demo`: the whole system in a minute, on simulated LLMs."""

import contextlib
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.evaluation_table import selector_label, write_evaluation
from vsr.cli.options import seed_option
from vsr.cli.sections import command, option
from vsr.cli.terminal import Column, Table
from vsr.errors import OutputError

if TYPE_CHECKING:
    from vsr.routing import Router
    from vsr.simulation import DemoQuery
    from vsr.simulation.server import SimulatedPool

_N_ROUTED = 3
# The simulated LLMs take their time; a demo has less.
_TIME_SCALE = 0.1
_CONCURRENCY = 64
_SERVE_DIR = "demo"
_CONFIG_NAME = "config.yaml"
_QUERIES_NAME = "queries.jsonl"
_FAMILY, _OTHER_FAMILY = "atlas", "boreas"  # of simulated models and judges


@command("demo")
@option(
    "--queries",
    "n_queries",
    type=click.IntRange(min=2),
    metavar="N",
    show_default="560",
    help="How many queries to generate, spread over the 14 categories.",
)
@option(
    "--serve",
    is_flag=True,
    help="Only run the simulated LLMs, until Ctrl-C, to try configurations on; their config.yaml and queries.jsonl go "
    "to --output-dir.",
)
@option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    show_default="any that is free",
    help="Where the simulated LLMs listen, on the loopback interface.",
)
@option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    show_default=f"{_SERVE_DIR} with --serve, else nothing is kept",
    help="Keep every file here.",
)
@seed_option
def demo(n_queries: int | None, serve: bool, port: int | None, output_dir: Path | None, seed: int) -> None:
    """Show the whole system in a minute, without network or weights.

    Simulated LLMs of different skills answer generated queries over real HTTP on this machine; the records train the
    selectors. No real LLM is asked, and the figures say nothing about any real LLM.
    """
    from vsr.cli.embedding import embed_with_progress
    from vsr.data.records import read_records
    from vsr.embedding import load_embedder
    from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train
    from vsr.routing import Router
    from vsr.simulation import N_QUERIES, SIMULATED_JUDGES, SIMULATED_MODELS, generate_queries, write_queries
    from vsr.simulation.server import SimulatedPool
    from vsr.training.outcomes import read_outcomes

    count = N_QUERIES if n_queries is None else n_queries
    # Three more than are measured, so that the queries routed at the end are new.
    drawn = generate_queries(count + _N_ROUTED, seed)
    queries, fresh = drawn[:count], drawn[count:]
    if serve:
        pool = SimulatedPool(queries, judges=SIMULATED_JUDGES, seed=seed, port=port or 0)
        _serve(pool, queries, output_dir)
        return
    with _folder(output_dir) as folder:
        terminal.say("The LLMs of this demo are SIMULATED: no real model is asked.\n")
        records_path = folder / "benchmark_training_data.jsonl"
        write_queries(folder / _QUERIES_NAME, queries)
        with SimulatedPool(queries, judges=SIMULATED_JUDGES, seed=seed, port=port or 0, time_scale=_TIME_SCALE) as pool:
            config_path = _write_config(folder, pool)
            terminal.say(
                f"1. {len(SIMULATED_MODELS)} simulated LLMs at {pool.url} answer {count:,} queries, 10 x as fast"
            )
            _ask(config_path, folder / _QUERIES_NAME, records_path)
        outcomes = read_outcomes(read_records(records_path))
        embedder = load_embedder("hash")
        vectors = embed_with_progress(embedder, outcomes.queries).vectors
        terminal.say("2. queries embedded by feature hashing, selectors trained and compared on held-out queries\n")
        with terminal.progress("Training", "steps") as show:
            result = compare_and_train(
                outcomes,
                vectors,
                embedder.fingerprint,
                folder,
                TrainingSettings(seed=seed, splits=1),
                progress=lambda what, done, total: show(done, total, note=what),
            )
        for note in result.notes:
            terminal.warn(note)
        if result.evaluation is not None:
            write_evaluation(result.evaluation)
        labels = {selector.name: selector_label(selector) for selector in result.selectors}
        terminal.say(f"\n3. three new queries, routed by {labels[result.recommended]}\n")
        _route(Router.load(folder, result.recommended, embedder), fresh)
        if output_dir is not None:
            terminal.say("\nWritten:")
            for path in (config_path, folder / _QUERIES_NAME, records_path, *result.paths):
                terminal.say(f"  {path}")


def _ask(config_path: Path, queries_path: Path, records_path: Path) -> None:
    from vsr.asking.queue import RetryPolicy
    from vsr.benchmark.plan import make_plan
    from vsr.benchmark.runner import RunSettings, run_benchmark
    from vsr.cli.run_display import run_display
    from vsr.config import load_config
    from vsr.data.records import read_queries

    plan = make_plan(read_queries(queries_path), load_config(config_path))
    summary = run_benchmark(
        plan, records_path, RunSettings(RetryPolicy(concurrency=_CONCURRENCY, delay_s=0.0)), run_display()
    )
    if summary.is_interrupted:
        raise KeyboardInterrupt(summary.interrupted_by)
    terminal.say(f"   {summary.n_asked:,} calls in {terminal.duration(summary.seconds)}, {summary.n_failed} failed")


def _write_config(folder: Path, pool: "SimulatedPool") -> Path:
    """Write the configuration of a pool, as an operator would write it for servers of their own."""
    from vsr.simulation import SIMULATED_JUDGES, SIMULATED_MODELS

    favoured = {name for judge in SIMULATED_JUDGES for name in judge.own_models}
    lines = [
        "vllm_endpoints:",
        f"  - {{name: simulated, address: {pool.address}, port: {pool.port}, type: vllm}}",
        "model_config:",
    ]
    for model in (*SIMULATED_MODELS, *SIMULATED_JUDGES):
        prices = f"{{prompt_per_1m: {model.prompt_per_1m}, completion_per_1m: {model.completion_per_1m}}}"
        lines += [f"  {model.name}:", "    preferred_endpoints: [simulated]", f"    pricing: {prices}"]
        family = _FAMILY if model.name in favoured else _OTHER_FAMILY
        lines += [] if model in SIMULATED_JUDGES else [f"    family: {family}"]
    lines.append("judges:")
    for judge in SIMULATED_JUDGES:
        family = _FAMILY if judge.own_models else _OTHER_FAMILY
        lines.append(f"  - {{model: {judge.name}, family: {family}}}")
    path = folder / _CONFIG_NAME
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _serve(pool: "SimulatedPool", queries: "Sequence[DemoQuery]", output_dir: Path | None) -> None:
    """Keep a pool running until Ctrl-C."""
    from vsr.simulation import write_queries

    folder = output_dir or Path(_SERVE_DIR)
    with pool:
        with tempfile.TemporaryDirectory(prefix="vsr-demo-") as temporary:
            ours = Path(temporary)
            _write_config(ours, pool)
            write_queries(ours / _QUERIES_NAME, queries)
            for name in (_CONFIG_NAME, _QUERIES_NAME):
                _refuse_to_replace(folder / name, ours / name)
        config_path = _write_config(folder, pool)
        write_queries(folder / _QUERIES_NAME, queries)
        terminal.say("These LLMs are SIMULATED. They speak OpenAI's and Ollama's protocols at")
        terminal.write(pool.url)
        terminal.say(
            f"Try: vsr-train benchmark --config {config_path} --data-file {folder / 'queries.jsonl'} "
            "--concurrency 16 --rate-limit-delay 0\nCtrl-C ends them."
        )
        threading.Event().wait()


def _refuse_to_replace(path: Path, ours: Path) -> None:
    """Leave a file alone that holds anything else than what another run of the same command wrote.

    Raises:
        OutputError: There is such a file.
    """
    if path.exists() and _without_ports(path) != _without_ports(ours):
        raise OutputError(
            f"{path}: is there already and holds something else; expected no such file, or that of an earlier "
            "`vsr-train demo --serve`. Move it away, or name another folder (--output-dir)"
        )


def _without_ports(path: Path) -> bytes:
    """Read a file but for the port, which is another one in every run."""
    return re.sub(rb"\bport: \d+", b"port:", path.read_bytes())


def _route(router: "Router", queries: "Sequence[DemoQuery]") -> None:
    """Route queries without their categories, as most gateways have to."""
    rows = []
    for query in queries:
        choice = router.select(query.prompt)
        rows.append(
            (
                " ".join(query.question.text.split()),
                "" if choice.category_source is None else f"{choice.category} ({choice.category_source})",
                choice.model,
                "" if choice.quality is None else f"{choice.quality:.2f}",
            )
        )
    columns = (Column("query"), Column("category"), Column("model"), Column("quality", "right"))
    terminal.write_table(Table(columns, tuple(rows)))


@contextlib.contextmanager
def _folder(output_dir: Path | None) -> Iterator[Path]:
    if output_dir is not None:
        yield output_dir
    else:
        with tempfile.TemporaryDirectory(prefix="vsr-demo-") as temporary:
            yield Path(temporary)
