from vsr.integrations.conversations import LastModels

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
ANSWERED = [*ASKED, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And now?"}]


def test_a_session_is_known_by_its_id_and_its_owner():
    held = LastModels()
    held.remember(ASKED, "one", "alice", "large")
    assert held.find([{"role": "user", "content": "anything"}], "one", "alice") == "large"
    assert held.find(ASKED, "one", "bob") is None
    assert held.find(ASKED, "two", "alice") is None


def test_without_an_id_a_conversation_is_known_by_its_beginning_once_a_model_has_answered():
    held = LastModels()
    held.remember(ASKED, None, "alice", "large")
    assert held.find(ASKED, None, "alice") is None  # two people may begin alike
    assert held.find(ANSWERED, None, "alice") == "large"
    assert held.find(ANSWERED, None, "bob") is None


def test_a_conversation_is_forgotten_after_an_hour_of_silence():
    now = [0.0]
    held = LastModels(clock=lambda: now[0])
    held.remember(ASKED, "one", None, "large")
    now[0] = 3600.0
    assert held.find(ASKED, "one", None) == "large"
    now[0] = 3601.0
    assert held.find(ASKED, "one", None) is None
    assert len(held) == 0


def test_the_conversation_that_was_silent_longest_goes_first():
    held = LastModels(max_conversations=2)
    for session in ("one", "two", "one", "three"):
        held.remember(ASKED, session, None, "large")
    assert [held.find(ASKED, session, None) for session in ("one", "two", "three")] == ["large", None, "large"]


def test_messages_that_are_no_json_are_no_obstacle():
    held = LastModels()
    odd: list[dict[str, object]] = [{"role": "user", "content": object()}, {"role": "assistant", "content": "\ud800"}]
    held.remember(odd, None, None, "large")
    assert held.find(odd, None, None) == "large"
