"""The report of a comparison: a page, the same for a pull request, and the same for programs.

It reads finished dataclasses and computes nothing but where things stand on the paper.
"""

from vsr.report.contents import ReportContents
from vsr.report.writing import write_report

__all__ = ["ReportContents", "write_report"]
