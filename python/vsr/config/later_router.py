"""The layout of later routers, in which models stand under `providers` and decisions under `routing`.

It is turned into the sections that are read here while it is still a tree of YAML nodes, so that checks, variables and
the lines of errors are the same for both. What has no place here is left out, but for keys that are nearly one of ours:
those stay, and are found as misspelt.
"""

import difflib
from collections.abc import Iterator

from vsr.config.nodes import Mapping, Node, Scalar, Sequence, is_merge
from vsr.providers import PROVIDERS
from vsr.selectors import registry

SECTIONS = frozenset({"providers", "routing"})

_NEARLY = 0.8

_Fields = dict[str, tuple[Scalar, Node]]


def in_own_sections(root: Mapping) -> Mapping:
    """Give the sections that are read here, made from those of later routers where a file has these.

    A section of ours that stands in the file as well goes before.
    """
    there = _fields(root)
    providers, routing = (_inside(there, name) for name in ("providers", "routing"))
    if not providers and not routing:
        return root
    made: _Fields = {}
    cards = dict(_named(_value(routing, "modelCards")))
    if "models" in providers:
        key, _ = providers["models"]
        servers, models = Sequence(key.line), Mapping(key.line)
        for name, model in _named(providers["models"][1]):
            own = _servers(name, model)
            servers.items += own
            models.pairs.append((model["name"][1], _model(model, cards.get(name, {}), own)))
        made["vllm_endpoints"], made["model_config"] = (key, servers), (key, models)
    if "decisions" in routing:
        key, decisions = routing["decisions"]
        made["decisions"] = key, _Filter().each(decisions, _DECISION)
    defaults = _inside(providers, "defaults")
    for holder, name in ((providers, "default_model"), (defaults, "default_model"), (defaults, "model")):
        if name in holder:
            made.setdefault("default_model", holder[name])
    own_pairs = [pair for pair in root.pairs if not (isinstance(pair[0], Scalar) and pair[0].text in SECTIONS)]
    later: list[tuple[Node, Node]] = [
        (_text(key.line, name), value) for name, (key, value) in made.items() if name not in there
    ]
    return Mapping(root.line, own_pairs + later)


# Which keys mean something here, and which of them lead further down.
_Known = dict[str, "_Known | None"]
_CONDITION: _Known = dict.fromkeys(("type", "name", "operator"))
_CONDITION["conditions"] = _CONDITION
_DECISION: _Known = {
    "name": None,
    "description": None,
    "priority": None,
    "rules": _CONDITION,
    "algorithm": dict.fromkeys(("type", *registry.names())),
    "modelRefs": dict.fromkeys(("model", "use_reasoning", "lora_name")),
}
_PRICING = {
    "prompt_per_1m": "prompt_per_1m",
    "completion_per_1m": "completion_per_1m",
    "cached_input_per_1m": "cached_prompt_per_1m",
    "cached_prompt_per_1m": "cached_prompt_per_1m",
    "currency": "currency",
}


class _Filter:
    """Copies nodes without the keys that are not known; what stands in several places is copied once."""

    def __init__(self) -> None:
        self._copies: dict[tuple[int, int], Node] = {}

    def each(self, node: Node, known: _Known) -> Node:
        """Filter a mapping, or every item of a list."""
        place = (id(node), id(known))
        if isinstance(node, Scalar):
            return node
        if place not in self._copies:
            copy = self._copies[place] = type(node)(node.line)  # before it is filled: it may stand inside itself
            if isinstance(node, Sequence):
                assert isinstance(copy, Sequence)
                copy.items += [self.each(item, known) for item in node.items]
            else:
                assert isinstance(copy, Mapping)
                for key, (place_of_key, value) in _fields(node).items():
                    below = known.get(key)
                    if below is not None:
                        value = self.each(value, below)  # noqa: PLW2901 -- the filtered one takes its place
                    elif key not in known and not difflib.get_close_matches(key, known, 1, _NEARLY):
                        continue
                    copy.pairs.append((place_of_key, value))
        return self._copies[place]


