"""A short run of the fuzzer; `fuzz.py` itself runs for minutes."""

from embedding import fuzz, tiny_models
from vsr.embedding import load_embedder


def test_models_that_are_not_damaged_load(tmp_path):
    tiny_models.write_all(tmp_path)
    for folder in tmp_path.iterdir():
        vectors = load_embedder(folder.name.partition("-")[0], folder).embed(["w1 w2", "w3"])
        assert vectors.shape == (2, 16)


def test_damaged_models_are_refused_or_embed(tmp_path):
    tiny_models.write_all(tmp_path)
    report = fuzz.fuzz(0, 150, tmp_path)
    assert report.failures == []
    # Else nothing was damaged, or everything beyond recognition.
    assert report.n_refused > 40
    assert report.n_embedded > 20


def test_cases_that_kill_or_hang_their_worker_are_failures(tmp_path):
    program = tmp_path / "worker.py"
    program.write_text(
        "import os, sys, time\n"
        "for case in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):\n"
        "    print('begin', case, flush=True)\n"
        "    if case == 6:\n"
        "        os.abort()\n"
        "    if case == 7:\n"
        "        time.sleep(60)\n"
        "    print('end', 'failed AssertionError' if case == 8 else 'embedded', flush=True)\n"
    )
    report = fuzz.fuzz(5, 6, tmp_path, case_s=2.0, program=program)
    assert [(failure.case, failure.what) for failure in report.failures] == [
        (6, "the process ended with -6"),
        (7, "did not end within 2 s"),
        (8, "failed AssertionError"),
    ]
    assert (report.n_refused, report.n_embedded) == (0, 3)
