"""The numerical core, written in Rust.

Feature matrices are C-contiguous float32; they are copied before the interpreter lock is released. A wrong width, a
value that is not finite or a parameter out of range raises ValueError and says which. Work is spread over one private
pool of threads, made again after a fork; long fits end with KeyboardInterrupt on Ctrl-C.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "KernelMatrix",
    "KnnIndex",
    "RecordTable",
    "SupportVectors",
    "TextEncoder",
    "TokenizedTexts",
    "hash_embed",
    "kmeans_fit",
    "n_threads",
    "read_json_arrays",
    "set_n_threads",
    "squared_distances",
    "svm_fit_linfa",
    "unit_rows",
    "weighted_sums",
    "write_json_parts",
]

@final
class RecordTable(Iterator[bytes]):
    """Row, column and measurements of records, which takes the lines that say nothing new from their file by itself.

    Such a line is one plain JSON object with a quality, no error and no judgement, and names its query (with choices,
    category, `embedding_id` and group) and its model in bytes that were learnt from an earlier line. Iterating gives
    all other lines, with their ends, in order.
    """

    def __new__(cls) -> RecordTable: ...
    def open(self, read: Callable[[int], bytes]) -> None:
        """Begin with a file.

        Args:
            read: Gives its next bytes, at most that many; none at its end.
        """

    def __iter__(self) -> RecordTable: ...
    def __next__(self) -> bytes: ...
    def read_line(self) -> bytes:
        """Give the next line whatever it says, nothing at the end; beyond 16 MiB the next piece of it."""

    def learn(self, row: int, column: int | None, /) -> bool:
        """Note to which row and column the line that was given last belongs; None: its model is left out.

        Returns:
            Whether it was a line that can be learnt.
        """

    def forget_last(self) -> None:
        """Learn nothing of the line that was given last."""

    def watch(self, names: Sequence[str]) -> None:
        """Count what models respond, from now on, and give every line that holds a field that means nothing here.

        Ground truth and metric then tell lines apart as well, and the first response of every model is given.

        Args:
            names: Of further fields, which a line that is taken may hold.
        """

    def first_response(self, response: bytes, /) -> None:
        """Note the first response of the model of the line that was given last, as JSON."""

    def counts(self) -> list[tuple[bytes, list[int]]]:
        """Give what was counted of every model in the lines that were taken.

        Returns:
            Its name, as JSON; lines; of these with a response, with the first response again, without a clear answer.
        """

    def add(self, row: int, column: int, /, *measured: float | None) -> None:
        """Add a record.

        Args:
            row: Of its query.
            column: Of its model.
            measured: Quality, seconds, US dollars, tokens of the prompt, of the answer, seconds until it began.
        """

    @property
    def n_taken(self) -> int:
        """How many lines were taken from the file."""

    @property
    def n_left_out(self) -> int:
        """How many of these are of models that are left out."""

    def __len__(self) -> int: ...
    def finish(self, n_models: int) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
        """Give all records away, those taken and those added, in order; the counts stay.

        Args:
            n_models: Number of columns.

        Returns:
            Row * n_models + column of each, and the measurements in the order of `add`: NaN where a record has none, an
            empty array where none has any.
        """

def set_n_threads(n_threads: int, /) -> None:
    """Set how many threads the core uses from now on.

    Args:
        n_threads: The number; 0 means that of VSR_NUM_THREADS, and without it one per available core.
    """

def n_threads() -> int:
    """Say how many threads the core uses."""

@final
class KnnIndex:
    """Exact nearest neighbours of feature rows; never changes, safe to share between threads.

    Rows are grouped by their trailing category columns, and groups that cannot hold a neighbour are not looked at.
    Both engines give the same rows and the same distances, to the last bit.

    Args:
        features: (n, d) float32, n > 0.
        n_category_columns: How many trailing columns say the category; 0 for none.
        engine: "flat" scans byte codes with proven bounds, "ball-tree" is Linfa's tree, "auto" is the faster, "flat".

    Raises:
        ValueError: For no rows, more category columns than columns, an unknown engine or values that are not finite.
    """

    def __new__(
        cls,
        features: NDArray[np.float32],
        n_category_columns: int,
        engine: str = "auto",
    ) -> KnnIndex: ...
    @staticmethod
    def of_parts(
        rows: NDArray[np.float32],
        n_features: int,
        origin: NDArray[np.float32],
        units: NDArray[np.float32],
        group_sizes: NDArray[np.uint32],
        order: NDArray[np.uint32],
        codes: NDArray[np.int8],
        scalings: NDArray[np.float32],
    ) -> KnnIndex:
        """Take an index as `parts` gave it, without a copy and without reading rows and codes.

        The arrays are read where they lie and must never change: those over a file that is mapped for reading.

        Args:
            rows: (n, d filled up to a multiple of 8) float32.
            n_features: d.
            origin: (width of what is encoded,) float32, what codes are relative to.
            units: (the same width,) float32, the unit of codes in each of these columns.
            group_sizes: (groups,) uint32.
            order: (n,) uint32, the row of each place in the groups.
            codes: (n, that width filled up to a multiple of 32) int8, of any shape.
            scalings: (3, n) float32, of any shape.

        Raises:
            ValueError: They do not fit together, or an array may be written to.
        """
    def parts(self) -> dict[str, NDArray[Any]] | None:
        """Give the arrays that `of_parts` takes, by its argument, some of them flat; None for a tree."""
    @property
    def features(self) -> NDArray[np.float32]:
        """(n, d) the rows as they were given: a view of the index's own, read-only."""
    @property
    def engine(self) -> str:
        """The engine in use: "flat" or "ball-tree"."""
    @property
    def n_rows(self) -> int:
        """How many rows are indexed."""
    @property
    def n_features(self) -> int:
        """How wide a row is."""
    def search(self, features: NDArray[np.float32], k: int) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Find the k nearest rows of every query, by squared Euclidean distance on the whole row.

        One query runs on the calling thread.

        Args:
            features: (m, d) float32.
            k: How many, at least 1.

        Returns:
            Rows (m, min(k, n)) uint32 in ascending order of (distance, row), and their squared distances, float32.

        Raises:
            ValueError: For another width, k = 0 or values that are not finite.
        """
    def neighbours(
        self, features: NDArray[np.float32], k: int, sharpness: float
    ) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
        """Find the k nearest rows of every query, and how alike they are to it.

        Args:
            features: (m, d) float32.
            k: How many, at least 1.
            sharpness: The power that the cosines are raised to.

        Returns:
            Rows as of `search`, and their weights (m, min(k, n)) float64: `max(1 - squared distance / (2 squared
            length), 0)`, which is the cosine of rows of equal length, to that power.

        Raises:
            ValueError: As `search`.
        """

def weighted_sums(
    rows: NDArray[np.uint32],
    weights: NDArray[np.float64],
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up what the neighbours of queries say of every model.

    A query's sums do not depend on the queries beside it.

    Args:
        rows: (m, k) uint32 neighbours of each query.
        weights: (m, k) float64.
        values: (n, n_models) float64, NaN = not measured; read-only, in C order.

    Returns:
        Sums of weight x value, and of weight, over what was measured, both (m, n_models) float64.

    Raises:
        ValueError: Shapes do not fit, there is no such row, or an array may be written to.
    """

