"""Is anything wrong with these files? Checks of queries, records and configurations, before they cost money or time."""

from vsr.doctor.configuration import check_asked
from vsr.doctor.diagnosis import Diagnosis, FileDiagnosis, diagnose
from vsr.doctor.findings import LEVELS, Finding, Level
from vsr.doctor.outcomes import check_outcomes
from vsr.doctor.queries import check_queries

__all__ = [
    "LEVELS",
    "Diagnosis",
    "FileDiagnosis",
    "Finding",
    "Level",
    "check_asked",
    "check_outcomes",
    "check_queries",
    "diagnose",
]
