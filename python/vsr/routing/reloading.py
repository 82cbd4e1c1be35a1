"""A router that goes over to new trainings in its folder, and stays with the old one where a new one is not sound."""

import logging
import os
import stat
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vsr.choice.chooser import Choice
from vsr.choice.objective import Objective
from vsr.errors import ArtefactError, VsrError
from vsr.persistence import RECOMMENDED, Artefact, find_artefacts, open_artefact
from vsr.persistence.current import training_folder
from vsr.persistence.manifest import MANIFEST_NAME, Manifest, read_manifest, sha256_of
from vsr.routing.decisions import DecisionRouter
from vsr.routing.parts import parts_of
from vsr.routing.protocol import ModelRouter
from vsr.routing.query_vectors import QUERY_CACHE
from vsr.routing.request import Request
from vsr.routing.router import DEFAULT_MODELS_DIR, Router

_LOGGER = logging.getLogger(__name__)

_Signature = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class Reloads:
    """What became of the trainings that were found after the first one.

    Attributes:
        served: how many took the place of another.
        refused: how many were refused.
        refusal: why the one that lies in the folder now is not served; None where it is.
    """

    served: int = 0
    refused: int = 0
    refusal: str | None = None


class ReloadingRouter(ModelRouter):
    """Routes by a folder's training as it is when `reload_if_changed` was called last; safe from several threads.

    A request that runs meanwhile ends on the training that it began on.

    Attributes:
        folder: where the artefacts lie; links to a folder and to its current version are followed anew each time.
        reloads: what became of later trainings.
    """

    def __init__(
        self,
        router: ModelRouter,
        folder: str | os.PathLike[str],
        algorithm: str = RECOMMENDED,
        *,
        objective: Objective | None = None,
        query_cache: int = QUERY_CACHE,
    ) -> None:
        """Take a router that was loaded from a folder.

        Args:
            router: a `Router` or a `DecisionRouter`; another one never changes.
            folder: where its artefacts lie.
            algorithm: what it was loaded with.
            objective: what a choice maximises; that of each training without it.
            query_cache: texts whose vectors are kept in memory.
        """
        self.folder = Path(folder)
        self.reloads = Reloads()
        self._router = router
        self._algorithm = algorithm
        self._objective = objective
        self._query_cache = query_cache
        self._lock = threading.Lock()
        # Where the folder has changed since the router was loaded from it, the first look finds that out.
        self._runs = _runs(router)
        manifest = _manifest_or_none(self.folder)
        is_served = manifest is None or not self._runs or self._runs == {manifest.run_id}
        self._seen = self._look() if is_served else ()
        self._had_manifest = manifest is not None

    @classmethod
    def load(
        cls,
        directory: str | os.PathLike[str] = DEFAULT_MODELS_DIR,
        algorithm: str = RECOMMENDED,
        *,
        embedding_path: str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        objective: Objective | None = None,
        query_cache: int = QUERY_CACHE,
    ) -> "ReloadingRouter":
        """Load as `Router.load` does; arguments and errors as there."""
        router = Router.load(
            directory,
            algorithm,
            embedding_path=embedding_path,
            cache_dir=cache_dir,
            device=device,
            objective=objective,
            query_cache=query_cache,
        )
        return cls(router, directory, algorithm, objective=objective, query_cache=query_cache)

    @classmethod
    def from_config(
        cls,
        config: str | os.PathLike[str],
        algorithm: str = RECOMMENDED,
        *,
        default: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        objective: Objective | None = None,
        query_cache: int = QUERY_CACHE,
    ) -> "ReloadingRouter":
        """Load as `Router.from_config` does; the configuration itself is read once. Arguments and errors as there."""
        from vsr.config import load_config  # noqa: PLC0415 -- whoever loads a folder needs none of it

        read = load_config(os.fspath(config))
        router = Router.from_config(
            read,
            algorithm,
            default=default,
            cache_dir=cache_dir,
            device=device,
            objective=objective,
            query_cache=query_cache,
        )
        folder = read.model_selection.models_path or DEFAULT_MODELS_DIR
        return cls(router, folder, algorithm, objective=objective, query_cache=query_cache)

    @property
    def current(self) -> ModelRouter:
        """The router of the training that is served now; it never changes itself."""
        return self._router

    @property
    def run_id(self) -> str | None:
        """Which training is served; None where that is not known, or nothing was trained."""
        return next(iter(self._runs), None)

    def route(self, requests: Sequence[Request]) -> list[Choice]:
        """Choose a model for every request; errors as those of any router."""
        return self._router.route(requests)

    def reload_if_changed(self) -> bool:
        """Go over to the training in the folder, where that is a new one.

        One that is damaged, mixed of several, made with another embedder, or whose files are no regular files of the
        user of this process is refused: `reloads` and the log say why, and the old one goes on.

        Returns:
            Whether another training is served now.
        """
        with self._lock:
            if not parts_of(self._router):
                return False
            found = self._look()
            if self._telling(found) == self._telling(self._seen):
                return False
            try:
                folder = training_folder(self.folder)
                manifest = self._require_whole(folder)
                router = self._again(folder, manifest)
            except (VsrError, OSError, MemoryError) as error:
                if self._look() == found:
                    self._refuse(found, str(error) or type(error).__name__)
                return False  # or it is being written, and the next look finds the rest
            if self._look() != found:
                return False
            self._router = router
            self._seen = found
            self._had_manifest = manifest is not None
            self._runs = _runs(router)
            self.reloads = Reloads(self.reloads.served + 1, self.reloads.refused)
        _LOGGER.info("%s: training %s is served from now on", self.folder, self.run_id or "of unknown run")
        return True

    def _refuse(self, found: _Signature, why: str) -> None:
        self._seen = found
        self.reloads = Reloads(self.reloads.served, self.reloads.refused + 1, why)
        _LOGGER.warning("the new training is not served, training %s goes on: %s", self.run_id or "of unknown run", why)

    def _look(self) -> _Signature:
        """Tell one state of the folder from another, by what the file system says of its files."""
        signature = []
        try:
            folder = training_folder(self.folder)
        except ArtefactError:  # a link that leads nowhere is a state too
            return ()
        for path in (folder / MANIFEST_NAME, *find_artefacts(folder).values()):
            try:
                found = path.lstat()
            except OSError:
                continue
            signature.append((path.name, found.st_ino, found.st_size, found.st_mtime_ns))
        return tuple(signature)

    def _telling(self, signature: _Signature) -> _Signature:
        """Give the part of a state that tells of a new training.

        The manifest is written last, so it alone tells; what comes before it is a training on its way. Without one,
        and where a training was refused, every file counts: what was missing may come after the manifest.
        """
        of_manifest = tuple(each for each in signature if each[0] == MANIFEST_NAME)
        return signature if self.reloads.refusal is not None or not of_manifest else of_manifest

    def _require_whole(self, folder: Path) -> Manifest | None:
        """Refuse files that anybody else could have put there, and a folder that lost its manifest."""
        manifest = read_manifest(folder)
        if manifest is None:
            if self._had_manifest:
                raise ArtefactError(f"{folder}: has no {MANIFEST_NAME} any more; copy a whole training")
            names = [path.name for path in find_artefacts(folder).values()]
        else:
            names = [MANIFEST_NAME, *(file.name for file in manifest.files.values())]
        # Sidecars are as `load_artefact` wants them: the files themselves, of the owner of the JSON file.
        for name in names:
            _require_own(folder / name)
        return manifest

    def _again(self, folder: Path, manifest: Manifest | None) -> ModelRouter:
        """Load from the folder what the router is made of, with the embedder that is loaded already."""
        old = self._router
        if isinstance(old, DecisionRouter):
            routers = {name: self._one(each, folder, name, manifest) for name, each in old.routers.items()}
            # What requests lack has been said, or will be in their answers.
            return DecisionRouter(old.config, routers, self._algorithm, logs_missing_signals=False)
        assert isinstance(old, Router), "others have no artefacts"
        return self._one(old, folder, self._algorithm, manifest)

    def _one(self, old: Router, folder: Path, algorithm: str, manifest: Manifest | None) -> Router:
        artefact = open_artefact(folder, algorithm)  # which compares the digest of what is recommended itself
        if manifest is not None:
            _require_listed(artefact, manifest)
        _require_embedded_alike(old.artefact, artefact)
        return Router.of(
            artefact, old.embedder, objective=self._objective, query_cache=self._query_cache, facts=old.facts
        )