def squared_distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute squared Euclidean distances between all rows of two matrices.

    Never negative, 0 for equal rows, the same bits as KnnIndex gives, and independent of the other rows.

    Args:
        a: (n, d) float32.
        b: (m, d) float32.

    Returns:
        (n, m) float32.

    Raises:
        ValueError: For different widths or values that are not finite.
    """

def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring every row to unit length, in float64; a row of zeros stays zero.

    Args:
        rows: (n, d) float32, finite.

    Returns:
        (n, d) float32, a new array.
    """

def kmeans_fit(
    features: NDArray[np.float32], n_clusters: int, n_starts: int, max_iterations: int, tolerance: float, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.uint32], float]:
    """Cluster rows by Linfa's k-means, from starts of our own (greedy k-means++).

    The same seed gives the same bytes, whatever the number of threads. With fewer distinct rows than clusters some
    centroids repeat, and the later of them get no rows.

    Args:
        features: (n, d) float32, n > 0.
        n_clusters: How many clusters, at least 1.
        n_starts: Independent starts, of which the one with the least inertia is kept.
        max_iterations: Upper limit for each start.
        tolerance: A start ends when the centroids together move by less than the root of this times the mean variance
            of the columns (as in scikit-learn).
        seed: Of the random starts.

    Returns:
        Centroids (n_clusters, d) float32; labels (n,) uint32, the nearest centroid, the first among equals; and the
        inertia, the sum of squared distances to these.

    Raises:
        ValueError: For no rows, parameters out of range or values that are not finite.
    """

