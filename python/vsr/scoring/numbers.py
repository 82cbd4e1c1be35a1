"""Numbers as people and LLMs write them: separators, currencies, per cent, fractions, powers of ten, LaTeX, words."""

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_TOLERANCE = 1e-6
"""Relative difference below which two numbers are the same answer."""

_LONGEST_NUMBER = 60  # characters; floats end at about 300 digits, and nobody answers with that


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text.

    Attributes:
        value: as written, so 50 for `50%`.
        is_percent: a per cent sign follows, so that it equals 50 as well as 0.5.
        start: where it begins in the text that was searched.
        end: where it ends there.
    """

    value: float
    is_percent: bool = False
    start: int = 0
    end: int = 0

    @property
    def text(self) -> str:
        """The number in its shortest form, such as `18`, `-3.5`, `1e+30` or `50%`."""
        whole = self.value.is_integer() and abs(self.value) < 1e16
        written = str(int(self.value)) if whole else repr(self.value)
        return f"{written}%" if self.is_percent else written

    def equals(self, other: "Number") -> bool:
        """Tell whether two numbers are the same answer; a per cent may stand for its hundredth."""
        return any(math.isclose(mine, its, rel_tol=_TOLERANCE) for mine, its in self._pairs(other))

    def _pairs(self, other: "Number") -> Iterator[tuple[float, float]]:
        yield self.value, other.value
        if self.is_percent != other.is_percent:
            mine, its = (self.value / 100, other.value) if self.is_percent else (self.value, other.value / 100)
            yield mine, its


_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
_SUPERSCRIPT_RUN = re.compile(f"[{_SUPERSCRIPTS}]+")
_FROM_SUPERSCRIPT = str.maketrans(_SUPERSCRIPTS, "0123456789+-")
_VULGAR = re.compile("[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]")
_FOLDED = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "⁄": "/", "∕": "/", "٫": ".", "٬": ",", "’": "'", "\u200b": None}
)
_LATEX = (
    (re.compile(r"(?<=\d),?\\[,!;: ]\s?(?=\d{3})"), ","),
    (re.compile(r"\\(?=[%$#&])"), ""),
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])"), "×"),
    (re.compile(r"\\(?:approx|simeq|sim)(?![A-Za-z])"), "≈"),
    (re.compile(r"\\div(?![A-Za-z])"), "/"),
    (re.compile(r"\\pm(?![A-Za-z])"), "±"),
    (re.compile(r"\^\s?\{?\s?\\circ\s?\}?|\\degree(?![A-Za-z])"), "°"),
    (re.compile(r"\\[dtc]?frac\s?\{\s?(-?[\d.,]{1,30})\s?\}\s?\{\s?([\d.,]{1,30})\s?\}"), r" \1/\2 "),
    (re.compile(r"\\[dtc]?frac\s?(\d)\s?(\d)"), r" \1/\2 "),
    (
        re.compile(
            r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mathsf|bf|rm|mbox|operatorname|left|right)(?![A-Za-z])"
        ),
        " ",
    ),
    (re.compile(r"\\[,!;: ()\[\]]"), " "),
)
_BRACED = re.compile(r"\{(,)\}|(?<=\^)\s?\{\s?([-+]?\d{1,6})\s?\}")
_BOLD = re.compile(r"\*{2,3}(?!\d)|(?<!\d)\*{2,3}|`")


def fold_numbers(text: str) -> str:
    """Unify how a text writes numbers: plain minus signs, fractions with a slash, powers with `^`, no LaTeX or bold.

    Args:
        text: a response or a part of one; the positions in it change.
    """
    if not text.isascii():
        text = _VULGAR.sub(lambda sign: f" {unicodedata.normalize('NFKC', sign[0])} ", text)
        text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run[0].translate(_FROM_SUPERSCRIPT), text)
        text = unicodedata.normalize("NFKC", text).translate(_FOLDED)
    if "\\" in text:
        for pattern, written in _LATEX:
            text = pattern.sub(written, text)
    if "{" in text:
        text = _BRACED.sub(r"\1\2", text)
    return _BOLD.sub("", text)


_CURRENCY = r"(?:US|CA|AU|A|C|R|HK|NZ)?[$€£¥₹₽₩₺]|(?:USD|EUR|GBP|INR|CHF|CNY|JPY|Rs\.?|Rp\.?)(?=\s?\d)"
_NUMBER = re.compile(
    rf"""
    (?<![A-Za-z0-9_^]) (?<![0-9][.,'])
    (?: (?P<sign>(?<![0-9)%\]])[-+] | (?<==\s)[-+]\s | (?<=is\s)[-+]\s | (?i:minus|negative)\s ) )?
    (?: (?P<currency>{_CURRENCY}) \s? (?P<inner>[-+])? )?
    (?:
        (?P<european> \d{{1,3}}(?:[. ']\d{{3}})+,\d{{1,6}}(?![\d,.]*\d) | \d{{1,3}}(?:\.\d{{3}}){{2,}}(?![.,]?\d) )
      | (?P<comma> (?!0,\d{{3}}(?!\d)) \d{{1,9}},(?:\d{{1,2}}|\d{{4,}})(?![,.]?\d) | 0,\d{{1,9}}(?![,.]?\d) )
      | (?P<plain> (?: \d{{1,3}}(?:[,' ]\d{{3}})+(?![\d]) | \d{{1,2}}(?:,\d{{2}})+,\d{{3}}(?!\d) | \d+(?:_\d{{3}})* )
                   (?:\.\d+(?!\.\d))? | \.\d+ )
    )
    (?: [eE](?P<e>[-+]?\d{{1,4}})(?![\w.])
      | \s?[×x*·]\s?10\s?(?:\^|\*\*)\s?\(?(?P<ten>[-+]?\d{{1,4}})\)?
      | \s?(?:\^|\*\*)\s?\(?(?P<power>[-+]?\d{{1,4}})\)? )?
    (?: (?P<whole_gap>\ ) (?P<top>\d{{1,4}})/(?P<bottom>\d{{1,4}})(?![\d/])
      | \s?/\s?(?P<divisor>\d{{1,9}}(?:\.\d{{1,9}})?)(?![\d/]|\.\d) )?
    (?: \s?(?P<percent>%|per\s?cent\b|pct\b|percentage\spoints?\b)
      | \s?(?P<scale>hundred|thousand|million|billion|trillion|dozen|mn|bn)(?![A-Za-z])
      | (?P<short>(?<=\d)[kKmMbB](?![A-Za-z0-9^])) )?
    """,
    re.VERBOSE,
)
_SCALES = {
    "dozen": 12.0, "hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "mn": 1e6, "m": 1e6, "billion": 1e9,
    "bn": 1e9, "b": 1e9, "trillion": 1e12,
}  # fmt: skip


def find_numbers(text: str) -> Iterator[Number]:
    """Find the numbers in a folded text, from left to right; digits inside words and exponents are none.

    Args:
        text: what `fold_numbers` gave.
    """
    for match in _NUMBER.finditer(text):
        number = _number(match)
        if number is not None:
            yield number


def parse_number(text: str) -> Number | None:
    """Read a text that is one number, perhaps with a currency or per cent; None for any other text."""
    folded = fold_numbers(text).strip().strip("$").strip()
    match = _NUMBER.fullmatch(folded.rstrip(".").strip())
    return _number(match) if match is not None else None


def _number(match: re.Match[str]) -> Number | None:
    value = _digits(match)
    if value is None:
        return None
    with_power = _with_power(value, match)
    if with_power is None:
        return None
    value = with_power
    if match["top"] is not None:
        bottom = int(match["bottom"])
        if bottom == 0:
            return None
        value += int(match["top"]) / bottom
    elif match["divisor"] is not None:
        divisor = float(match["divisor"])
        if divisor == 0:
            return None
        value /= divisor
    if match["scale"] is not None:
        value *= _SCALES[match["scale"]]
    # 5k is 5,000; but 5m is a length and 300K a temperature, unless it is money.
    elif match["short"] is not None and (match["short"] == "k" or match["currency"]):
        value *= _SCALES[match["short"].lower()]
    if (match["sign"] or match["inner"] or "+")[0] in "-mMnN":
        value = -value
    return Number(value, match["percent"] is not None, match.start(), match.end()) if math.isfinite(value) else None


def _digits(match: re.Match[str]) -> float | None:
    european = match["european"]
    if european is not None:
        written = re.sub("[. ']", "", european).replace(",", ".")
    elif match["comma"] is not None:
        written = match["comma"].replace(",", ".")
    else:
        written = re.sub(r"[,' _]", "", match["plain"])
    return float(written) if len(written) <= _LONGEST_NUMBER else None


def _with_power(value: float, match: re.Match[str]) -> float | None:
    ten = match["e"] or match["ten"]
    try:
        if ten is not None:
            # Through the text, which rounds once: 6.02e23 as a product is another float.
            return float(f"{value!r}e{int(ten)}") if "e" not in repr(value) else value * 10.0 ** int(ten)
        if match["power"] is not None:
            return value ** int(match["power"])
    except (OverflowError, ZeroDivisionError, ValueError):
        return None
    return value


_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {word: index for index, word in enumerate(_UNITS)} | {
    word: 10 * index for index, word in enumerate(_TENS, start=2)
}
_WORD_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_WORD = "|".join([*_WORDS, *_WORD_SCALES])
_SPELT = re.compile(
    rf"(?P<minus>(?:minus|negative)\s)?(?P<words>(?:{_WORD})(?:(?:[\s-]|\sand\s)(?:{_WORD})){{0,12}})(?![A-Za-z-])"
    r"(?:(?P<percent>\s(?:per\s?cent|%))"
    r"|[\s-](?P<share>half|halves|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?)(?![A-Za-z]))?",
    re.IGNORECASE,
)
_SHARES = {
    "hal": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10,
}  # fmt: skip


def spelt_number(text: str) -> Number | None:
    """Read the number in words with which a text begins, such as `twenty-five` or `minus two hundred and one`."""
    match = _SPELT.match(text)
    if match is None:
        return None
    total = part = 0
    for word in re.findall("[a-z]+", match["words"].lower()):
        if word == "and":
            continue
        if word == "hundred":
            part = (part or 1) * 100
        elif word in _WORD_SCALES:
            total += (part or 1) * _WORD_SCALES[word]
            part = 0
        else:
            part += _WORDS[word]
    value = float(total + part)
    share = (match["share"] or "").lower()
    # "Two thirds" is a fraction, "twenty third" an ordinal number.
    if share and (value == 1) != share.endswith("s"):
        value /= next(parts for name, parts in _SHARES.items() if share.startswith(name))
    return Number(-value if match["minus"] else value, match["percent"] is not None, match.start(), match.end())
