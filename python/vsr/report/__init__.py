"""The report of a comparison: a page, the same for a pull request, and the same for programs.

It reads finished comparisons and computes nothing but where things stand on the paper.
"""

from vsr.report.contents import ReportContents
from vsr.report.gathering import gather
from vsr.report.writing import write_report

__all__ = ["ReportContents", "gather", "write_report"]
