"""What a gateway asks of any router: text in, model out."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy.typing as npt

from vsr._checks import as_list
from vsr.choice.candidates import Candidate
from vsr.choice.chooser import Choice
from vsr.choice.objective import Objective
from vsr.errors import SelectionError


class ModelRouter(Protocol):
    """Chooses a model for a query; safe to use from several threads."""

    def select(
        self,
        query: str | None = None,
        *,
        embedding: npt.ArrayLike | None = None,
        category: str | None = None,
        candidates: Sequence[Candidate] | None = None,
        default: str | None = None,
        objective: Objective | None = None,
    ) -> Choice:
        """Choose the model for one query.

        Args:
            query: the text; none with `embedding`.
            embedding: (dim,) ready vector of the query in its place, the only way for an artefact of vectors from
                elsewhere.
            category: its category; predicted without one.
            candidates: names of models or references to them, the first of those that answer to one name (with and
                without reasoning, say); None offers all.
            default: the model to answer with when no candidate is known.
            objective: what is maximised; the router's own without it.

        Raises:
            SelectionError: No candidate is known and there is no default, the text is blank, text and vector are both
                given or neither, or an argument is of another kind.
            RecordError: The vector has another width or is not finite, or the category is no text.
            EmbeddingError: The text cannot be embedded.
        """
        if query is not None and embedding is not None:
            raise SelectionError("a query and an embedding were given; expected one of them")
        # A list of one, not an array of one: what is no row of numbers then ends in the check of all vectors.
        vectors: list[Any] | None = None if embedding is None else [embedding]
        return self.select_many(
            None if query is None else [query],
            [category],
            embeddings=vectors,
            candidates=candidates,
            default=default,
            objective=objective,
        )[0]

    def select_many(
        self,
        queries: Sequence[str] | None = None,
        categories: Sequence[str | None] | None = None,
        *,
        embeddings: npt.ArrayLike | None = None,
        candidates: Sequence[Candidate] | None = None,
        default: str | None = None,
        objective: Objective | None = None,
    ) -> list[Choice]:
        """Choose the model for many queries at once; see `select`.

        Args:
            queries: the texts; not needed with `embeddings`, and not read.
            categories: one category per query, None = to be predicted; without it all are.
            embeddings: (n, dim) ready vectors, for example of these queries.
            candidates: names of models or references to them, the same for all queries.
            default: the model to answer with when no candidate is known.
            objective: what is maximised.
        """
        ...


def count_queries(queries: Sequence[str] | None, embeddings: npt.NDArray[Any] | None) -> int:
    """Count the queries of `select_many`.

    Args:
        queries: the texts.
        embeddings: (n, dim), where they were given.

    Raises:
        SelectionError: Neither is there, their numbers differ, or the texts are no list.
    """
    if isinstance(queries, str):
        raise SelectionError("queries are one text; expected a list of texts (select takes one)")
    if queries is None:
        if embeddings is None:
            raise SelectionError("neither a query nor an embedding was given; expected one of them")
        return len(embeddings)
    n_queries = len(as_list(queries, "queries", "a list of texts", SelectionError))
    if embeddings is not None and n_queries != len(embeddings):
        raise SelectionError(f"{n_queries} queries but {len(embeddings)} embeddings; expected one per query")
    return n_queries
