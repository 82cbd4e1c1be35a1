"""Artefacts: trained selectors as JSON files, with everything that their scores need."""

from vsr.persistence.artefact import Artefact, Header
from vsr.persistence.reading import find_artefact, find_artefacts, load_artefact, load_selector
from vsr.persistence.writing import save_selector, save_selectors

__all__ = [
    "Artefact",
    "Header",
    "find_artefact",
    "find_artefacts",
    "load_artefact",
    "load_selector",
    "save_selector",
    "save_selectors",
]
