"""Feedback counted: what is said of one decision in several lines."""

from vsr.data.feedback import Feedback
from vsr.traffic.counting import feedback_by_decision


def test_what_several_lines_say_of_a_decision_is_taken_together_and_the_first_word_holds() -> None:
    found = feedback_by_decision(
        [
            Feedback(id="a", model="m", latency_s=2.0, cost_usd=0.5),  # of the gateway
            Feedback(id="a", quality=1.0, latency_s=9.0),  # of the user
            Feedback(id="a", quality=0.0),
            Feedback(id="a", model="other", quality=0.5),
            Feedback(id="b", preferred="m", other="n"),
            Feedback(id="b", quality=0.25),
        ]
    )
    assert found == {
        "a": Feedback(id="a", model="m", quality=1.0, latency_s=2.0, cost_usd=0.5),
        "b": Feedback(id="b", quality=0.25),
    }
