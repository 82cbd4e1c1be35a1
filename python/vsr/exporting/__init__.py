"""Artefacts in the forms that other programs read, and how well those choose then.

Our scores say more than these forms can hold (priors by category, calibration, latency and cost), so what is written
is made to choose as we do under one objective, which is baked in. What each file loses is measured by its reader's own
rule (`vsr.exporting.readers`), on the file as it was written.
"""

from vsr.exporting.export import ExportedFile, ExportResult, ExportSettings, export_selectors
from vsr.exporting.formats import FORMATS, Format
from vsr.exporting.held_out import HeldOutQueries

__all__ = [
    "FORMATS",
    "ExportResult",
    "ExportSettings",
    "ExportedFile",
    "Format",
    "HeldOutQueries",
    "export_selectors",
]
