import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from vsr.routing.conversations import Conversations

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
ANSWERED = [*ASKED, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And now?"}]


def find(held, messages, session=None, owner=None):
    return held.find(held.key(messages, session, owner))


def remember(held, messages, session, owner, model):
    held.remember(held.key(messages, session, owner), model)


def test_a_session_is_known_by_its_id_and_its_owner():
    held = Conversations()
    remember(held, ASKED, "one", "alice", "large")
    assert find(held, [{"role": "user", "content": "anything"}], "one", "alice") == "large"
    assert find(held, ASKED, "one", "bob") is None
    assert find(held, ASKED, "two", "alice") is None


def test_without_an_id_a_conversation_is_known_by_its_beginning_once_a_model_has_answered():
    held = Conversations()
    remember(held, ASKED, None, "alice", "large")
    assert find(held, ASKED, None, "alice") is None  # two people may begin alike
    assert find(held, ANSWERED, None, "alice") == "large"
    assert find(held, ANSWERED, None, "bob") is None


def test_a_conversation_is_forgotten_after_an_hour_of_silence():
    now = [1e9]
    held = Conversations(clock=lambda: now[0])
    remember(held, ASKED, "one", None, "large")
    now[0] += 3600.0
    assert find(held, ASKED, "one") == "large"
    assert len(held) == 1
    now[0] += 1.0
    assert find(held, ASKED, "one") is None
    assert len(held) == 0


def test_the_conversation_that_was_silent_longest_goes_first():
    now = [1e9]
    held = Conversations(max_conversations=2, clock=lambda: now[0])
    for session in ("one", "two", "one", "three"):
        now[0] += 1.0
        remember(held, ASKED, session, None, "large")
    assert [find(held, ASKED, session) for session in ("one", "two", "three")] == ["large", None, "large"]


def test_ten_thousand_conversations_fit_and_no_number_of_them_makes_it_grow(tmp_path):
    held = Conversations(tmp_path / "table")
    for number in range(40_000):
        remember(held, ASKED, str(number), None, f"model-{number}")
        if number == 9_999:
            kept = sum(find(held, ASKED, str(each)) == f"model-{each}" for each in range(10_000))
            assert kept >= 9_990
    assert len(held) <= 32_768
    assert (tmp_path / "table").stat().st_size < 5 << 20


def test_messages_that_are_no_json_are_no_obstacle():
    held = Conversations()
    odd: list[dict[str, object]] = [{"role": "user", "content": object()}, {"role": "assistant", "content": "\ud800"}]
    remember(held, odd, None, None, "large")
    assert find(held, odd) == "large"
    remember(held, [{"role": "user", "content": "\ud800"}], "one", None, "large")
    assert find(held, ASKED, "one") == "large"


def test_a_name_that_is_too_long_is_not_kept():
    held = Conversations()
    remember(held, ASKED, "one", None, "m" * 95)
    remember(held, ASKED, "two", None, "m" * 96)
    assert find(held, ASKED, "one") == "m" * 95
    assert find(held, ASKED, "two") is None


def _write(path, number):
    held = Conversations(path)
    for round_ in range(400):
        for session in range(8):
            remember(held, ASKED, str(session), None, f"{number}-{round_}" * 8)


def test_processes_share_a_table_without_a_lock_and_never_read_half_a_name(tmp_path):
    path = tmp_path / "table"
    held = Conversations(path)
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        written = [pool.submit(_write, path, number) for number in range(3)]
        n_found = 0
        while not all(each.done() for each in written):
            for session in range(8):
                name = find(held, ASKED, str(session))  # None also where two wrote a slot at once, or one is writing it
                assert name is None or name == name[: len(name) // 8] * 8
                n_found += name is not None
    assert n_found
    assert not [each for each in written if each.exception()]
    for session in range(8):
        remember(Conversations(path), ASKED, str(session), None, "the last")
        assert find(held, ASKED, str(session)) == "the last"
    assert [each.name for each in tmp_path.iterdir()] == ["table"]


def test_forks_share_a_table_without_a_file():
    held = Conversations()
    child = os.fork()
    if child == 0:
        remember(held, ASKED, "one", None, "large")
        os._exit(0)
    os.waitpid(child, 0)
    assert find(held, ASKED, "one") == "large"


def test_half_a_slot_counts_as_empty(tmp_path):
    path = tmp_path / "table"
    held = Conversations(path)
    remember(held, ASKED, "one", None, "large")
    content = path.read_bytes().replace(b"large", b"lurge")
    path.write_bytes(content)
    assert find(Conversations(path), ASKED, "one") is None


def test_the_shared_table_is_of_this_user_and_of_what_is_routed_by(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one, again, other = (Conversations.shared(tmp_path / name) for name in ("models", "models", "others"))
    remember(one, ASKED, "one", None, "large")
    assert find(again, ASKED, "one") == "large"
    assert find(other, ASKED, "one") is None
    assert one.path is not None
    assert one.path.stat().st_mode & 0o777 == 0o600
    assert one.path.parent.stat().st_mode & 0o777 == 0o700
    assert b"large" in one.path.read_bytes()
    assert b"Hello" not in one.path.read_bytes()


@pytest.mark.parametrize("spoil", ["mode", "link", "folder", "size"])
def test_a_place_that_others_could_have_made_is_not_used(tmp_path, monkeypatch, caplog, spoil):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = Conversations.shared(tmp_path / "models").path
    assert path is not None
    if spoil == "mode":
        path.chmod(0o644)
    elif spoil == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    elif spoil == "folder":
        path.parent.chmod(0o755)
    else:
        path.write_bytes(b"of another version")
    held = Conversations.shared(tmp_path / "models")
    remember(held, ASKED, "one", None, "large")
    assert find(held, ASKED, "one") == "large"
    assert held.path == (path if spoil == "size" else None)
    assert bool(caplog.messages) == (spoil != "size")