def _runs(router: ModelRouter) -> set[str]:
    headers = (part.artefact.header for part in parts_of(router))
    return {header.run_id for header in headers if header is not None}


def _manifest_or_none(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except ArtefactError:  # a router was loaded by the name of an algorithm, which does not ask the manifest
        return None


def _require_own(path: Path) -> None:
    try:
        found = path.lstat()
    except OSError as error:
        raise ArtefactError(
            f"{path}: cannot be read ({error.strerror}); copy all files of a training together"
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise ArtefactError(f"{path}: is no regular file; expected the file itself, no link and no device")
    if found.st_uid != os.geteuid():
        raise ArtefactError(
            f"{path}: belongs to user {found.st_uid}; expected {os.geteuid()}, the user of this process. Copy it as "
            "that user"
        )


def _require_listed(artefact: Artefact, manifest: Manifest) -> None:
    """Refuse a file that is not the one of the manifest's training."""
    listed = manifest.files.get(artefact.selector.name)
    run_id = None if artefact.header is None else artefact.header.run_id
    if (
        listed is None
        or listed.name != artefact.path.name
        or run_id != manifest.run_id
        or sha256_of(artefact.path) != listed.sha256
    ):
        raise ArtefactError(
            f"{artefact.path}: is not a file of training {manifest.run_id} as {MANIFEST_NAME} lists it; copy all files "
            "of a training together"
        )


def _require_embedded_alike(old: Artefact, new: Artefact) -> None:
    """Refuse an artefact of another embedder: its vectors mean something else, and its weights are not loaded."""
    if old.header is not None and new.header is not None:
        differences = old.header.embedder.differences(new.header.embedder)
        if differences:
            raise ArtefactError(
                f"{new.path}: was trained with another embedder ({'; '.join(map(str, differences))}); start anew to "
                "serve it"
            )
    if old.selector.n_features != new.selector.n_features:
        raise ArtefactError(
            f"{new.path}: its features are {new.selector.n_features} wide, not {old.selector.n_features}; start anew "
            "to serve it"
        )
