"""Mathematical answers that are more than a number: LaTeX expressions, compared by value, by part and by form.

Two expressions with variables are the same if they have the same value wherever both have one, at a few fixed places
(Schwartz, "Fast Probabilistic Algorithms for Verification of Polynomial Identities", 1980). A computer algebra system
proves more and was tried (math-verify): it takes a tenth of a second where this takes microseconds, and for ever for
`(x+y+z+w)^9(a+b+c+d)^9`, so that the score depended on the machine.
"""

import math
import re
from collections.abc import Callable, Mapping

from vsr.scoring.numbers import Number
from vsr.scoring.plain_text import closing_braces

_N_PLACES, _FEWEST_PLACES = 6, 3  # at so many of them, both must have a value
_PRECISION = 1e-9
_MOST_COMPARISONS = 3000  # of parts, sets within sets: half a second
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)  # variables of one expression
_OPERATOR = re.compile(r"[-+*/^]|\\frac|\\sqrt|[0-9)}][A-Za-z(]|[A-Za-z)]\(")
_LONGEST = 400  # characters; longer answers are compared by their form alone
_LONGEST_KEPT = 2000  # characters of an expression at all
_DEEPEST = 30

_ARGUMENT_COMMAND = re.compile(r"\\(?P<name>[dtc]?frac|sqrt)(?![A-Za-z])")
_FONT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mathbb|boldsymbol|operatorname|mbox|emph)(?![A-Za-z])\s*\*?"
)
_DROPPED = re.compile(
    r"\\(?:left|right|bigl?|bigr?|Bigl?|Bigr?|displaystyle|quad|qquad|limits|,|!|;|:|\s|\$|%|\(|\)|\[|\])(?![A-Za-z])"
    r"|\\?\$|\\%|%|~|\^\{?\\circ\}?|\\degree|°"
)
_SYNONYMS = (
    (re.compile(r"\\(?:times|cdot|ast)(?![A-Za-z])|[×·∗⋅]"), "*"),
    (re.compile(r"\\div(?![A-Za-z])|÷"), "/"),
    (re.compile(r"\\(?:le|leq|leqslant)(?![A-Za-z])|≤"), "<="),
    (re.compile(r"\\(?:ge|geq|geqslant)(?![A-Za-z])|≥"), ">="),
    (re.compile(r"\\(?:ne|neq)(?![A-Za-z])|≠"), "!="),
    (re.compile(r"\\(?:infty)(?![A-Za-z])|∞"), "∞"),
    (re.compile(r"\\(?:pi)(?![A-Za-z])"), "π"),
    (re.compile(r"\\(?:cup)(?![A-Za-z])"), "∪"),
    (re.compile(r"\\(?:emptyset|varnothing)(?![A-Za-z])|\\\{\\\}"), "∅"),
    (re.compile(r"\\(?:pm)(?![A-Za-z])"), "±"),
    (re.compile(r"\\(?:in)(?![A-Za-z])"), "∈"),
    (re.compile(r"\\(?:approx|simeq)(?![A-Za-z])"), "≈"),
    (re.compile(r"[−–—]"), "-"),
    (re.compile(r"\{,\}"), ""),
    (re.compile(r"(?<![\d.])\.(?=\d)"), "0."),
)
_ENVIRONMENT = re.compile(
    r"\\begin\{[pbvBV]?(?:matrix|array)\}(?:\{[lcr|]+\})?(?P<body>.*?)\\end\{[pbvBV]?(?:matrix|array)\}", re.DOTALL
)
_NAMED = re.compile(r"(?:[A-Za-z](?:_\{?\w\}?)?(?:\([A-Za-z]\))?|θ|\\theta)\s?(?:=|∈)(?!=)")
# "x = 2 or x = -3" lists two solutions.
_OR = re.compile(r"\\(?:text|mbox|mathrm|textrm)\s?\{\s*(?:or|and)\s*\}|(?<=[\w})])\s+(?:or|and)\s+(?=[\w\\({-])")
_NEW_ROW = "\ue000"  # stands for a double backslash while single ones go
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def normalise_expression(text: str) -> str:
    r"""Write an expression in one form: no spacing, fonts, degree signs or units' fonts, `\frac{1}{2}` for `\frac12`.

    Args:
        text: LaTeX or plain text, for example what stands in a box.
    """
    text = text[:_LONGEST_KEPT].strip().strip("$").strip().rstrip(".").strip().replace("\\\\", _NEW_ROW)
    if "or" in text or "and" in text:
        text = _OR.sub(",", text)
    for pattern, written in _SYNONYMS:
        text = pattern.sub(written, text)
    text = _with_braced_arguments(_FONT.sub("", _DROPPED.sub("", text)))
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text) if not text.startswith(("(", "[", "{", "\\{")) else text
    text = re.sub(r"\s+", "", text)
    text = re.sub(r"([\^_])\{(\w)\}", r"\1\2", text)
    parts = _split(text, ",")
    names = [_NAMED.match(part) for part in parts]
    values = [part[name.end() :] for name, part in zip(names, parts, strict=True) if name is not None]
    is_one_name = len(values) == len(parts) and len({name[0] for name in names if name is not None}) == 1
    if is_one_name and not any(re.search(r"[=<>]", value) for value in values):
        text = ",".join(values)
    while len(text) > 2 and text[0] == "{" and closing_braces(text).get(0) == len(text) - 1:
        text = text[1:-1]
    return text.replace(_NEW_ROW, "\\\\")


