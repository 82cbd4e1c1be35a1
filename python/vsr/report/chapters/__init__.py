"""The sections of a report, one file each: from figures to a finding, pictures and a table."""

from vsr.report.chapters.calibration import calibration_section
from vsr.report.chapters.categories import CategoryGrid, category_grid
from vsr.report.chapters.gains import gains_section
from vsr.report.chapters.learning import learning_section
from vsr.report.chapters.measuring import measuring
from vsr.report.chapters.metrics import metrics_table
from vsr.report.chapters.shares import shares_section
from vsr.report.chapters.tradeoff import tradeoff_section
from vsr.report.chapters.verdict import Headline, headline

__all__ = [
    "CategoryGrid",
    "Headline",
    "calibration_section",
    "category_grid",
    "gains_section",
    "headline",
    "learning_section",
    "measuring",
    "metrics_table",
    "shares_section",
    "tradeoff_section",
]
