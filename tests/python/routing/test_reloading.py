"""A router that goes over to a new training, and refuses one that is not sound."""

import logging
import os
import threading
from pathlib import Path

import pytest

from routing.subjects import LAW
from routing.trainings import write_training
from vsr.persistence import load_artefact, read_manifest
from vsr.persistence.versions import list_versions, new_training, use_version
from vsr.routing import DecisionRouter, DisabledRouter, Router
from vsr.routing.reloading import ReloadingRouter


@pytest.fixture
def folder(tmp_path):
    write_training(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def router(folder):
    return ReloadingRouter.load(folder)


def run_id(folder):
    manifest = read_manifest(folder)
    assert manifest is not None
    return manifest.run_id


def refused_with(router, caplog, said):
    """Look once, and once more, which must not say it again."""
    before, scores = router.run_id, router.select(LAW).scores
    caplog.clear()
    with caplog.at_level(logging.INFO, "vsr.routing.reloading"):
        assert router.reload_if_changed() is False
        assert router.reload_if_changed() is False
    assert (router.run_id, router.select(LAW).scores) == (before, scores)
    assert router.reloads.refusal is not None
    assert said in router.reloads.refusal
    assert [each.getMessage() for each in caplog.records] == [
        f"the new training is not served, training {before} goes on: {router.reloads.refusal}"
    ]


def test_it_routes_as_the_router_that_it_holds(router, folder):
    assert router.select(LAW) == Router.load(folder).select(LAW)
    assert router.select_many([LAW, "enzyme?"])[0].model == "cicero"
    assert router.run_id == run_id(folder)


def test_nothing_happens_without_a_new_training(router):
    held = router.current
    assert router.reload_if_changed() is False
    assert router.current is held
    assert router.reloads.refusal is None


def test_a_new_training_is_served_with_the_embedder_that_is_loaded(router, folder):
    held = router.current
    write_training(folder, n_queries=180)
    assert router.reload_if_changed() is True
    assert router.run_id == run_id(folder)
    assert router.current is not held
    assert router.current.embedder is held.embedder
    assert router.select(LAW).scores == Router.load(folder).select(LAW).scores
    assert router.reloads.served == 1
    assert router.reload_if_changed() is False


def test_files_before_their_manifest_are_no_training_yet(router, folder):
    before = router.run_id
    write_training(folder, n_queries=180, with_manifest=False)
    assert router.reload_if_changed() is False
    assert (router.run_id, router.reloads.refused) == (before, 0)


def test_a_file_of_another_training_than_the_manifest_is_refused_until_the_right_one_comes(router, folder, caplog):
    artefact = folder / "kmeans_model.json"
    old = artefact.read_bytes()
    write_training(folder, n_queries=180)
    new = artefact.read_bytes()
    artefact.write_bytes(old)
    refused_with(router, caplog, "is not the file that training")
    artefact.write_bytes(new)  # as a copy that brings the manifest first does
    assert router.reload_if_changed() is True
    assert router.reloads == type(router.reloads)(served=1, refused=1, refusal=None)


def test_a_damaged_artefact_is_refused_by_any_algorithm_s_name(folder, caplog):
    router = ReloadingRouter.load(folder, "kmeans")
    artefact = write_training(folder, n_queries=180)
    content = artefact.read_bytes()
    artefact.write_bytes(content.replace(b'"trained": true', b'"trained": false'))
    refused_with(router, caplog, "trained")
    artefact.write_bytes(content.replace(b"\n", b"\n\n", 1))
    refused_with(router, caplog, "is not a file of training")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format_version": 999}'])
def test_a_damaged_manifest_is_refused(router, folder, caplog, content):
    (folder / "recommended.json").write_bytes(content)
    refused_with(router, caplog, "recommended.json")


def test_a_folder_that_loses_its_manifest_or_is_gone_is_refused(router, folder, caplog):
    (folder / "recommended.json").unlink()
    refused_with(router, caplog, "has no recommended.json any more")
    folder.rename(folder.with_name("elsewhere"))
    assert router.reload_if_changed() is False
    assert router.select(LAW).model == "cicero"


def test_another_embedder_is_refused(router, folder, caplog):
    write_training(folder, width=32)
    refused_with(router, caplog, "was trained with another embedder (width")


def test_links_and_pipes_are_refused(router, folder, caplog):
    artefact = write_training(folder, n_queries=180)
    artefact.rename(folder / "elsewhere.json")
    artefact.symlink_to("elsewhere.json")
    refused_with(router, caplog, "is no regular file")


def test_files_of_another_user_are_refused(router, folder, caplog):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(write_training(folder, n_queries=180), 12345, -1)
    refused_with(router, caplog, "belongs to user 12345")


def test_a_link_to_the_folder_may_lead_elsewhere(folder, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(folder)
    router = ReloadingRouter.load(link)
    write_training(tmp_path / "next", n_queries=180)
    link.unlink()
    link.symlink_to(tmp_path / "next")
    assert router.reload_if_changed() is True
    assert router.run_id == run_id(tmp_path / "next")


def test_a_training_that_came_while_the_first_was_loaded_is_found(folder):
    loaded = Router.load(folder)
    write_training(folder, n_queries=180)
    router = ReloadingRouter(loaded, folder)
    assert router.reload_if_changed() is True
    assert router.run_id == run_id(folder)


def test_an_artefact_without_a_manifest_is_followed(tmp_path):
    artefact = write_training(tmp_path, with_manifest=False)
    router = ReloadingRouter.load(tmp_path)
    write_training(tmp_path, n_queries=180, with_manifest=False)
    assert router.reload_if_changed() is True
    header = load_artefact(artefact).header
    assert header is not None
    assert router.run_id == header.run_id


def configured(tmp_path: Path, folder: Path, enabled: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"""
default_model: darwin
model_selection: {{enabled: {enabled}, models_path: {folder}}}
vllm_endpoints: [{{name: local, address: 127.0.0.1, port: 1, type: vllm}}]
model_config:
  newton: {{preferred_endpoints: [local]}}
  cicero: {{preferred_endpoints: [local]}}
  darwin: {{preferred_endpoints: [local]}}
decisions:
  - name: law
    rules: {{operator: AND, conditions: [{{type: domain, name: law}}]}}
    modelRefs: [{{model: newton}}, {{model: cicero}}]
"""
    )
    return path


def test_decisions_go_over_to_a_new_training(folder, tmp_path):
    router = ReloadingRouter.from_config(configured(tmp_path, folder, "true"))
    write_training(folder, n_queries=180)
    assert router.reload_if_changed() is True
    assert isinstance(router.current, DecisionRouter)
    assert router.run_id == run_id(folder)
    assert (router.select(LAW).decision, router.select(LAW).model) == ("law", "cicero")


def test_what_rests_on_no_artefact_never_changes(folder, tmp_path):
    router = ReloadingRouter.from_config(configured(tmp_path, folder, "false"), default="safe")
    write_training(folder, n_queries=180)
    assert router.reload_if_changed() is False
    assert isinstance(router.current, DisabledRouter)
    assert router.select(LAW).model == "safe"


def test_requests_during_a_reload_end_on_one_training(router, folder):
    write_training(folder, n_queries=180)
    old, new = router.select(LAW).scores, Router.load(folder).select(LAW).scores
    seen, ended = [], threading.Event()

    def ask() -> None:
        while not ended.is_set():
            seen.append(router.select(LAW).scores)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for each in asking:
        each.start()
    assert router.reload_if_changed() is True
    seen.append(router.select(LAW).scores)
    ended.set()
    for each in asking:
        each.join()
    assert old != new
    assert all(scores in (old, new) for scores in seen)
    assert router.select(LAW).scores == new


# Versions


def test_the_link_to_the_current_version_is_followed_there_and_back(tmp_path):
    for n_queries in (120, 150):
        with new_training(tmp_path, 5) as training:
            write_training(training.folder, n_queries=n_queries)
    new, old = (each.name for each in list_versions(tmp_path))
    router = ReloadingRouter.load(tmp_path)
    first = router.run_id
    assert router.reload_if_changed() is False
    use_version(tmp_path, old)
    assert router.reload_if_changed() is True
    assert router.run_id == old.split("-")[1] != first
    use_version(tmp_path, new)
    assert router.reload_if_changed() is True
    assert router.run_id == first
    assert (router.reloads.served, router.reloads.refused) == (2, 0)


def test_a_link_that_leads_nowhere_is_refused_until_it_is_mended(tmp_path, caplog):
    with new_training(tmp_path, 5) as training:
        write_training(training.folder)
    router = ReloadingRouter.load(tmp_path)
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to("gone")
    refused_with(router, caplog, "leads to gone, which is no version in this folder")
    use_version(tmp_path, training.path.name)
    assert router.reload_if_changed() is True
    assert router.reloads.refusal is None
