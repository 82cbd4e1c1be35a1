"""Small trainings, written as `vsr-train train` writes them: artefacts, then the manifest."""

from pathlib import Path

from routing.subjects import WIDTH, text_outcomes
from vsr.choice.objective import Objective
from vsr.embedding import load_embedder
from vsr.features import build_features
from vsr.persistence import save_selectors, write_manifest
from vsr.training.trainer import train_selector


def write_training(folder: Path, *, n_queries: int = 120, width: int = WIDTH, with_manifest: bool = True) -> Path:
    """KMeans on hashed texts; give the artefact."""
    embedder = load_embedder("hash", dim=width)
    outcomes = text_outcomes(n_queries)
    features = build_features(embedder.embed(outcomes.queries), outcomes.categories)
    selector = train_selector("kmeans", features, outcomes, num_clusters=6)
    objective = Objective()
    [path] = save_selectors([selector], folder, embedder.fingerprint, objective=objective)
    if with_manifest:
        write_manifest(folder, {"kmeans": path}, "kmeans", objective)
    return path
