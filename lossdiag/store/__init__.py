"""Recorded runs on disk: written by one process, read by any, also while they grow."""

from lossdiag.store.export import export_csv, export_parquet, export_spec
from lossdiag.store.manifest import END_STATUSES, STATUSES
from lossdiag.store.recording import Curve, Recording, read_run
from lossdiag.store.runs import Deleted, RunStore
from lossdiag.store.schema import TABLES, EventKind, Status, Table, schema
from lossdiag.store.tail import Tail
from lossdiag.store.writer import RunWriter

__all__ = [
    "END_STATUSES",
    "STATUSES",
    "TABLES",
    "Curve",
    "Deleted",
    "EventKind",
    "Recording",
    "RunStore",
    "RunWriter",
    "Status",
    "Table",
    "Tail",
    "export_csv",
    "export_parquet",
    "export_spec",
    "read_run",
    "schema",
]
