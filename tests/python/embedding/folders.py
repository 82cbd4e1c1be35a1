"""Changes to a copy of a model folder: fields of its JSON files, tensors of its weights."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REMOVED = object()
Held = dict[str, tuple[str, list[int], bytes]]


@dataclass
class Tensors:
    """The content of a safetensors file: name -> (type, shape, bytes)."""

    path: Path
    held: Held

    @classmethod
    def read(cls, path: Path) -> "Tensors":
        content = path.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        data = content[8 + length :]
        return cls(
            path,
            {
                name: (info["dtype"], info["shape"], data[info["data_offsets"][0] : info["data_offsets"][1]])
                for name, info in header.items()
            },
        )

    def write(self) -> None:
        header: dict[str, Any] = {}
        data = b""
        for name, (dtype, shape, content) in self.held.items():
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
            data += content
        text = json.dumps(header).encode()
        self.path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def set_in(file: str, key: str, value: object) -> Callable[[Path], None]:
    """Change one field of a JSON file; a dot in the key goes into a list or an object."""

    def change(folder: Path) -> None:
        path = folder / file
        content = json.loads(path.read_text())
        *way, last = key.split(".")
        place = content
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        at = int(last) if isinstance(place, list) else last
        if value is REMOVED:
            del place[at]
        else:
            place[at] = value
        path.write_text(json.dumps(content))

    return change


def remove(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def write(file: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_text(content)


def change_tensors(change: Callable[[Held], object], file: str = "model.safetensors") -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        tensors = Tensors.read(folder / file)
        change(tensors.held)
        tensors.write()

    return changed


def rename(old: str, new: str) -> Callable[[Path], None]:
    return change_tensors(lambda held: held.update({new: held.pop(old)}))


def cut_file(file: str, share: float) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        path = folder / file
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return cut


def swap_dimensions(name: str) -> Callable[[Path], None]:
    return change_tensors(lambda held: held.update({name: (held[name][0], held[name][1][::-1], held[name][2])}))


def as_type(name: str, dtype: str, n_bytes: int) -> Callable[[Path], None]:
    def change(held: Held) -> None:
        _, shape, _ = held[name]
        held[name] = (dtype, shape, bytes(n_bytes * int(np.prod(shape))))

    return change_tensors(change)
