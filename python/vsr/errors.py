"""Every error that the package raises on purpose; the command line shows them in one or two lines."""


class VsrError(Exception):
    """Base of all errors of this package: the message says what, where, what was expected and what to do."""


class ConfigError(VsrError):
    """A configuration file or a combination of settings that cannot be used."""


class RecordError(VsrError):
    """Queries, records or vectors that cannot be read or do not fit together."""


class EmbeddingError(VsrError):
    """An embedding model that cannot be loaded, or a text that it cannot embed."""


class TrainingError(VsrError):
    """Outcomes or parameters that no selector can be trained on."""


class ArtefactError(VsrError):
    """An artefact that is missing, damaged, foreign or does not fit the caller."""


class SelectionError(VsrError):
    """A choice that cannot be made, for example because no candidate is known."""


class BenchmarkError(VsrError):
    """A benchmark run that cannot start or cannot go on."""


class OutputError(VsrError):
    """A file that cannot be written: no permission, no space, or a folder of that name."""


class ClusterError(VsrError):
    """A cluster that cannot be reached, or that cannot do the work."""


def install(extra: str) -> str:
    """Say how to install an extra: the package is on no index, so out of a checkout."""
    return f"`pip install '.[{extra}]'` in a checkout of vsr-train"
