"""Is anything wrong with these files? Checks of queries, records and configurations, before they cost money or time."""

from vsr.diagnosis.configuration import check_asked
from vsr.diagnosis.files import Diagnosis, FileDiagnosis, doctor
from vsr.diagnosis.findings import LEVELS, Finding, Level
from vsr.diagnosis.outcomes import check_outcomes
from vsr.diagnosis.queries import check_queries

__all__ = [
    "LEVELS",
    "Diagnosis",
    "FileDiagnosis",
    "Finding",
    "Level",
    "check_asked",
    "check_outcomes",
    "check_queries",
    "doctor",
]