def _with_braced_arguments(text: str) -> str:
    r"""Put braces around the arguments of `\frac` and `\sqrt` that stand without, and call every fraction `\frac`."""
    parts: list[str] = []
    since = 0
    for mark in _ARGUMENT_COMMAND.finditer(text):
        if mark.start() < since:
            continue
        parts.append(text[since : mark.start()])
        is_fraction = mark["name"] != "sqrt"
        parts.append("\\frac" if is_fraction else "\\sqrt")
        since = mark.end()
        for _ in range(2 if is_fraction else 1):
            while since < len(text) and text[since].isspace():
                since += 1
            if since >= len(text) or text[since] in "{[\\":
                break  # already braced, a root's index, or a command: as it stands
            parts.append(f"{{{text[since]}}}")
            since += 1
    parts.append(text[since:])
    return "".join(parts)


def same_expression(mine: str, its: str) -> bool:
    """Tell whether two expressions are the same answer: equal in form, in value, or part by part.

    Sets are compared without order, tuples and intervals with theirs.

    Args:
        mine: one expression, LaTeX or plain.
        its: the other one.

    Raises:
        TooIntricateError: They have more parts within parts than can be compared in reasonable time.
    """
    first, second = normalise_expression(mine), normalise_expression(its)
    return bool(first and second) and _Comparison().same(first, second, 0)


class TooIntricateError(ValueError):
    """An expression that nobody answers with."""


class _Comparison:
    """Compares two expressions part by part, in so many steps and not more: the same on every machine."""

    def __init__(self) -> None:
        self._n_left = _MOST_COMPARISONS
        self._known: dict[tuple[str, str], bool] = {}

    def same(self, first: str, second: str, depth: int) -> bool:
        if first.lower() == second.lower():
            return True
        if depth > _DEEPEST or max(len(first), len(second)) > _LONGEST:
            return False
        known = self._known.get((first, second))
        if known is None:
            self._n_left -= 1
            if self._n_left < 0:
                raise TooIntricateError
            known = self._known[first, second] = self._same_parts(first, second, depth)
        return known

    def _same_parts(self, first: str, second: str, depth: int) -> bool:
        mine, its = evaluate(first), evaluate(second)
        if mine is not None and its is not None:
            return Number(mine).equals(Number(its))
        if _same_function(first, second):
            return True
        for separator in ("∪", ",", "=", "<=", ">="):
            parts, others = _split(first, separator), _split(second, separator)
            if len(parts) > 1 and len(parts) == len(others):
                same = self._in_order(parts, others, depth)
                return same or (separator in ",∪" and self._in_any_order(parts, others, depth))
        inner, other = _unwrapped(first), _unwrapped(second)
        if inner is None or other is None:
            return _same_text(first, second)
        if inner[0] != other[0]:
            return False
        compare = self._in_any_order if inner[0] == "set" else self._in_order
        return compare(_split(inner[1], ","), _split(other[1], ","), depth)

    def _in_order(self, parts: list[str], others: list[str], depth: int) -> bool:
        return len(parts) == len(others) and all(self.same(a, b, depth + 1) for a, b in zip(parts, others, strict=True))

    def _in_any_order(self, parts: list[str], others: list[str], depth: int) -> bool:
        left = list(others)
        for part in parts:
            index = next((i for i, other in enumerate(left) if self.same(part, other, depth + 1)), None)
            if index is None:
                return False
            del left[index]
        return not left


