"""Files of other programs in our forms: one module a program."""

from vsr.importing.semantic_router import ImportedFile, import_selectors

__all__ = ["ImportedFile", "import_selectors"]
