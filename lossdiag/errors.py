"""Every error that a person may see.

    LossdiagError
    |-- SpecError    an experiment that cannot be run as written
    |-- DataError    a file or table that cannot be used as it is
    |-- StoreError   a recorded run that is missing, damaged or busy
    |-- TrainError   a run that could not start or go on
    `-- JobError     a job that could not be queued, watched or stopped

A message says what came, what was expected and what to do. The command line prints it on one line and exits with
status 2; the pages show it in place. Anything else that escapes is a bug.
"""


class LossdiagError(Exception):
    """Base of the errors whose message is written for the person who caused or can mend them."""


class SpecError(LossdiagError):
    """An experiment specification holds a value that is not allowed."""


class DataError(LossdiagError):
    """A data set cannot be read or used; the message names file, row and column where they are known."""


class StoreError(LossdiagError):
    """A run folder is missing, damaged, or in use by another process."""


class TrainError(LossdiagError):
    """Training could not start or go on (no such device, a loss that does not fit the task, no memory)."""


class JobError(LossdiagError):
    """A job could not be submitted, watched or cancelled."""