def _same_function(first: str, second: str) -> bool:
    """Tell whether two expressions with the same variables have the same values: `x(x+1)` is `x^2+x`."""
    tokens, others = _tokens(first), _tokens(second)
    if tokens is None or others is None or not _OPERATOR.search(first + second):
        return False
    names = sorted(filter(_is_variable, set(tokens)))
    if not 0 < len(names) <= len(_PRIMES) or names != sorted(filter(_is_variable, set(others))):
        return False
    n_places = 0
    for place in range(_N_PLACES):
        # Numbers that have nothing to do with each other, between 0.5 and 1.5, half of them below zero.
        values = {
            name: (0.5 + (place + 1) * math.sqrt(prime) % 1.0) * (-1) ** place
            for name, prime in zip(names, _PRIMES, strict=False)
        }
        mine, its = _value(tokens, values), _value(others, values)
        if mine is None or its is None:
            continue
        if not math.isclose(mine, its, rel_tol=_PRECISION, abs_tol=_PRECISION):
            return False
        n_places += 1
    return n_places >= _FEWEST_PLACES


def _same_text(first: str, second: str) -> bool:
    """Compare what are words or letters: `(C)` is `C`."""
    plain = [re.sub(r"[()\[\]{}\\\"'.]", "", text).lower() for text in (first, second)]
    return plain[0] == plain[1] != "" and plain[0].isalpha()


def _unwrapped(text: str) -> tuple[str, str] | None:
    """Take the outer brackets off: their kind, and what they hold."""
    matrix = _ENVIRONMENT.fullmatch(text)
    if matrix is not None:
        rows = [row for row in matrix["body"].split("\\\\") if row]
        return f"matrix {len(rows)}", matrix["body"].strip("\\").replace("\\\\", ",").replace("&", ",")
    if text.startswith("\\{") and text.endswith("\\}"):
        return "set", text[2:-2]
    if len(text) >= 2 and text[0] in _PAIRS and text[-1] in ")]}":
        return ("set" if text[0] == "{" else text[0] + text[-1]), text[1:-1]
    return None


def _split(text: str, separator: str) -> list[str]:
    """Split where the separator stands outside all brackets."""
    parts: list[str] = []
    depth = since = index = 0
    while index < len(text):
        if text[index] in "([{":
            depth += 1
        elif text[index] in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith(separator, index):
            parts.append(text[since:index])
            index += len(separator)
            since = index
            continue
        index += 1
    parts.append(text[since:])
    return parts


_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt, "√": math.sqrt, "ln": math.log, "log": math.log10, "exp": math.exp, "sin": math.sin,
    "cos": math.cos, "tan": math.tan,
}  # fmt: skip
_CONSTANTS = {"π": math.pi, "pi": math.pi, "e": math.e}
_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?)|\\?(?P<name>pi|sqrt|ln|log|exp|sin|cos|tan)|(?P<command>\\frac)"
    r"|(?P<variable>(?:[A-Za-z]|\\(?:theta|alpha|beta|gamma|delta|lambda|mu|phi|omega|rho|sigma|tau))(?:_\w|_\{\w+\})?)"
    r"|(?P<sign>\*\*|[-+*/^(){}\[\]π!√])"
)
_LONGEST_PRODUCT = 2  # variables without a sign between them; more are a word


def evaluate(text: str) -> float | None:
    r"""Give the value of an arithmetic expression such as `\frac{\sqrt{3}}{2}` or `2(3+4)^2`; None for anything else.

    Args:
        text: what `normalise_expression` gave.
    """
    tokens = _tokens(text)
    return None if tokens is None else _value(tokens, {})