def _model(model: _Fields, card: _Fields, servers: list[Node]) -> Mapping:
    """Make an entry of `model_config` from a model of `providers` and its card."""
    line = model["name"][0].line
    entry = Mapping(line)
    names = [_fields(server)["name"][1] for server in servers]
    entry.pairs.append((_text(line, "preferred_endpoints"), Sequence(line, names)))
    if "provider_model_id" in model:
        ids = [(name, model["provider_model_id"][1]) for name in names]
        entry.pairs.append((_text(line, "external_model_ids"), Mapping(line, [*ids])))
    if "pricing" in model:
        key, pricing = model["pricing"]
        kept = [
            (_text(place.line, _PRICING[name]), value)
            for name, (place, value) in _fields(pricing).items()
            if name in _PRICING
        ]
        entry.pairs.append((key, Mapping(pricing.line, [*kept])))
    for name, ours in (("capabilities", "capabilities"), ("context_window_size", "context_tokens")):
        if name in card:
            key, value = card[name]
            entry.pairs.append((_text(key.line, ours), value))
    return entry


def _servers(model_name: str, model: _Fields) -> list[Node]:
    """Make an endpoint from every backend of a model that speaks a protocol which is known here."""
    made: list[Node] = []
    refs = _value(model, "backend_refs")
    for number, item in enumerate(refs.items if isinstance(refs, Sequence) else ()):
        ref = _fields(item)
        kind = _text_of(ref, "provider") or "vllm"
        address = _text_of(ref, "base_url") or _text_of(ref, "endpoint")
        if kind not in PROVIDERS or not (address or PROVIDERS[kind].public_address):
            continue
        name = f"{model_name}/{_text_of(ref, 'name') or number}"
        pairs: list[tuple[Node, Node]] = [(_text(item.line, "name"), _text(item.line, name))]
        pairs.append((_text(item.line, "type"), _text(item.line, kind)))
        if address:
            if "://" not in address:
                address = f"{_text_of(ref, 'protocol') or 'http'}://{address}"
            pairs.append((_text(item.line, "address"), _text(item.line, address.rstrip("/").removesuffix("/v1"))))
        if "api_key" in ref:
            pairs.append(ref["api_key"])
        elif variable := _text_of(ref, "api_key_env"):
            pairs.append((_text(item.line, "api_key"), _text(item.line, f"${{{variable}:-}}")))
        if "extra_headers" in ref:
            key, headers = ref["extra_headers"]
            pairs.append((_text(key.line, "headers"), headers))
        made.append(Mapping(item.line, pairs))
    return made


def _fields(node: Node | None, inside: tuple[int, ...] = ()) -> _Fields:
    """Give the pairs of a mapping by their key, those that are merged into it last; none of anything else."""
    found: _Fields = {}
    merged: list[Node] = []
    if isinstance(node, Mapping) and id(node) not in inside:
        for key, value in node.pairs:
            if is_merge(key):
                merged += value.items if isinstance(value, Sequence) else [value]
            elif isinstance(key, Scalar):
                found[key.text] = key, value
        for each in merged:
            found = _fields(each, (*inside, id(node))) | found
    return found


def _inside(fields: _Fields, name: str) -> _Fields:
    return _fields(_value(fields, name))


def _value(fields: _Fields, name: str) -> Node | None:
    return fields[name][1] if name in fields else None


def _named(node: Node | None) -> Iterator[tuple[str, _Fields]]:
    """Give the items of a list that have a name."""
    for item in node.items if isinstance(node, Sequence) else ():
        fields = _fields(item)
        name = _text_of(fields, "name")
        if name:
            yield name, fields


def _text_of(fields: _Fields, name: str) -> str | None:
    value = _value(fields, name)
    return value.text if isinstance(value, Scalar) and value.value is not None else None


def _text(line: int, text: str) -> Scalar:
    return Scalar(line, text, False)
