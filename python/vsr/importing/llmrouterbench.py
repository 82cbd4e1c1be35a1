"""LLMRouterBench: `results/bench/DATASET/SPLIT/MODEL/*.json`, a file for every model on every data set."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from vsr.importing import chats
from vsr.importing.imported import Imported, ImportedRecord, LeftOut, known_category, n_tokens, quality, usd
from vsr.importing.imported import text as filled
from vsr.importing.imported import truth as right_answer
from vsr.importing.json_parts import json_parts
from vsr.importing.rows import UNREADABLE, Row

_FAILED = ("Processing failed:", "Unexpected error:")  # how its outputs begin where a call failed
_PLACES = (("model_name",), ("dataset_name",), ("records", "*"))


def read(path: Path, _score: str | None) -> Iterator[Imported]:
    """Read the results of one model on one data set."""
    # Older files say neither: the folders do.
    folders = path.resolve().parts
    model = folders[-2] if len(folders) > 1 else ""
    dataset = folders[-4] if len(folders) > 3 else ""
    with path.open("rb") as stream:
        for number, part in enumerate(json_parts(stream, str(path), _PLACES)):
            place = f"{path}, record {number}"
            try:
                value = part.decode()
            except ValueError as error:
                yield LeftOut(UNREADABLE, f"{place}: {error}")
                continue
            if part.place == ("model_name",):
                model = str(value) or model
            elif part.place == ("dataset_name",):
                dataset = str(value) or dataset
            else:
                yield (
                    _record(value, place, model, dataset)
                    if isinstance(value, dict)
                    else LeftOut("rows that are no objects", place)
                )


def _record(row: Row, place: str, model: str, dataset: str) -> Imported:
    # What was asked; the original query may lack the options.
    asked = chats.asked(row.get("prompt")) or chats.asked(row.get("origin_query"))
    if asked is None:
        return LeftOut("rows without a prompt", place)
    output = row.get("raw_output")
    said = output if isinstance(output, str) or output is None else msgspec.json.encode(output).decode()
    has_failed = said is not None and said.startswith(_FAILED)
    extra = row.get("extra_fields")
    return ImportedRecord(
        model_name=model,
        query=asked.query,
        messages=asked.messages,
        task_name=dataset or None,
        category=known_category(extra.get("category"), extra.get("subject")) if isinstance(extra, dict) else None,
        response=None if has_failed else said,
        ground_truth=right_answer(row.get("ground_truth")),
        performance=None if has_failed else quality(row.get("score")),
        input_tokens=n_tokens(row.get("prompt_tokens")),
        output_tokens=n_tokens(row.get("completion_tokens")),
        cost=None if has_failed else usd(row.get("cost")),
        error=filled(said) if has_failed else None,
    )