@final
class KernelMatrix:
    """One kernel matrix of all rows, float32, that all models and folds share.

    Args:
        features: (n, d) float32, n > 0; the matrix takes 4 n^2 bytes.
        kernel: "rbf", exp(-gamma |a - b|^2), or "linear", a . b.
        gamma: Of the RBF kernel, above 0; ignored by the linear one.

    Raises:
        ValueError: For no rows, an unknown kernel, a bad gamma or values that are not finite.
    """

    def __new__(cls, features: NDArray[np.float32], kernel: str, gamma: float = 1.0) -> KernelMatrix: ...
    @property
    def n_rows(self) -> int:
        """How many rows the matrix is of."""
    def fit(
        self,
        rows: NDArray[np.uint32],
        quality: NDArray[np.float64],
        c: float,
        tolerance: float = 1e-3,
        max_iterations: int = 10_000_000,
        weights: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Train one support vector machine per model, each "does this model succeed".

        A quality q enters as a positive example of weight c q and a negative one of weight c (1 - q). Where only one
        class is seen, the coefficients are 0 and the bias is 1 or -1 (0 where nothing is seen).

        Args:
            rows: (r,) uint32, the rows of this matrix to train on.
            quality: (r, m) float64 in [0, 1]; NaN where it was not measured: that row then takes no part.
            c: Weight of a row, above 0.
            tolerance: Largest violation of optimality that is accepted (libsvm's eps).
            max_iterations: Upper limit of pair updates for each model.
            weights: (r,) above 0, what c is multiplied by for each row; without it all count alike.

        Returns:
            Signed coefficients (r, m) and biases (m,), float64: decision = sum of coefficient * kernel + bias.

        Raises:
            ValueError: For rows that the matrix does not have, qualities or weights out of range or shapes that do not
                fit.
        """
    def decisions(
        self,
        rows: NDArray[np.uint32],
        fit_rows: NDArray[np.uint32],
        coefficients: NDArray[np.float64],
        biases: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Decide for rows of this matrix by machines that were trained on other rows of it.

        Args:
            rows: (p,) uint32.
            fit_rows: (r,) uint32, the rows that `fit` was given.
            coefficients: (r, m) float64.
            biases: (m,) float64.

        Returns:
            (p, m) float64, above 0 where success is expected.

        Raises:
            ValueError: For rows that the matrix does not have or shapes that do not fit.
        """

def svm_fit_linfa(
    features: NDArray[np.float32],
    quality: NDArray[np.float64],
    kernel: str,
    gamma: float,
    c: float,
    tolerance: float = 1e-3,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Train one support vector machine per model by linfa-svm; the same meaning as `KernelMatrix.fit`.

    linfa-svm knows no weights of rows: a quality of a/b enters as a positive and b - a negative copies of weight c / b.

    Args:
        features: (n, d) float32.
        quality: (n, m) float64 in [0, 1], multiples of 1/b for one b up to 10; NaN where it was not measured.
        kernel: "rbf" or "linear".
        gamma: Of the RBF kernel, above 0.
        c: Weight of a row, above 0.
        tolerance: Largest violation of optimality that is accepted.

    Returns:
        Signed coefficients (n, m) and biases (m,), float64.

    Raises:
        ValueError: As `KernelMatrix.fit`, and for finer grades.
        vsr.errors.TrainingError: linfa-svm gave up.
        KeyboardInterrupt: At Ctrl-C; threads of linfa-svm then go on until the model that they are at is done.
    """

@final
class SupportVectors:
    """Trained machines of all models on the union of their support vectors; never changes.

    Args:
        vectors: (n, d) float32.
        coefficients: (n, m) float64, one column per model.
        biases: (m,) float64.
        kernel: "rbf" or "linear".
        gamma: Of the RBF kernel, above 0.

    Raises:
        ValueError: For shapes that do not fit, an unknown kernel or values that are not finite.
    """

    def __new__(
        cls,
        vectors: NDArray[np.float32],
        coefficients: NDArray[np.float64],
        biases: NDArray[np.float64],
        kernel: str,
        gamma: float = 1.0,
    ) -> SupportVectors: ...
    def decisions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Decide for new rows; a row's decisions do not depend on the rows beside it.

        Args:
            features: (p, d) float32.

        Returns:
            (p, m) float64, above 0 where success is expected.

        Raises:
            ValueError: For another width or values that are not finite.
        """

def hash_embed(texts: Sequence[str], dim: int) -> NDArray[np.float32]:
    """Embed texts by signed feature hashing of word and character n-grams: no model, the same bytes everywhere.

    Args:
        texts: Any number; compared after Unicode NFC, lower case and with white space collapsed.
        dim: Number of buckets, at least 1.

    Returns:
        (n, dim) float32 unit rows; an empty text gives the first unit vector.

    Raises:
        ValueError: For dim = 0.
    """

def write_json_parts(path: str, parts: Sequence[str | NDArray[Any]]) -> None:
    """Write text and arrays, one after the other, to a file, which is made or emptied first.

    Args:
        path: Of the file.
        parts: Text as it is; float32, float64 and int64 arrays of rank 1 or more as nested lists, each number the
            shortest text that reads back as the same value of its type.

    Raises:
        ValueError: For a number that is not finite; nothing is written then.
        OSError: Where the file cannot be written.
    """

def read_json_arrays(path: str, patterns: Mapping[str, str]) -> tuple[str, dict[str, NDArray[Any]]]:
    """Read a JSON document and take some of its arrays out of it.

    Args:
        path: Of the file.
        patterns: Paths of arrays, with the type to read them as. A path is keys joined by "."; "*" is any key or index,
            one array each; "[]" after a key stacks the items of its list into one leading axis:
            "centroids", "weights.*", "training_records[].embedding".

    Returns:
        The document with null in place of these arrays, and the arrays by their path with the "*" filled in. What the
        document does not have is not in the result.

    Raises:
        vsr.errors.ArtefactError: For a document that is not JSON or cut off, and for arrays that are ragged or hold
            anything but finite numbers; it says where.
        OSError: Where the file cannot be read.
    """

@final
class TokenizedTexts:
    """Texts as token numbers."""

    @property
    def lengths(self) -> NDArray[np.uint32]:
        """Tokens of each text, special ones included, after truncation; uint32 (n,)."""

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """Which texts were longer than the limit; bool (n,)."""

@final
class TextEncoder:
    """A loaded embedding model."""

    def __new__(
        cls,
        path: str | PathLike[str],
        architecture: str | None = None,
        dim: int | None = None,
        prompt: str | None = None,
        max_tokens: int | None = None,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> TextEncoder:
        """Load a model folder; in `bfloat16` and `int8` the layers multiply rounded numbers, all else is float32.

        Raises:
            EmbeddingError: Something is missing, damaged, not supported, or does not fit the other arguments; or the
                machine does not multiply bfloat16.
        """

    def tokenize(self, texts: Sequence[str]) -> TokenizedTexts:
        """Cut texts into tokens."""

    def embed(self, texts: TokenizedTexts, rows: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Embed some of the tokenized texts: float32 (len(rows), dim), rows of unit length."""

    @property
    def dim(self) -> int:
        """Width of the vectors."""

    @property
    def native_dim(self) -> int:
        """Width of the model's own vectors."""

    @property
    def token_limit(self) -> int:
        """Longest text in tokens, special ones included."""

    @property
    def pooling(self) -> str:
        """One of "mean", "cls" and "lasttoken"."""

    @property
    def prompt(self) -> str:
        """The text before every text."""

    @property
    def digest(self) -> str:
        """Digest of configuration, tokenizer, weights and dense layers."""
