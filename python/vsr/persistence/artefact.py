"""One artefact: what a file holds and what it says of itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsr.choice.objective import Objective
from vsr.data.messages import TEXTS, Text
from vsr.embedding import Fingerprint
from vsr.errors import ArtefactError
from vsr.persistence.sidecar import Sidecar
from vsr.selectors.base import TrainedSelector

#: The newest that is read; what is written as JSON alone is as it was before there were sidecars.
FORMAT_VERSION = 3
JSON_FORMAT_VERSION = 2


@dataclass(frozen=True)
class Header:
    """What an artefact says of itself.

    Attributes:
        format_version: version of the block `vsr`.
        vsr_version: version of the package that wrote it.
        created_at: ISO 8601, UTC.
        run_id: the same in all artefacts of one training.
        embedder: what made the features.
        objective: the default objective of the training.
        held_out: the held-out result of the training as plain JSON values; None where there is none.
    """

    format_version: int
    vsr_version: str
    created_at: str
    run_id: str
    embedder: Fingerprint
    objective: Objective
    held_out: dict[str, Any] | None


@dataclass(frozen=True, eq=False)
class Artefact:
    """A loaded file.

    Attributes:
        path: the file.
        selector: the selector in it.
        header: what it says of itself; None for a file of the documented fields alone.
        lacking: what such a file lacks, one line each.
        sidecar: the file with its big arrays; None where the JSON file holds them.
    """

    path: Path
    selector: TrainedSelector
    header: Header | None
    lacking: tuple[str, ...]
    sidecar: Sidecar | None = None

    @property
    def text(self) -> Text:
        """Which text of conversations the selector was trained on.

        Raises:
            ArtefactError: The file names one that this version does not know.
        """
        wanted = "last" if self.header is None else self.header.embedder.text
        for text in TEXTS:
            if text == wanted:
                return text
        raise ArtefactError(f"{self.path}: was trained on the text '{wanted}' of conversations, not {', '.join(TEXTS)}")
