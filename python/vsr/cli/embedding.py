"""Vectors for queries as the embedding flags say, with progress."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vsr.cli import terminal
from vsr.cli.options import EmbeddingOptions
from vsr.data.messages import TEXTS, Text, embedded_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vsr.config import RouterConfig
    from vsr.embedding import Embedder, EmbeddingProgress, Fingerprint
    from vsr.persistence import Artefact
    from vsr.routing import DecisionRouter, Router


@dataclass(frozen=True, eq=False)
class QueryVectors:
    """Vectors of queries and what made them.

    Attributes:
        embeddings: (n_queries, dim) float32.
        fingerprint: of the embedder, or `external`.
    """

    embeddings: "NDArray[np.float32]"
    fingerprint: "Fingerprint"


def embed_queries(queries: Sequence[str], options: EmbeddingOptions) -> QueryVectors:
    """Read ready vectors or embed the queries.

    Args:
        queries: unique queries in order of first appearance.
        options: the embedding flags.

    Raises:
        RecordError: The file of vectors does not fit.
        EmbeddingError: The model is not to be had, or a query cannot be embedded.
    """
    if options.file is not None:
        return ready_vectors(options.file, queries)
    embedder = options.load()
    text = options.text or TEXTS[0]
    fingerprint = replace(embedder.fingerprint, text=text)
    terminal.say(f"Embedding with {fingerprint}.")
    return QueryVectors(embed_with_progress(embedder, queries, text).vectors, fingerprint)


def ready_vectors(path: Path, queries: Sequence[str]) -> QueryVectors:
    """Read ready vectors: a `.npy` file, which says nothing of its embedder, or a folder of Parquet, which names it.

    Args:
        path: of the file or the folder.
        queries: unique queries in order of first appearance.

    Raises:
        RecordError: The vectors are not those of so many queries, or the folder not those of these queries.
    """
    from vsr.embedding import Fingerprint

    if path.is_dir():
        from vsr.embedding.vector_folder import VectorFolder

        folder = VectorFolder(path)
        fingerprint = folder.fingerprint()
        which = next((text for text in TEXTS if text == fingerprint.text), TEXTS[0])
        return QueryVectors(folder.read([embedded_text(query, which) for query in queries]), fingerprint)
    from vsr.embedding.vector_file import read_embedding_file

    embeddings = read_embedding_file(path, len(queries))
    return QueryVectors(embeddings, Fingerprint.external(embeddings.shape[1]))


def load_router(
    models_dir: Path,
    algorithm: str,
    options: EmbeddingOptions,
    models: Sequence[str] | None = None,
    config: "RouterConfig | None" = None,
) -> "Router":
    """Load a selector with the embedder that its artefact names; with ready vectors none is needed.

    Args:
        models_dir: folder of the artefacts.
        algorithm: registry name, or `recommended`.
        options: the embedding flags.
        models: names of the models in order, for files that lack them.
        config: what says of the models that they can see, and what they cost.

    Raises:
        ArtefactError: No such artefact, a damaged one, or one that was trained with another embedder.
        EmbeddingError: The model is not to be had, or is not the one that the artefact names.
    """
    from vsr.persistence import open_artefact

    return router_of(open_artefact(models_dir, algorithm, models), options, config)


def router_of(artefact: "Artefact", options: EmbeddingOptions, config: "RouterConfig | None" = None) -> "Router":
    """Put a loaded artefact and the embedder that it names together; errors as in `load_router`."""
    from vsr.routing import Router
    from vsr.routing.facts import facts_of

    facts = None if config is None else facts_of(config)
    return Router.of(artefact, _embedder_of(artefact, options), facts=facts)


def load_decision_router(
    config: "RouterConfig",
    models_dir: Path,
    algorithm: str,
    options: EmbeddingOptions,
    models: Sequence[str] | None = None,
) -> "DecisionRouter":
    """Load what the decisions of a configuration need from a folder, with one embedder; errors as `load_router`.

    What requests lack is not logged: a command says it in its own words.
    """
    from vsr.persistence import open_artefact
    from vsr.routing import DecisionRouter, Router
    from vsr.routing.decisions import needed_algorithms
    from vsr.routing.facts import facts_of

    artefacts = {name: open_artefact(models_dir, name, models) for name in needed_algorithms(config, algorithm)}
    embedder = None
    if artefacts:
        embedder = _embedder_of(next(iter(artefacts.values())), options)
    facts = facts_of(config)
    routers = {name: Router.of(artefact, embedder, facts=facts) for name, artefact in artefacts.items()}
    return DecisionRouter(config, routers, algorithm, logs_missing_signals=False)


def _embedder_of(artefact: "Artefact", options: EmbeddingOptions) -> "Embedder | None":
    """Load the embedder that an artefact names; with ready vectors none is needed."""
    if options.file is not None:
        return None
    if artefact.header is None or artefact.header.embedder.is_external:
        # It does not say what made its vectors: whoever knows may say it with the flags.
        return options.load() if options.names_embedder else None
    return options.load_as(artefact.header.embedder)


@dataclass(frozen=True, eq=False)
class EmbeddedTexts:
    """Vectors and what it took to make them.

    Attributes:
        vectors: (n_texts, dim) float32.
        last: the final report.
    """

    vectors: "NDArray[np.float32]"
    last: "EmbeddingProgress"


def embed_with_progress(embedder: "Embedder", prompts: Sequence[str], text: Text = TEXTS[0]) -> EmbeddedTexts:
    """Embed prompts and show how far it is; texts that were cut, and those from the cache, are reported.

    Args:
        embedder: what makes the vectors.
        prompts: of queries, or of conversations.
        text: what of conversations is embedded.
    """
    texts = [embedded_text(prompt, text) for prompt in prompts]
    states: deque[EmbeddingProgress] = deque(maxlen=1)
    with terminal.progress("Embedding", "texts") as show:

        def follow(state: "EmbeddingProgress") -> None:
            states.append(state)
            notes = [f"{state.tokens_per_second:,.0f} tokens/s"] if state.n_tokens else []
            notes += [f"{state.n_cached:,} from the cache"] if state.n_cached else []
            show(state.n_done, state.n_texts, left_s=state.left_s, note=", ".join(notes))

        vectors = embedder.embed(texts, progress=follow)
    last = states.pop()
    if last.n_cached:
        terminal.say(f"{last.n_cached:,} of {last.n_texts:,} texts have their vectors from the cache.")
    warn_of_cut_texts(last.n_truncated, last.n_texts, embedder.fingerprint)
    return EmbeddedTexts(vectors, last)


def warn_of_cut_texts(n_truncated: int, n_texts: int, fingerprint: "Fingerprint") -> None:
    """Say how many texts were cut to the token limit, if any were."""
    if n_truncated:
        terminal.warn(
            f"{n_truncated:,} of {n_texts:,} texts are longer than {fingerprint.token_limit:,} "
            "tokens, the limit of the model or of --embedding-max-tokens, and cut to these."
        )
