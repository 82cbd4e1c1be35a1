"""Artefacts: trained selectors as JSON files, with everything that their scores need."""

from vsr.persistence.artefact import Artefact, Header
from vsr.persistence.finding import RECOMMENDED, find_artefact, find_artefacts, load_selector, open_artefact
from vsr.persistence.in_memory import selector_from_dict, selector_to_dict
from vsr.persistence.manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest
from vsr.persistence.reading import load_artefact
from vsr.persistence.writing import save_selector, save_selectors

__all__ = [
    "MANIFEST_NAME",
    "RECOMMENDED",
    "Artefact",
    "Header",
    "Manifest",
    "find_artefact",
    "find_artefacts",
    "load_artefact",
    "load_selector",
    "open_artefact",
    "read_manifest",
    "save_selector",
    "save_selectors",
    "selector_from_dict",
    "selector_to_dict",
    "write_manifest",
]
