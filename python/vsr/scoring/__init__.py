"""Score responses the way the published benchmarks do: by option, number, text, code or concepts.

One module a rule. A response is cleared of what it only thinks aloud (`committed_text`) and of markup (`plain_text`)
before anything is looked for in it.
"""

from vsr.scoring.metrics import METRICS, is_unknown_metric, meant_metric
from vsr.scoring.multiple_choice import extract_option
from vsr.scoring.numeric import extract_number
from vsr.scoring.options import Options, read_options
from vsr.scoring.rules import UNSCORED, score_response, scoring_rule
from vsr.scoring.score import SCORER_VERSION, Kind, Score

__all__ = [
    "METRICS",
    "SCORER_VERSION",
    "UNSCORED",
    "Kind",
    "Options",
    "Score",
    "extract_number",
    "extract_option",
    "is_unknown_metric",
    "meant_metric",
    "read_options",
    "score_response",
    "scoring_rule",
]
