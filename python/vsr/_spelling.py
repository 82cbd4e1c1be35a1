"""Did you mean: the known word that another one is nearly, for every message that offers one."""

import difflib
from collections.abc import Iterable
from itertools import islice

# How alike two words are before one counts as the other misspelt (difflib's ratio); of short ones a letter may differ.
_NEARLY = 0.75
_NEARLY_IF_SHORT = 0.6
_SHORT = 4
# Beyond these the search takes longer than a look into the file.
_MOST_SEARCHED = 200
_LONGEST = 100  # characters; what is longer is a text, not a word


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that this one is nearly, if there is one; case and hyphens do not count.

    Args:
        word: what somebody wrote.
        known: what could have been meant; the first two hundred are looked at.
    """
    if len(word) > _LONGEST:
        return None
    by_folded = {_folded(name): name for name in islice(known, _MOST_SEARCHED)}
    cutoff = _NEARLY_IF_SHORT if len(word) <= _SHORT else _NEARLY
    # As `difflib.get_close_matches`, which goes on comparing in full what is less alike than the best one so far.
    matcher = difflib.SequenceMatcher(b=_folded(word))
    best: tuple[float, str] | None = None
    for name in by_folded:
        matcher.set_seq1(name)
        least = best[0] if best else cutoff
        if matcher.real_quick_ratio() >= least and matcher.quick_ratio() >= least and matcher.ratio() >= least:
            best = max(best or (0.0, ""), (matcher.ratio(), name))
    return by_folded[best[1]] if best else None


def _folded(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")
