"""Categories for queries that have none: from the router's classifier, or from labelled queries nearby."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

import httpx
import msgspec
import numpy as np
from numpy.typing import NDArray

from vsr.asking.answers import UnreadableAnswerError, read_response
from vsr.asking.connections import Connections
from vsr.asking.journal import Journal
from vsr.data.categories import CATEGORIES, normalise_category
from vsr.data.json_lines import write_rows
from vsr.data.records import read_objects, render_prompt, unique_key
from vsr.errors import BenchmarkError, RecordError
from vsr.providers.errors import retry_after_s

_N_NEIGHBOURS = 10
_BLOCK = 1000
_MOST_FAILURES_IN_ROW = 20
_N_ATTEMPTS = 5
_TIMEOUT_S = 30.0
_BACKOFF_S = 0.5
_LONGEST_WAIT_S = 60.0
_LARGEST_RESPONSE = 1 << 20
_NOT_UNDERSTOOD = "an answer that cannot be understood"
_TROUBLE = (httpx.HTTPError, httpx.InvalidURL, UnreadableAnswerError, TimeoutError)

ShowProgress = Callable[[int, int], None]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Label:
    """What a source says of one text.

    Attributes:
        category: a name from `CATEGORIES`; None where the source failed.
        problem: why it failed, or the name that it gave where that is not one of ours.
    """

    category: str | None
    problem: str | None = None


class Source(Protocol):
    """Where categories come from."""

    def label(self, texts: Sequence[str], show: ShowProgress) -> list[Label]:
        """Give one label a text, in their order."""
        ...


@dataclass
class CategorizeReport:
    """What has become of a file.

    Attributes:
        n_rows: lines of the file.
        n_kept: lines that had a category.
        n_added: lines that got one.
        distribution: lines by category, in the end.
        failures: texts without a category by reason.
        unknown: names that the source gave and that count as `other`.
    """

    n_rows: int = 0
    n_kept: int = 0
    n_added: int = 0
    distribution: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def n_without(self) -> int:
        """Lines that are still without a category."""
        return self.n_rows - self.n_kept - self.n_added


def categorize(
    source: str | os.PathLike[str], target: str | os.PathLike[str], labels: Source, show: ShowProgress
) -> CategorizeReport:
    """Write a file anew with a category in every line; those that are there stay as they are.

    Args:
        source: queries or records.
        target: the new file, written whole at the end; may be the old one.
        labels: where categories come from.
        show: told how many texts are done, of how many.

    Raises:
        RecordError: A line cannot be used.
        OutputError: The new file cannot be written.
    """
    missing: dict[str, str] = {}
    for row in read_objects(source, noun="queries"):
        if not _category_of(row):
            text = _text_of(row, source)
            missing.setdefault(unique_key(text), text)
    found = dict(zip(missing, labels.label(list(missing.values()), show), strict=True))
    report = CategorizeReport()
    for label in found.values():
        if label.category is None:
            report.failures[label.problem or "no answer"] += 1
        elif label.problem is not None:
            report.unknown[label.problem] += 1

    def labelled(row: dict[str, object]) -> dict[str, object]:
        report.n_rows += 1
        category = _category_of(row)
        if category:
            report.n_kept += 1
        else:
            category = found[unique_key(_text_of(row, source))].category or ""
            if category:
                report.n_added += 1
                row = {**row, "category": category}
        report.distribution[(normalise_category(category) or "other") if category else "none"] += 1
        return row

    write_rows(target, (labelled(row) for row in read_objects(source, noun="queries")))
    return report


def _category_of(row: dict[str, object]) -> str:
    category = row.get("category")
    return category.strip() if isinstance(category, str) else ""


def _text_of(row: dict[str, object], source: str | os.PathLike[str]) -> str:
    query, messages = row.get("query"), row.get("messages")
    if messages is None and (not isinstance(query, str) or not query.strip()):
        raise RecordError(f"{os.fspath(source)}: a line has no `query`; expected a text that is not blank")
    return render_prompt(str(query), row.get("choices"), messages)


@dataclass(frozen=True)
class Accuracy:
    """How often labelled queries tell each other's category.

    Attributes:
        n: labelled queries that were looked at.
        n_right: those whose other neighbours give their own category.
        n_commonest: those that have the commonest category, which always naming it would get right.
    """

    n: int
    n_right: int
    n_commonest: int


class Neighbours:
    """The categories of the labelled queries that are most alike, each vote weighted by its cosine."""

    def __init__(self, embed: Embed, texts: Sequence[str], categories: Sequence[str]) -> None:
        """Embed the labelled queries.

        Args:
            embed: gives one unit row of float32 a text.
            texts: labelled queries.
            categories: their categories as people write them.

        Raises:
            RecordError: There are none.
        """
        if not texts:
            raise RecordError(
                "there is no labelled query to learn from: name a file of them with --from-labelled, or the router's "
                "API with --from-api"
            )
        self._embed = embed
        self._vectors = embed(texts)
        names = [normalise_category(category) or "other" for category in categories]
        self._codes = np.array([CATEGORIES.index(name) for name in names])

    def label(self, texts: Sequence[str], show: ShowProgress) -> list[Label]:
        """Give the category with the most weight among the nearest labelled queries."""
        if not texts:
            return []
        vectors = self._embed(texts)
        labels: list[Label] = []
        for start in range(0, len(texts), _BLOCK):
            similarity = vectors[start : start + _BLOCK] @ self._vectors.T
            nearest = self._vote(similarity, np.broadcast_to(self._codes, similarity.shape))
            labels += [Label(CATEGORIES[code]) for code in nearest]
            show(len(labels), len(texts))
        return labels

    def accuracy(self) -> Accuracy | None:
        """Ask for labelled queries what the others say; None of one alone.

        Of a large number of them, some thousand are looked at.
        """
        n_labelled = len(self._codes)
        if n_labelled < 2:
            return None
        rows = np.arange(0, n_labelled, max(1, n_labelled // _BLOCK))
        # A query's own column is taken out, not only made unlikely: it must not vote for itself.
        others = np.arange(n_labelled - 1)
        others = others + (others >= rows[:, None])
        similarity = np.take_along_axis(self._vectors[rows] @ self._vectors.T, others, axis=1)
        right = self._vote(similarity, self._codes[others]) == self._codes[rows]
        return Accuracy(len(rows), int(right.sum()), int(np.bincount(self._codes[rows]).max()))

    @staticmethod
    def _vote(similarity: NDArray[np.float32], codes: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return a category code per row of similarities to labelled queries and of their codes, both (n, n_others)."""
        k = min(_N_NEIGHBOURS, similarity.shape[1])
        nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        weights = np.maximum(np.take_along_axis(similarity, nearest, axis=1), 1e-6)
        votes = np.zeros((len(similarity), len(CATEGORIES)))
        rows = np.repeat(np.arange(len(similarity)), k)
        np.add.at(votes, (rows, np.take_along_axis(codes, nearest, axis=1).ravel()), weights.ravel())
        best: NDArray[np.intp] = votes.argmax(axis=1)
        return best


