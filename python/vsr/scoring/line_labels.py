"""Options at the start of lines: an answer, or one entry of a list that only repeats the options."""

import re

from vsr.scoring import label_grammar as grammar
from vsr.scoring.label_reader import LabelReader, label_in
from vsr.scoring.options import normalised

_MOST_LINES = 500


def last_line_label(reader: LabelReader) -> str | None:
    """Find the last line that names an option as the answer; None where none does.

    That is a label alone on its line, one at the start of the first or last line, one followed by its own text where no
    other label starts a line, or the only entry of a list that is marked as right.

    Args:
        reader: the response.
    """
    begun = list(grammar.LINE_LABEL.finditer(reader.text))[-_MOST_LINES:]
    marked = {label_in(match) for match in begun if _is_marked_right(match["rest"])} & set(reader.options.labels)
    if len(marked) == 1:
        return marked.pop()
    lines = [match for match in begun if _names_an_option(match, reader)]
    labels = [label_in(match) for match in lines]
    if len(set(labels)) > 1 and all(map(_is_alone, lines)) and len(lines) == _n_lines(reader.text):
        return None  # a column of letters
    for index in reversed(range(len(lines))):
        match, label = lines[index], labels[index]
        if _is_alone(match):
            return label
        own_text = len(set(labels)) == 1 and reader.text_of(label) == normalised(match["rest"]) != ""
        at_edge = index in (0, len(lines) - 1) and _is_edge(match, reader.text)
        if (own_text or at_edge) and not _is_listed(index, labels, match["rest"], reader.options.labels):
            return label
    return None


def _names_an_option(match: re.Match[str], reader: LabelReader) -> bool:
    rest = match["rest"]
    if label_in(match) not in reader.options.labels:
        return False
    if match["mark"] is None and (match["inside"] is None or grammar.VERB_FIRST.match(rest)):
        return not rest.strip(" .")
    return not grammar.DENIED_AFTER.match(rest.lower()) and not grammar.QUESTION.fullmatch(rest)


def _is_alone(match: re.Match[str]) -> bool:
    return not match["rest"].strip(" .:)")


def _is_edge(match: re.Match[str], text: str) -> bool:
    return not text[: match.start()].strip() or not text[match.end() :].strip()


def _n_lines(text: str) -> int:
    return sum(not line.isspace() for line in text.splitlines() if line)


def _is_listed(index: int, labels: list[str], rest: str, all_labels: tuple[str, ...]) -> bool:
    """Tell whether a line is an entry of a list: its neighbour in the alphabet labels a line, or this one, too."""
    place = all_labels.index(labels[index])
    if place > 0 and all_labels[place - 1] in labels[:index]:
        return True
    if place > 0 or len(all_labels) < 2 or index > 0:
        return False
    following = all_labels[1]
    return following in labels[index + 1 :] or re.search(rf"(?<![A-Za-z]){following}[).:]\s", rest) is not None


def _is_marked_right(rest: str) -> bool:
    lower = rest[-80:].lower()
    if lower.rstrip(" .)").endswith(grammar.TICKS):
        return True
    return grammar.MARKED_RIGHT.search(lower) is not None and grammar.NOT_REALLY.search(lower) is None
