"""`vsr-train inspect`: what an artefact is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.evaluation_table import objective_label, points
from vsr.cli.options import json_option
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from vsr.persistence import Artefact, Manifest


@command("inspect")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--models", metavar="A,B,...", help="Names of the models in order, for artefacts that lack them.")
@option("--verify", is_flag=True, help="Read every file whole, and compare all digests.")
@json_option
def inspect(paths: tuple[Path, ...], models: str | None, verify: bool, as_json: bool) -> int:
    """Say what artefacts are: algorithm, models, embedder, data, date, held-out result.

    PATHS are artefact files or folders of them. What a folder recommends, and why, comes first. A file that
    cannot be read is named, and the others are shown; the exit code is 1 then.
    """
    from vsr.cli.model_names import split_names
    from vsr.errors import ArtefactError
    from vsr.persistence import MANIFEST_NAME, find_artefacts, read_manifest
    from vsr.persistence.verification import differences, verify_artefact

    files: list[Path] = []
    manifests: list[Manifest] = []
    for path in paths:
        if path.is_dir():
            found = find_artefacts(path)
            if not found:
                raise ArtefactError(f"{path}: holds no artefact; `vsr-train train --output-dir {path}` makes them")
            files += found.values()
            manifest = read_manifest(path)
            manifests += [] if manifest is None else [manifest]
        elif path.name == MANIFEST_NAME and path.exists():
            manifest = read_manifest(path.parent)
            manifests += [] if manifest is None else [manifest]
        elif not path.exists():
            raise ArtefactError(
                f"{path}: no such file or folder; expected an artefact or a folder of them, as `vsr-train train "
                "--output-dir DIR` writes it. Check the name, or train first"
            )
        else:
            files.append(path)
    artefacts, errors = _loaded(files, split_names(models))
    verified: list[Path] = []
    if verify:
        for artefact in artefacts:
            try:
                verified += verify_artefact(artefact)
            except ArtefactError as damage:
                errors.append(str(damage))
        for manifest in manifests:
            errors += differences(manifest)
            verified.append(manifest.path)
    runs = {artefact.header.run_id for artefact in artefacts if artefact.header is not None}
    if as_json:
        terminal.write_json(
            {
                "recommended": [_recommended(manifest) for manifest in manifests],
                "artefacts": [_document(artefact) for artefact in artefacts],
                "n_trainings": len(runs),
                **({"verified": [str(path) for path in verified]} if verify else {}),
                "errors": errors,
            }
        )
        return 1 if errors else 0
    for manifest in manifests:
        _print_manifest(manifest)
        if artefacts:
            terminal.write("")
    for number, artefact in enumerate(artefacts):
        if number:
            terminal.write("")
        _print(artefact, says_verdict=not manifests)
    if verified:
        size = sum(path.stat().st_size for path in verified)
        terminal.write("")
        terminal.write(f"verified     {', '.join(path.name for path in verified)} ({size / 1e6:,.1f} MB)")
    if len(runs) > 1:
        terminal.warn(f"these artefacts come from {len(runs)} different trainings")
    for error in errors:
        terminal.fail(error)
    return 1 if errors else 0


def _loaded(files: list[Path], models: list[str] | None) -> tuple[list["Artefact"], list[str]]:
    """Load what can be loaded, and say what is wrong with the rest."""
    from vsr.errors import ArtefactError
    from vsr.persistence import load_artefact

    artefacts, errors = [], []
    for file in files:
        try:
            artefacts.append(load_artefact(file, models=models))
        except ArtefactError as error:
            errors.append(str(error))
    return artefacts, errors


def _document(artefact: "Artefact") -> dict[str, Any]:
    selector, header = artefact.selector, artefact.header
    document: dict[str, Any] = {
        "path": str(artefact.path),
        "size_bytes": artefact.path.stat().st_size,
        "sidecar": None if artefact.sidecar is None else artefact.sidecar.document(),
        "algorithm": selector.name,
        "models": list(selector.models),
        "n_features": selector.n_features,
        "parameters": selector.parameters,
        "calibration_slope": selector.slope,
        "lacking": list(artefact.lacking),
    }
    if header is not None:
        document |= {
            "run_id": header.run_id,
            "created_at": header.created_at,
            "vsr_version": header.vsr_version,
            "format_version": header.format_version,
            "embedder": header.embedder.to_json(),
            "objective": header.objective.document(),
            "n_measured": selector.statistics.counts.sum(axis=0).tolist(),
            "training_digest": selector.training_digest,
            "classifier_accuracy": None if selector.classifier is None else selector.classifier.accuracy,
            "held_out": header.held_out,
        }
    return document


def _recommended(manifest: "Manifest") -> dict[str, Any]:
    return {
        "path": str(manifest.path),
        "algorithm": manifest.recommended,
        "run_id": manifest.run_id,
        "created_at": manifest.created_at,
        "files": {name: file.name for name, file in manifest.files.items()},
        "verdict": manifest.verdict,
    }


def _print_manifest(manifest: "Manifest") -> None:
    why = "nothing could be compared" if manifest.verdict is None else manifest.verdict.get("sentence", "")
    terminal.write(f"recommended  {manifest.recommended} ({manifest.path}, run {manifest.run_id})")
    terminal.write(f"because      {why}")


def _print(artefact: "Artefact", *, says_verdict: bool) -> None:
    """Print an artefact; the verdict of its training where no manifest has said it."""
    from vsr.selectors.parameters import shown

    selector, header = artefact.selector, artefact.header
    parameters = ", ".join(f"{name}={shown(value)}" for name, value in selector.parameters.items())
    rows = [
        ("file", f"{artefact.path} ({artefact.path.stat().st_size / 1e6:,.1f} MB)"),
        ("algorithm", f"{selector.name} ({parameters or 'no parameters'}), calibration slope {selector.slope:.2f}"),
        ("models", f"{len(selector.models)}: {', '.join(selector.models)}"),
    ]
    if artefact.sidecar is not None:
        rows.insert(1, ("arrays", f"{artefact.sidecar.file} ({artefact.sidecar.size_bytes / 1e6:,.1f} MB)"))
    if header is None:
        rows.append(("features", f"{selector.n_features} wide"))
        rows += [("lacks", line) for line in artefact.lacking]
    else:
        counts = selector.statistics.counts
        n_categories = int((counts.sum(axis=1) > 0).sum())
        rows += [
            ("trained", f"{header.created_at} by vsr-train {header.vsr_version}, run {header.run_id}"),
            ("data", f"{int(counts.sum()):,} measured cells, {n_categories} categories"),
            ("embedder", str(header.embedder)),
            ("features", f"{selector.n_features} wide, category weight {selector.category_weight:g}"),
            (
                "classifier",
                "none: too few queries were labelled"
                if selector.classifier is None
                else f"{selector.classifier.accuracy:.0%} of {selector.classifier.n_labelled:,} labelled queries right",
            ),
            ("objective", objective_label(header.objective)),
            ("held out", _held_out(selector.name, header.held_out, says_verdict=says_verdict)),
        ]
    width = max(len(name) for name, _ in rows) + 2
    for name, text in rows:
        terminal.write(f"{name:<{width}}{text}")


def _held_out(name: str, held_out: dict[str, Any] | None, *, says_verdict: bool) -> str:
    if held_out is None:
        return "not measured"
    line = next((method for method in held_out.get("methods", []) if method.get("name") == name), None)
    verdict = f" {held_out.get('verdict', {}).get('sentence', '')}" if says_verdict else ""
    if line is None or line.get("gain") is None:
        return f"no gain of its own: it is the baseline, or makes no choice.{verdict}"
    gain = line["gain"]
    return (
        f"{points(gain['mean'])} points over {held_out.get('best_single')} "
        f"({points(gain['low'])} .. {points(gain['high'])}).{verdict}"
    )
