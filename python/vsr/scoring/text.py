"""Answers in words: F1 of tokens, equality and containment, after the normalisation of SQuAD.

The normalisation (Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016) is lower case
without punctuation and articles. Two things are added: the point inside a number stays, so that 3.5 is not 35, and
scripts that are written without spaces are taken character by character.
"""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from vsr.scoring.committed_text import committed_text
from vsr.scoring.score import Score

_ARTICLES = frozenset({"a", "an", "the"})
_MOST_WORDS = 5  # of a short answer
_EITHER = (frozenset({"yes", "no"}), frozenset({"true", "false"}))
_CLAUSE_END = re.compile(r"[.,;:!?]+(?=\s|$)|\n|\u2014")
_NEGATIONS = frozenset(
    {
        "not", "no", "never", "neither", "nor", "cannot", "cant", "isnt", "arent", "wasnt", "werent", "doesnt", "dont",
        "didnt", "without", "except",
    }
)  # fmt: skip
_EMPHASES = frozenset({"only", "just", "doubt", "question", "wonder"})  # behind a negation: "not only Paris"
_REACH = 3  # words from a negation to what it negates
# Thousands separators go; decimal points and the sign in front of a number stay.
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_KEPT = re.compile(r"(?<=\d)\.(?=\d)|(?<![\w)])-(?=\.?\d)|(?<!\w)\.(?=\d)")
_PLACEHOLDER = {".": "\ue000", "-": "\ue001"}
_RESTORED = str.maketrans({held: sign for sign, held in _PLACEHOLDER.items()})
_UNSPACED = re.compile("([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f])")


def score_text(response: str, truth: str) -> Score:
    """Score by F1 of the multisets of tokens, as SQuAD does.

    Args:
        response: what the model answered.
        truth: the ground truth.
    """
    return Score(f1(answer_tokens(committed_text(response)), answer_tokens(truth)), "text")


def score_exact(response: str, truth: str) -> Score:
    """Score 1 where response and ground truth are equal after normalisation, else 0."""
    return Score(float(_bare(committed_text(response)) == _bare(truth)), "exact")


def score_contains(response: str, truth: str) -> Score:
    """Score 1 where the ground truth occurs in the response, word for word and not negated, else 0.

    Of yes and no, and of true and false, the one counts that a clause begins or ends with first: "no" occurs in many
    answers that do not say no.
    """
    text = committed_text(response)
    wanted = answer_tokens(truth)
    either = next((pair for pair in _EITHER if wanted and wanted[0] in pair and len(wanted) == 1), None)
    if either is not None:
        said = (
            clause[place]
            for clause in _clauses(text)
            for place in dict.fromkeys((0, len(clause) - 1) if clause else ())
            if clause[place] in either and not _negation_before(clause, 0, place)
        )
        return Score(float(next(said, None) == wanted[0]), "contains")
    found = any(_occurs(tokens(truth), tokens(text)) for tokens in (_bare, _spaced))
    return Score(float(found and not _is_negated(wanted, text)), "contains")


def is_short_answer(truth: str) -> bool:
    """Tell whether a ground truth is so short that to contain it is to give it: one to five words, no lone letter."""
    tokens = answer_tokens(truth)
    return len(truth.split()) <= _MOST_WORDS and any(len(token) > 1 or not token.isascii() for token in tokens)


def answer_tokens(text: str) -> list[str]:
    """Split a text into normalised tokens: lower case, no punctuation, no articles.

    Args:
        text: any text; one that holds nothing else but articles keeps them.
    """
    tokens = _words(_without_punctuation(text.lower(), ""))
    return [token for token in tokens if token not in _ARTICLES]


def f1(mine: Sequence[str], its: Sequence[str]) -> float:
    """Give the harmonic mean of precision and recall of two multisets; 1 where both are empty."""
    if not mine or not its:
        return float(not mine and not its)
    n_common = (Counter(mine) & Counter(its)).total()
    return 2 * n_common / (len(mine) + len(its))


def _bare(text: str) -> list[str]:
    """Normalise for a comparison of the whole; what would vanish altogether keeps its articles or its signs."""
    lower = text.lower()
    return answer_tokens(text) or _words(_without_punctuation(lower, "")) or lower.split()


def _spaced(text: str) -> list[str]:
    """Normalise with a space for every punctuation mark, so that New York is found in New-York."""
    return _words(_without_punctuation(text.lower(), " ")) or text.lower().split()


def _clauses(text: str) -> list[list[str]]:
    return [answer_tokens(clause) for clause in _CLAUSE_END.split(text)]


def _is_negated(wanted: list[str], text: str) -> bool:
    """Tell whether a short answer occurs and is negated wherever it does, as in "it is not Paris"."""
    if not wanted or len(wanted) > _MOST_WORDS:
        return False
    tokens: list[str] = []
    begins: list[int] = []  # of each token: where its clause begins
    for clause in _clauses(text):
        begins += [len(tokens)] * len(clause)
        tokens += clause
    places = [at for at, token in enumerate(tokens) if token == wanted[0] and tokens[at : at + len(wanted)] == wanted]
    return bool(places) and all(_negation_before(tokens, begins[at], at) for at in places)


def _negation_before(tokens: list[str], begin: int, at: int) -> bool:
    return any(
        tokens[place] in _NEGATIONS and tokens[place + 1] not in _EMPHASES
        for place in range(max(begin, at - _REACH), at)
    )


def _occurs(wanted: list[str], tokens: list[str]) -> bool:
    if not wanted:
        return False
    # One search in a string instead of one comparison per place: linear also for long texts.
    return f" {' '.join(wanted)} " in f" {' '.join(tokens)} "


def _words(text: str) -> list[str]:
    return (text if text.isascii() else _UNSPACED.sub(r" \1 ", text)).split()


def _without_punctuation(text: str, replacement: str) -> str:
    text = _THOUSANDS.sub("", text)
    text = _KEPT.sub(lambda sign: _PLACEHOLDER[sign[0]], text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    signs = {ord(character): replacement for character in set(text) if _is_punctuation(character)}
    return text.translate(signs).translate(_RESTORED)


@functools.lru_cache(maxsize=4096)
def _is_punctuation(character: str) -> bool:
    # SQuAD removes string.punctuation, which holds some symbols; of the rest of Unicode, punctuation proper.
    if character.isascii():
        return character.isprintable() and not character.isalnum() and not character.isspace()
    return unicodedata.category(character).startswith("P")
