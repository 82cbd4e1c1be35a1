"""What a gateway asks of any router: text in, model out."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from reprlib import repr as shortened
from typing import Any, Protocol

import numpy.typing as npt

from vsr._checks import as_list
from vsr.choice.candidates import Candidate
from vsr.choice.chooser import Choice
from vsr.choice.exploration import Exploration
from vsr.choice.limits import Limits
from vsr.choice.objective import Objective
from vsr.data.messages import Conversation
from vsr.errors import SelectionError
from vsr.routing.request import NOTHING_ASKED, Messages, Request


class ModelRouter(Protocol):
    """Chooses a model for a query; safe to use from several threads."""

    def route(self, requests: Sequence[Request]) -> list[Choice]:
        """Choose a model for every request; what `select` and `select_many` come down to."""
        ...

    def select(
        self,
        query: str | None = None,
        *,
        messages: Messages | None = None,
        embedding: npt.ArrayLike | None = None,
        category: str | None = None,
        signals: Mapping[str, Collection[str]] | None = None,
        candidates: Sequence[Candidate] | None = None,
        default: str | None = None,
        limits: Limits | None = None,
        objective: Objective | None = None,
        previous: str | None = None,
        explore: Exploration | float | None = None,
        request_id: str | None = None,
    ) -> Choice:
        """Choose the model for one query.

        Args:
            query: the text; none with `messages` or `embedding`.
            messages: a conversation in OpenAI's form, content as text or parts; what of it is embedded is what was
                embedded in training. Images need a model of which the configuration says that it has `vision`.
            embedding: (dim,) ready vector of the query in its place, the only way for an artefact of vectors from
                elsewhere.
            category: its category; predicted without one.
            signals: what else the rules of a configuration's decisions ask about: type of a condition -> names of that
                type that hold, for example `{"keyword": ["urgent"]}`. A router without decisions does not read it.
            candidates: names of models or references to them, the first of those that answer to one name (with and
                without reasoning, say); None offers all. Of a decision's models they leave those that are among them.
            default: the model to answer with when no candidate is known.
            limits: what the chosen model has to keep; candidates that do not are left out and named in the result.
            objective: what is maximised; the router's own without it.
            previous: name of the model that has answered in this conversation so far; another one is chosen only where
                that raises utility by more than the `switch_margin` of the objective.
            explore: probability of drawing among the models that are nearly as good as the best, so that a log of
                choices can tell what others would have brought; `vsr.Exploration(0.02, margin=0.05)` says what nearly
                is. `choice.propensity` is how probable the choice was. Nothing is drawn with a `previous` model.
            request_id: your own name of the request, for the decision log.

        Raises:
            SelectionError: No candidate is known and there is no default, none meets the limits and these say that it
                is an error, the text is blank, text and vector are both given or neither, or an argument is of another
                kind.
            RecordError: The vector has another width or is not finite, or the category is no text.
            EmbeddingError: The text cannot be embedded.
        """
        if query is not None and embedding is not None:
            raise SelectionError("a query and an embedding were given; expected one of them")
        request = Request(
            query,
            category,
            signals,
            candidates,
            default,
            objective,
            embedding,
            limits,
            previous,
            messages,
            explore=explore,
            request_id=request_id,
        )
        return self.route([request])[0]

    def select_many(
        self,
        queries: Sequence[str | Messages] | None = None,
        categories: Sequence[str | None] | None = None,
        *,
        embeddings: npt.ArrayLike | None = None,
        candidates: Sequence[Candidate] | None = None,
        default: str | None = None,
        limits: Limits | None = None,
        objective: Objective | None = None,
    ) -> list[Choice]:
        """Choose the model for many queries at once; errors as in `select`.

        Args:
            queries: the texts, or conversations; not needed with `embeddings`, and texts are not read then.
            categories: one category per query, None = to be predicted; without it all are.
            embeddings: (n, dim) ready vectors, for example of these queries.
            candidates: names of models or references to them, the same for all queries.
            default: the model to answer with when no candidate is known.
            limits: what every chosen model has to keep.
            objective: what is maximised.
        """
        if queries is None and embeddings is None:
            raise SelectionError(NOTHING_ASKED)
        if isinstance(queries, str):
            raise SelectionError("queries are one text; expected a list of texts (select takes one)")
        counts = [
            _length(values, noun, expected)
            for values, noun, expected in (
                (queries, "queries", "a list of texts"),
                (embeddings, "embeddings", "a list of vectors"),
            )
            if values is not None
        ]
        n_queries = counts[0]
        if n_queries != counts[-1]:
            raise SelectionError(f"{n_queries} queries but {counts[-1]} embeddings; expected one per query")
        # What is neither a text nor messages is refused where texts are embedded.
        asked: Iterable[Any] = [None] * n_queries if queries is None else queries
        vectors: Iterable[Any] = [None] * n_queries if embeddings is None else embeddings  # type: ignore[assignment]
        requests = []
        for query, category, vector in zip(asked, _categories(categories, n_queries), vectors, strict=True):
            text, messages = (None, query) if isinstance(query, list | tuple | Conversation) else (query, None)
            requests.append(
                Request(text, category, None, candidates, default, objective, vector, limits, None, messages)
            )
        return self.route(requests)


def _length(values: object, noun: str, expected: str) -> int:
    if isinstance(values, Sized):
        try:
            return len(values)
        except TypeError:
            pass  # an array of no dimension
    raise SelectionError(f"{noun} are {shortened(values)}; expected {expected}")


def _categories(categories: Sequence[str | None] | None, n_queries: int) -> Sequence[str | None]:
    """Check that there is one category per query."""
    if categories is None:
        return [None] * n_queries
    known = as_list(categories, "categories", "a list of one name (or None) per query", SelectionError)
    if len(known) != n_queries:
        raise SelectionError(f"{n_queries} queries but {len(known)} categories; expected one per query")
    return known
