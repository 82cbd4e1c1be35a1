"""`vsr-train embed`: the queries of a file to vectors, as `--embedding-file` takes them."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.options import EmbeddingOptions, embedding_options, json_option
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from vsr.cli.embedding import EmbeddedTexts
    from vsr.embedding import Fingerprint


@command("embed")
@option(
    "--input",
    "source",
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Queries or records, also .gz, .parquet; - is standard input.",
)
@option(
    "--output",
    "target",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.npy",
    help="The vectors: float32, one row per unique query in order of first appearance.",
)
@option("--skip-bad-lines", is_flag=True, help="Leave out lines that cannot be read, and count them.")
@embedding_options
@json_option
def embed(source: Path, target: Path, skip_bad_lines: bool, embedding: EmbeddingOptions, as_json: bool) -> None:
    """Embed the queries of a file.

    The vectors are what --embedding-file of the other commands takes beside the same file of queries or records. With
    --cache-dir an interrupted run goes on where it stopped.
    """
    from vsr._files import require_writable
    from vsr.cli.embedding import embed_with_progress
    from vsr.data.messages import TEXTS
    from vsr.data.prompts import unique_prompts
    from vsr.data.records import read_prompts
    from vsr.embedding.vector_file import write_embedding_file

    if embedding.file is not None:
        raise click.UsageError("--embedding-file has no effect here: its vectors are there already. Leave it out.")
    if target.suffix == ".gz":
        raise click.UsageError("--output cannot be packed: --embedding-file takes a plain .npy file.")
    require_writable(target.parent)
    started_s = time.monotonic()
    lines = read_prompts(source, skip_bad_lines=skip_bad_lines)
    queries = unique_prompts(lines)
    if lines.n_bad_lines:
        terminal.warn(f"{lines.n_bad_lines:,} bad lines left out; the first: {lines.bad_lines[0]}")
    embedder = embedding.load()
    text = embedding.text or TEXTS[0]
    fingerprint = replace(embedder.fingerprint, text=text)
    n_unique = terminal.counted(len(queries), "unique query", "unique queries")
    terminal.say(f"{n_unique}. Embedding with {fingerprint}.")
    embedded = embed_with_progress(embedder, queries, text)
    write_embedding_file(target, embedded.vectors)
    _report(target, embedded, fingerprint, lines.n_bad_lines, time.monotonic() - started_s, as_json=as_json)


def _report(
    target: Path,
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
                "output": str(target),
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
