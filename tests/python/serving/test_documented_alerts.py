"""The alert rules of the documentation ask about metrics that the server has."""

import re
from pathlib import Path

import yaml

from routing.trainings import write_training
from vsr.routing.decision_log import DecisionLog
from vsr.routing.reloading import ReloadingRouter
from vsr.serving.metrics import Metrics
from vsr.serving.switch import Switch

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "monitoring.md"


def test_every_metric_of_a_rule_is_on_the_page(tmp_path):
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    rules = yaml.safe_load(block)["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"vsr_\w+", rule["expr"])}
    write_training(tmp_path / "models")
    log = DecisionLog(tmp_path / "decisions.jsonl", key="k")
    page = Metrics(ReloadingRouter.load(tmp_path / "models"), log, Switch()).page().decode()
    log.close()
    assert len(rules) == 3
    assert asked <= set(re.findall(r"^(\w+)", page, re.MULTILINE))
