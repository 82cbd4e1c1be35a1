"""The public Python names, by the room that they live in."""

import vsr

_HEADINGS = {
    "data": "Queries, records, outcomes",
    "embedding": "Embedding",
    "features": "Features",
    "training": "Training",
    "selectors": "Selectors",
    "evaluation": "Comparison on held-out queries",
    "diagnosis": "Checks of files",
    "persistence": "Artefacts",
    "choice": "Choice",
    "routing": "Routing",
    "scoring": "Scoring",
    "errors": "Errors",
}


def public() -> str:
    """Name every public object for mkdocstrings, which reads the sources; rooms that have no heading come last."""
    rooms: dict[str, list[str]] = {room: [] for room in _HEADINGS}
    for home, names in vsr._HOMES.items():
        rooms.setdefault(home.split(".")[1], []).extend(names)
    parts = []
    for room, own in rooms.items():
        parts += [f"## {_HEADINGS.get(room, room.capitalize())}\n"] if own else []
        parts += [f"::: vsr.{name}\n" for name in sorted(own, key=str.lower)]
    return "\n".join(parts)
