"""Submit, watch and cancel training runs. They train in processes of their own; this side never imports torch."""

from lossdiag.jobs.local import JobState, LocalJobs

__all__ = ["JobState", "LocalJobs"]
