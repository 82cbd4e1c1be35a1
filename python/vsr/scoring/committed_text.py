"""The part of a response that counts as its answer: without thinking aloud, chat markup and invented next questions."""

import re

_THINKING = r"think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|analysis|seed:think"
_OPEN_OR_CLOSE = re.compile(
    rf"(?:(?P<open><(?:{_THINKING})>|\[THINK\]|◁think▷|<\|begin_of_thought\|>)"
    rf"|(?P<close></(?:{_THINKING})>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>))",
    re.IGNORECASE,
)
_OPENINGS = ("<", "[", "◁")
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_CHAT_MARKUP = re.compile(r"<\|[a-z_]{1,30}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>", re.IGNORECASE)
# Models without a stop sign go on with a question of their own, and answer that too.
_NEXT_QUESTION = re.compile(
    r"\n[ \t]*(?:[#>*]+[ \t]*)?\**(?:Question|Q|Problem|Human|User|Input)[ \t]*\d{0,3}\**[ \t]*:", re.IGNORECASE
)


def committed_text(response: str) -> str:
    """Remove what a response only thinks aloud: `<think>` blocks and their kin, also one that is never closed.

    Args:
        response: the text as the model wrote it.
    """
    if "<|" in response and _FINAL_CHANNEL in response:
        response = response.rpartition(_FINAL_CHANNEL)[2]
    if any(opening in response for opening in _OPENINGS) and _OPEN_OR_CLOSE.search(response) is not None:
        response = _without_thinking(response)
    if "<" in response or "[" in response:
        response = _CHAT_MARKUP.sub(" ", response)
    return response.strip()


def before_next_question(text: str, start: int = 0) -> str:
    """Cut a text where, at `start` or later, a new question begins on a line of its own."""
    following = _NEXT_QUESTION.search(text, start)
    return text if following is None else text[: following.start()]


def _without_thinking(response: str) -> str:
    kept: list[str] = []
    depth = 0
    since = 0
    opened = 0
    for mark in _OPEN_OR_CLOSE.finditer(response):
        if mark["open"] is not None:
            if depth == 0:
                kept.append(response[since : mark.start()])
                opened = mark.start()
            depth += 1
            continue
        if depth == 0:
            # The template has written the opening tag: everything so far was thought.
            kept.clear()
        depth = max(depth - 1, 0)
        since = mark.end()
    if depth == 0:
        kept.append(response[since:])
    elif response[:opened].rpartition("\n")[2].strip():
        # A tag inside a line that is never closed is talk about tags; at the start of a line it is a cut-off thought.
        kept.append(response[opened:])
    return "\n".join(kept)
