import json

import pytest

from vsr.config import parse_config
from vsr.config.analysis import analyze
from vsr.errors import ConfigError

DOCUMENT = {
    "vllm_endpoints": [{"name": "one", "address": "127.0.0.1", "port": 8000}],
    "model_config": {
        "small": {"preferred_endpoints": ["one"], "family": "atlas"},
        "large": {"preferred_endpoints": ["one"]},
        "judge": {"preferred_endpoints": ["one"], "family": "boreas"},
    },
    "judges": [{"model": "judge"}],
}


def config(**sections):
    return parse_config(json.dumps(DOCUMENT | sections), "c.yaml", environment={})


def test_a_judge_is_no_candidate_unless_a_decision_offers_it():
    assert config().offered_models() == ("small", "large")
    offering = [{"name": "d", "modelRefs": [{"model": "judge"}, {"model": "small", "lora_name": "small-law"}]}]
    both = config(decisions=offering)
    assert both.offered_models() == ("judge", "small-law")
    assert analyze(both).unused == ("large",)
    assert analyze(config(decisions=[{"name": "d", "modelRefs": [{"model": "small"}]}])).unused == ("large",)


def test_families_are_those_of_the_file():
    offering = [{"name": "d", "modelRefs": [{"model": "small", "lora_name": "small-law"}]}]
    names = ("small", "large", "judge", "small-law", "else")
    families = [config(decisions=offering).family_of(name) for name in names]
    assert families == ["atlas", None, "boreas", "atlas", None]


@pytest.mark.parametrize(
    ("judges", "problem"),
    [
        ([{"model": "jugde"}], "judges[0].model: there is no model 'jugde'; did you mean 'judge'?"),
        ([{"model": "judge"}, {"model": "judge"}], "judges[1].model: the name 'judge' is taken on line"),
        ([{"model": "judge", "famliy": "x"}], "judges[0].famliy: unknown key; did you mean family?"),
        ([{"family": "x"}], "judges[0].model: is missing"),
        (["judge"], "judges[0]: must be a mapping"),
    ],
)
def test_what_is_wrong_with_judges_is_said(judges, problem):
    with pytest.raises(ConfigError) as raised:
        config(judges=judges)
    assert problem in str(raised.value)