class _Kept(msgspec.Struct, frozen=True, gc=False):
    """An answer of the router as it is kept beside the output until the file is whole."""

    key: str
    category: str
    named: str


class RouterApi:
    """The router's classification endpoint; every answer is kept beside the output, so that a second run goes on."""

    def __init__(self, url: str, kept: str | os.PathLike[str], *, concurrency: int = 8) -> None:
        """Name the router.

        Args:
            url: scheme, host and port.
            kept: file in which answers are kept until `forget`.
            concurrency: requests at a time.
        """
        self._url = url.rstrip("/")
        self._kept = Path(kept)
        self._concurrency = concurrency
        self._rng = Random(0)  # noqa: S311 jitter, no secret
        self.n_from_before = 0

    def forget(self) -> None:
        """Remove the kept answers: the output holds them now."""
        self._kept.unlink(missing_ok=True)

    def label(self, texts: Sequence[str], show: ShowProgress) -> list[Label]:
        """Ask the router for each text that it was not asked before.

        Raises:
            BenchmarkError: The router cannot be reached or is not healthy.
        """
        labels: dict[str, Label] = {}
        if not texts:
            return []
        with Journal(self._kept, _Kept, b'{"key":') as journal:
            for line in journal.lines():
                labels[line.key] = Label(line.category, line.named or None)
            due = [text for text in texts if unique_key(text) not in labels]
            self.n_from_before = len(texts) - len(due)
            if due:
                asyncio.run(self._ask_all(due, labels, journal, show))
        return [labels[unique_key(text)] for text in texts]

    async def _ask_all(
        self, texts: Sequence[str], labels: dict[str, Label], journal: Journal[_Kept], show: ShowProgress
    ) -> None:
        waiting = iter(texts)
        n_done = n_failed_in_row = 0
        headers = {"Accept-Encoding": "gzip, deflate"}
        async with httpx.AsyncClient(transport=Connections(), timeout=_TIMEOUT_S, headers=headers) as client:
            await self._check_health(client)

            async def work() -> None:
                nonlocal n_done, n_failed_in_row
                for text in waiting:
                    label = await self._ask(client, text)
                    labels[unique_key(text)] = label
                    n_failed_in_row = 0 if label.category is not None else n_failed_in_row + 1
                    if n_failed_in_row >= _MOST_FAILURES_IN_ROW:
                        raise BenchmarkError(
                            f"{self._url}: {n_failed_in_row} texts in a row had no answer ({label.problem}); the "
                            "answers so far are kept, and the same command goes on from there."
                        )
                    if label.category is not None:
                        kept = _Kept(unique_key(text), label.category, label.problem or "")
                        journal.append(msgspec.json.encode(kept))
                    n_done += 1
                    show(n_done, len(texts))

            await asyncio.gather(*(work() for _ in range(self._concurrency)))

    async def _check_health(self, client: httpx.AsyncClient) -> None:
        url = f"{self._url}/health"
        try:
            response, _ = await self._exchange(client, client.build_request("GET", url))
        except _TROUBLE as error:
            raise BenchmarkError(
                f"{url}: the router does not answer ({_named(error)}); start it, or correct --from-api."
            ) from error
        if not response.is_success:
            raise BenchmarkError(f"{url}: the router is not healthy (HTTP {response.status_code}).")

    async def _ask(self, client: httpx.AsyncClient, text: str) -> Label:
        problem = ""
        for attempt in range(1, _N_ATTEMPTS + 1):
            wait_s: float | None = None
            request = client.build_request("POST", f"{self._url}/api/v1/classify/intent", json={"text": text})
            try:
                response, body = await self._exchange(client, request)
            except UnreadableAnswerError:
                return Label(None, _NOT_UNDERSTOOD)
            except _TROUBLE as error:
                problem = f"no connection: {type(error).__name__}"
            else:
                if response.is_success:
                    return _label_of(body)
                problem = f"HTTP {response.status_code}"
                if response.status_code < 500 and response.status_code not in (408, 409, 425, 429):
                    break
                wait_s = retry_after_s(response.headers)
            if attempt < _N_ATTEMPTS:
                backoff_s = _BACKOFF_S * 2 ** (attempt - 1) * (0.5 + 0.5 * self._rng.random())
                await asyncio.sleep(min(max(backoff_s, wait_s or 0.0), _LONGEST_WAIT_S))
        return Label(None, problem)

    async def _exchange(self, client: httpx.AsyncClient, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        async with asyncio.timeout(_TIMEOUT_S):
            response = await client.send(request, stream=True)
            try:
                return response, await read_response(response, _LARGEST_RESPONSE, asyncio.Semaphore())
            finally:
                await response.aclose()


def _named(error: Exception) -> str:
    return str(error) or type(error).__name__


class _Classification(msgspec.Struct):
    category: str
    confidence: float | None = None


class _Classified(msgspec.Struct):
    classification: _Classification


def _label_of(body: bytes) -> Label:
    try:
        name = msgspec.json.decode(body, type=_Classified).classification.category
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Label(None, _NOT_UNDERSTOOD)
    known = normalise_category(name)
    return Label("other", name) if known is None else Label(known)
