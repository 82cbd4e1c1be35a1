"""Every fault of a server, on both protocols: it costs the call that met it, and says what happened."""

import re

import pytest

from hostile.attack import PROTOCOLS, attack, became
from hostile.fault_server import running
from hostile.faults import COUNTS, FAULTS, RETRY_AFTER
from vsr.providers.call import LONGEST_MESSAGE
from vsr.providers.errors import LONGEST_WAIT_S

TIMEOUT_S = 1.5


@pytest.fixture(scope="module")
def port():
    with running() as found:
        yield found


def ask(port, protocol, *prompts, **fields):
    return attack(port, protocol, prompts, **{"timeout_s": TIMEOUT_S, **fields})


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_costs_one_call(port, protocol, name):
    prompts = ("before", f"fault {name}, really", "after")
    (before, found, after), longest = ask(port, protocol, *prompts)
    assert longest < TIMEOUT_S + 1
    assert (before.text, after.text) == ("before", "after")
    assert FAULTS[name].allows(became(found, prompts[1])), found
    if FAULTS[name].becomes != "answer":
        assert 0 < len(found.message) <= LONGEST_MESSAGE


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", COUNTS)
def test_counts_that_cannot_be_are_unknown(port, protocol, name):
    (found,), _ = ask(port, protocol, f"fault {name}, x")
    assert (found.input_tokens, found.output_tokens, found.load_s) == (None, None, found.load_s)
    assert 0 <= found.load_s < 3600


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", RETRY_AFTER)
def test_a_wait_that_cannot_be_is_bounded_or_ignored(port, protocol, name):
    (found,), _ = ask(port, protocol, f"fault {name}, x")
    expected = {
        "retry_after_zero": 0.0,
        **dict.fromkeys(("retry_after_absurd", "retry_after_year_9999"), LONGEST_WAIT_S),
    }
    assert found.retry_after_s == expected.get(name)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["server_sent_events", "a_json_value_a_line"])
def test_a_stream_is_read_with_its_counts(port, protocol, name):
    (found,), _ = ask(port, protocol, f"fault {name}, x")
    assert (found.input_tokens, found.output_tokens, found.finish_reason) == (3, 2, "stop")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("share", [0.02, 0.12])
@pytest.mark.parametrize("name", ["two_answers_at_once", "a_second_answer_right_behind", "a_second_answer_much_later"])
def test_an_answer_belongs_to_the_request_it_answers(port, protocol, name, share):
    prompts = [f"fault {name if n % round(1 / share) == 0 else 'nothing_wrong'}, {n}" for n in range(1000)]
    found, _ = ask(port, protocol, *prompts, at_once=8)
    assert sum(outcome.text != prompt for outcome, prompt in zip(found, prompts, strict=True)) == 0


def test_the_limit_of_an_endpoint_counts(port):
    (found,), _ = ask(port, "openai", "fault nothing_wrong, " + "x" * 2000, largest_response=1000)
    assert re.search(r"larger than 0.000\d+ MiB; `max_response_mib`", found.message)