def _tokens(text: str) -> list[str] | None:
    """Split an expression into numbers, names, variables and signs; None where there is anything else in it."""
    if len(text) > _LONGEST:
        return None
    tokens: list[str] = []
    end = n_beside = 0
    while end < len(text):
        match = _TOKEN.match(text, end)
        if match is None:
            return None
        n_beside = n_beside + 1 if match["variable"] else 0
        if n_beside > _LONGEST_PRODUCT:
            return None
        tokens.append(match["name"] or match[0])
        end = match.end()
    return tokens


def _is_variable(token: str) -> bool:
    return token.lstrip("\\")[0].isalpha() and token not in (*_FUNCTIONS, *_CONSTANTS, "\\frac")


def _value(tokens: list[str], variables: Mapping[str, float]) -> float | None:
    try:
        parser = _Arithmetic(tokens, variables)
        value = parser.sum(0)
    except (ArithmeticError, ValueError, IndexError, TypeError):
        return None
    return value if parser.is_done and math.isfinite(value) else None


class _Arithmetic:
    """A parser of sums that computes as it goes; any ValueError means that this is no arithmetic."""

    def __init__(self, tokens: list[str], variables: Mapping[str, float]) -> None:
        self._tokens = tokens
        self._variables = variables
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at == len(self._tokens)

    @property
    def _next(self) -> str:
        return "" if self.is_done else self._tokens[self._at]

    def _take(self, token: str) -> bool:
        if self._next != token or not token:
            return False
        self._at += 1
        return True

    def sum(self, depth: int) -> float:
        if depth > _DEEPEST:
            raise ValueError
        value = self._product(depth)
        while self._next in ("+", "-"):
            sign = self._tokens[self._at]
            self._at += 1
            value += self._product(depth) if sign == "+" else -self._product(depth)
        return value

    def _product(self, depth: int) -> float:
        sign = 1.0
        while self._next in ("-", "+"):
            sign = -sign if self._next == "-" else sign
            self._at += 1
        value = sign * self._power(depth)
        while True:
            if self._take("*"):
                value *= self._signed_power(depth)
            elif self._take("/"):
                value /= self._signed_power(depth)
            elif self._next and self._next not in ("+", "-", ")", "}", "]", "^", "**", "!"):
                value = self._beside(value, depth)
            else:
                return value

    def _beside(self, value: float, depth: int) -> float:
        r"""Multiply by what stands beside; a whole number beside `\frac` is a mixed number."""
        previous, following = self._tokens[self._at - 1], self._next
        if following[0].isdigit():
            raise ValueError  # 2 3 is no product
        if following == "\\frac" and previous.isdigit():
            return value + math.copysign(self._power(depth), value)
        return value * self._power(depth)

    def _signed_power(self, depth: int) -> float:
        return -self._power(depth) if self._take("-") else self._power(depth)

    def _power(self, depth: int) -> float:
        value = self._atom(depth)
        while self._take("!"):
            if not value.is_integer() or not 0 <= value <= 100:
                raise ValueError
            value = float(math.factorial(int(value)))
        if self._take("^") or self._take("**"):
            return float(math.pow(value, self._argument(depth + 1)))
        return value

    def _argument(self, depth: int) -> float:
        """Read what follows a function or `^`: a group, or one signed atom."""
        if depth > _DEEPEST:
            raise ValueError
        return -self._argument(depth + 1) if self._take("-") else self._atom(depth)

    def _atom(self, depth: int) -> float:
        token = self._next
        if not token or depth > _DEEPEST:
            raise ValueError
        self._at += 1
        if token[0].isdigit():
            return float(token)
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token in self._variables:
            return self._variables[token]
        if token in _PAIRS:
            value = self.sum(depth + 1)
            if not self._take(_PAIRS[token]):
                raise ValueError
            return value
        if token == "\\frac":  # noqa: S105
            return self._argument(depth + 1) / self._argument(depth + 1)
        if token in _FUNCTIONS:
            return self._function(token, depth + 1)
        raise ValueError

    def _function(self, name: str, depth: int) -> float:
        if name == "sqrt" and self._next == "[":
            index = self._atom(depth)
            radicand = self._argument(depth)
            odd = radicand < 0 and index.is_integer() and int(index) % 2 == 1
            return -math.pow(-radicand, 1 / index) if odd else math.pow(radicand, 1 / index)
        return _FUNCTIONS[name](self._argument(depth))
