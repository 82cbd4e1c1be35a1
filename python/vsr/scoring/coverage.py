"""Concepts: the share of given words that a text uses, in any inflection (CommonGen)."""

import functools
import re

from vsr.scoring.committed_text import committed_text
from vsr.scoring.score import Score

_SEPARATOR = re.compile(r"[,;#|\n]+")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_IRREGULAR = {
    form: base
    for base, forms in {
        "be": "am is are was were been being", "begin": "began begun", "bite": "bit bitten", "blow": "blew blown",
        "break": "broke broken", "bring": "brought", "build": "built", "buy": "bought", "catch": "caught",
        "choose": "chose chosen", "come": "came", "cut": "cut", "do": "did done does", "draw": "drew drawn",
        "drink": "drank drunk", "drive": "drove driven", "eat": "ate eaten", "fall": "fell fallen", "feed": "fed",
        "feel": "felt", "fight": "fought", "find": "found", "fly": "flew flown", "forget": "forgot forgotten",
        "freeze": "froze frozen", "get": "got gotten", "give": "gave given", "go": "went gone goes",
        "grow": "grew grown", "hang": "hung", "have": "had has", "hear": "heard", "hide": "hid hidden",
        "hold": "held", "keep": "kept",
        "know": "knew known", "lay": "laid", "lead": "led", "leave": "left", "lie": "lay lain lying", "light": "lit",
        "lose": "lost", "make": "made", "meet": "met", "pay": "paid", "read": "read", "ride": "rode ridden",
        "ring": "rang rung", "rise": "rose risen", "run": "ran", "say": "said", "see": "saw seen", "sell": "sold",
        "send": "sent", "sew": "sewn", "shake": "shook shaken", "shine": "shone", "shoot": "shot", "show": "shown",
        "sing": "sang sung", "sit": "sat", "sleep": "slept", "slide": "slid", "speak": "spoke spoken", "spend": "spent",
        "spin": "spun", "stand": "stood", "steal": "stole stolen", "stick": "stuck", "strike": "struck",
        "sweep": "swept", "swim": "swam swum", "swing": "swung", "take": "took taken", "teach": "taught",
        "tear": "tore torn", "tell": "told", "think": "thought", "throw": "threw thrown", "tie": "tying",
        "wake": "woke woken", "wear": "wore worn", "win": "won", "write": "wrote written",
        "child": "children", "foot": "feet", "goose": "geese", "knife": "knives", "leaf": "leaves", "life": "lives",
        "loaf": "loaves", "man": "men", "mouse": "mice", "person": "people", "shelf": "shelves", "tooth": "teeth",
        "wife": "wives", "wolf": "wolves", "woman": "women",
    }.items()
    for form in forms.split()
}  # fmt: skip
_SUFFIXES = ("ing", "ed", "es", "er", "s", "d")


def score_coverage(response: str, truth: str) -> Score:
    """Score the share of concepts that the response uses.

    Args:
        response: what the model wrote.
        truth: the concepts, separated by commas, as a list, or as words.
    """
    concepts = _concepts(truth)
    words = _WORD.findall(committed_text(response).lower())
    n_used = sum(_is_used(concept, words) for concept in concepts)
    return Score(n_used / len(concepts) if concepts else 0.0, "coverage")


def _concepts(truth: str) -> list[tuple[str, ...]]:
    """List the concepts once each; one of several words is a tuple of them."""
    # The brackets and quotes of a list written as text are no words, so they vanish below.
    parts = [part for part in _SEPARATOR.split(truth.strip(" \n[](){}")) if part.strip()]
    if len(parts) == 1:
        parts = parts[0].split()
    found = (tuple(_WORD.findall(part.lower())) for part in parts)
    return list(dict.fromkeys(concept for concept in found if concept))


def _is_used(concept: tuple[str, ...], words: list[str]) -> bool:
    """Tell whether the words of a concept stand one behind the other, each in any inflection."""
    wanted = [_base_forms(word) for word in concept]
    different = set(words)
    fitting = [{word for word in different if not forms.isdisjoint(_base_forms(word))} for forms in wanted]
    return any(
        all(word in fits for word, fits in zip(words[start : start + len(fitting)], fitting, strict=True))
        for start, word in enumerate(words[: len(words) - len(wanted) + 1])
        if word in fitting[0]
    )


@functools.lru_cache(maxsize=1 << 14)
def _base_forms(word: str) -> frozenset[str]:
    """List what a word can be an inflection of, itself included: `running` of `run`, `riding` of `ride`."""
    forms = {word, _IRREGULAR.get(word, word)}
    for suffix in _SUFFIXES:
        stem = word.removesuffix(suffix)
        if stem == word or len(stem) < 2:
            continue
        forms |= {stem, stem + "e"}
        if len(stem) > 3 and stem[-1] == stem[-2]:
            forms.add(stem[:-1])
        if stem.endswith("i"):
            forms.add(stem[:-1] + "y")
    return frozenset(forms)
