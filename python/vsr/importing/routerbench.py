"""RouterBench: the wide table (a row a prompt, columns for every model) and the long one (a row a prompt and model).

Its files are pickles; they are read after somebody who trusts them has converted them.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from vsr.importing.imported import Imported, ImportedRecord, LeftOut, known_category, quality, usd
from vsr.importing.imported import text as filled
from vsr.importing.rows import Row, read_rows

_COST, _RESPONSE = "|total_cost", "|model_response"


def read(path: Path, _score: str | None) -> Iterator[Imported]:
    """Read one of its tables."""
    for place, row in read_rows(path):
        if isinstance(row, LeftOut):
            yield row
            continue
        prompt = _text(row.get("prompt"))
        if prompt is None:
            yield LeftOut("rows without a prompt", place)
        elif "model_name" in row:
            yield _record(row, place, prompt, str(row["model_name"]), "performance", "model_response", "cost")
        else:
            models = [name.removesuffix(_COST) for name in row if name.endswith(_COST)]
            models = models or [name.removesuffix(_RESPONSE) for name in row if name.endswith(_RESPONSE)]
            if not models:
                yield LeftOut(f"rows without columns MODEL, MODEL{_RESPONSE}, MODEL{_COST}", place)
            for model in models:
                yield _record(row, place, prompt, model, model, f"{model}{_RESPONSE}", f"{model}{_COST}")


def _record(row: Row, place: str, prompt: str, model: str, score: str, response: str, cost: str) -> Imported:
    value = quality(row.get(score))
    if value is None:
        return LeftOut("cells without a quality from 0 to 1", f"{place}: {model}")
    task = filled(row.get("eval_name"))
    return ImportedRecord(
        model_name=model,
        query=prompt,
        task_name=task,
        # `mmlu-business-ethics` names its field behind the benchmark's name.
        category=None if task is None else known_category(task, task.partition("-")[2]),
        response=_text(row.get(response)),
        performance=value,
        cost=usd(row.get(cost)),
    )


def _text(value: object) -> str | None:
    """Read a prompt or response: a text, or a list of the texts of several turns as Python or JSON writes it."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        written = value
        for parse in (ast.literal_eval, json.loads):
            try:
                value = parse(written)
                break
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "\n\n".join(value)
    return filled(value)
