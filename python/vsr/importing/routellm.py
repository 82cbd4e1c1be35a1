"""RouteLLM: battles (Chatbot Arena and judged ones), a row for two models on one prompt; ties prefer neither."""

from collections.abc import Iterator
from pathlib import Path

from vsr.importing import chats
from vsr.importing.imported import Imported, ImportedPair, LeftOut, known_category
from vsr.importing.imported import text as filled
from vsr.importing.rows import Row, read_rows


def read(path: Path, _score: str | None) -> Iterator[Imported]:
    """Read a file of battles."""
    for place, row in read_rows(path):
        yield row if isinstance(row, LeftOut) else _pair(row, place)


def _pair(row: Row, place: str) -> Imported:
    models = filled(row.get("model_a")), filled(row.get("model_b"))
    query = _first_turn(row)
    if models[0] is None or models[1] is None or query is None:
        return LeftOut("rows without model_a, model_b or prompt (are they battles?)", place)
    winner = _winner(row)
    if winner is None:
        return LeftOut("ties", place)
    if models[0] == models[1]:
        return LeftOut("battles of a model with itself", place)
    return ImportedPair(
        query=query,
        preferred=str(models[winner]),
        other=str(models[1 - winner]),
        category=known_category(row.get("category")),
        source=filled(row.get("judge")) or "routellm",
    )


def _first_turn(row: Row) -> str | None:
    """Read the first thing that was asked: answers to it are what models can be compared by."""
    prompt = chats.unpacked(row.get("prompt", row.get("conversation_a")))
    first = prompt[0] if isinstance(prompt, list) and prompt else prompt
    return filled(first.get("content")) if isinstance(first, dict) else filled(first)


def _winner(row: Row) -> int | None:
    named = {"model_a": 0, "model_b": 1}.get(str(row.get("winner")))
    if named is not None:
        return named
    won = [str(row.get(f"winner_{model}")).lower() in ("1", "1.0", "true") for model in ("model_a", "model_b")]
    return won.index(True) if won.count(True) == 1 else None
