"""`vsr-train embed`: the queries of a file to vectors, as `--embedding-file` takes them."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.engine import EngineOptions, engine_options
from vsr.cli.options import EmbeddingOptions, embedding_options, json_option
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vsr.cli.embedding import EmbeddedTexts
    from vsr.embedding import Fingerprint


@command("embed")
@option(
    "--input",
    "source",
    required=True,
    metavar="FILE",
    help="Queries or records, also .gz, .parquet; - is standard input. With --engine ray also an address like s3://...",
)
@option(
    "--output",
    "target",
    required=True,
    metavar="FILE.npy|FOLDER",
    help="The vectors, float32: a .npy of one row per unique query in order of first appearance; with --engine ray a "
    "folder of Parquet, or its address.",
)
@option("--skip-bad-lines", is_flag=True, help="Leave out lines that cannot be read, and count them.")
@embedding_options
@engine_options
@json_option
def embed(
    source: str, target: str, skip_bad_lines: bool, embedding: EmbeddingOptions, engine: EngineOptions, as_json: bool
) -> None:
    """Embed the queries of a file.

    The vectors are what --embedding-file of the other commands takes beside the same file of queries or records. An
    interrupted run goes on where it stopped: with --cache-dir, and with --engine ray.
    """
    from vsr.data.messages import TEXTS
    from vsr.data.prompts import unique_prompts
    from vsr.data.records import read_prompts

    if embedding.file is not None:
        raise click.UsageError("--embedding-file has no effect here: its vectors are there already. Leave it out.")
    started_s = time.monotonic()
    if engine.is_ray:
        _check_for_ray(target, embedding)
        from vsr.cluster.addresses import readable

        engine.require()
        with readable(source) as path:
            lines = read_prompts(path, skip_bad_lines=skip_bad_lines)
            queries = unique_prompts(lines)
    else:
        _check_for_file(target)
        lines = read_prompts(Path(source), skip_bad_lines=skip_bad_lines)
        queries = unique_prompts(lines)
    if lines.n_bad_lines:
        terminal.warn(f"{lines.n_bad_lines:,} bad lines left out; the first: {lines.bad_lines[0]}")
    embedder = embedding.load()
    fingerprint = replace(embedder.fingerprint, text=embedding.text or TEXTS[0])
    n_unique = terminal.counted(len(queries), "unique query", "unique queries")
    terminal.say(f"{n_unique}. Embedding with {fingerprint}.")
    if engine.is_ray:
        _embed_on_ray(queries, target, fingerprint, embedding, engine, _Run(lines.n_bad_lines, started_s, as_json))
        return
    from vsr.cli.embedding import embed_with_progress
    from vsr.embedding.vector_file import write_embedding_file

    embedded = embed_with_progress(embedder, queries, embedding.text or TEXTS[0])
    write_embedding_file(target, embedded.vectors)
    _report(target, embedded, fingerprint, lines.n_bad_lines, time.monotonic() - started_s, as_json=as_json)


def _check_for_file(target: str) -> None:
    """Refuse what is no name of a `.npy` file, before hours of work."""
    from vsr._files import require_writable

    if Path(target).is_dir():
        raise click.UsageError(f"Invalid value for '--output': File '{target}' is a directory.")
    if target.endswith(".gz"):
        raise click.UsageError("--output cannot be packed: --embedding-file takes a plain .npy file.")
    require_writable(Path(target).parent)


def _check_for_ray(target: str, embedding: EmbeddingOptions) -> None:
    """Refuse what a cluster would not read, or could not write to."""
    if target.endswith((".npy", ".gz", ".parquet")) or Path(target).is_file():
        raise click.UsageError(f"--output {target}: --engine ray writes a folder of Parquet, not one file.")
    if embedding.cache_dir is not None:
        raise click.UsageError("--cache-dir has no effect with --engine ray: finished files of its folder are kept.")


@dataclass(frozen=True)
class _Run:
    """What is reported beside the vectors."""

    n_bad_lines: int
    started_s: float
    as_json: bool


def _embed_on_ray(
    queries: "Sequence[str]",
    target: str,
    fingerprint: "Fingerprint",
    embedding: EmbeddingOptions,
    engine: EngineOptions,
    run: _Run,
) -> None:
    from vsr.cli.embedding import warn_of_cut_texts
    from vsr.cluster.embedding import EmbeddingJob, embed_on_ray
    from vsr.data.messages import TEXTS, embedded_text

    local = "://" not in target
    job = EmbeddingJob(
        output=str(Path(target).absolute()) if local else target,  # actors have working folders of their own
        fingerprint=fingerprint,
        path=None if embedding.path is None else str(embedding.path.absolute()),
        device=embedding.device or "cpu",
        n_threads=embedding.threads,
    )
    texts = [embedded_text(prompt, embedding.text or TEXTS[0]) for prompt in queries]
    with terminal.progress("Embedding", "texts") as show:
        done = embed_on_ray(texts, job, engine.ray_address, show)
    if done.n_kept:
        terminal.say(f"{done.n_kept:,} of {len(texts):,} texts have their vectors from a run before.")
    warn_of_cut_texts(done.n_truncated, len(texts), fingerprint)
    duration_s = time.monotonic() - run.started_s
    if run.as_json:
        terminal.write_json(
            {
                "output": target,
                "n_queries": len(texts),
                "dim": fingerprint.width,
                "n_files": done.n_shards,
                "n_kept": done.n_kept,
                "n_truncated": done.n_truncated,
                "n_tokens": done.n_tokens,
                "n_bad_lines": run.n_bad_lines,
                "duration_s": round(duration_s, 3),
                "embedder": fingerprint.to_json(),
            }
        )
        return
    vectors, files = terminal.counted(len(texts), "vector"), terminal.counted(done.n_shards, "file")
    terminal.say(
        f"{vectors} of {fingerprint.width:,} numbers in {files} in {target}, after {terminal.duration(duration_s)}."
    )


def _report(
    target: str,
    embedded: "EmbeddedTexts",
    fingerprint: "Fingerprint",
    n_bad_lines: int,
    duration_s: float,
    *,
    as_json: bool,
) -> None:
    n_rows, dim = embedded.vectors.shape
    if as_json:
        terminal.write_json(
            {
                "output": target,
                "n_queries": n_rows,
                "dim": dim,
                "n_cached": embedded.last.n_cached,
                "n_truncated": embedded.last.n_truncated,
                "n_tokens": embedded.last.n_tokens,
                "n_bad_lines": n_bad_lines,
                "duration_s": round(duration_s, 3),
                "embedder": fingerprint.to_json(),
            }
        )
        return
    vectors = terminal.counted(n_rows, "vector")
    terminal.say(f"{vectors} of {dim:,} numbers in {target}, after {terminal.duration(duration_s)}.")
