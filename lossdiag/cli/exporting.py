"""``lossdiag export``."""

from __future__ import annotations

import sys
from pathlib import Path

from lossdiag.cli.output import print_json
from lossdiag.errors import StoreError
from lossdiag.registry import did_you_mean
from lossdiag.store import TABLES, Recording, RunStore, export_csv, export_parquet, export_spec, read_run

_SUFFIX = {"csv": ".csv", "parquet": ".parquet", "spec": ".yaml"}


def export_run(run: str, to: str, *, table: str, out: Path | None, runs: Path, as_json: bool) -> None:
    """Write `table` of a run as CSV or Parquet, or its experiment as YAML, and say where.

    Raises:
        StoreError: no such run or table, or the file cannot be written.
    """
    if table not in TABLES:
        raise StoreError(f"no table {table!r}; expected one of {', '.join(TABLES)}.{did_you_mean(table, TABLES)}")
    recording = find(run, runs)
    name = recording.id if to == "spec" else f"{recording.id}-{table}"
    path = out or Path(name + _SUFFIX[to])
    if not path.parent.is_dir():
        raise StoreError(
            f"cannot write {path}: there is no folder {path.parent}; make it, or choose another with --out"
        )
    rows: int | None = None
    if to == "spec":
        export_spec(recording, path)
    else:
        write = export_csv if to == "csv" else export_parquet
        rows = write(recording, table, path)
    if as_json:
        print_json({"run": recording.id, "to": to, "file": str(path), "rows": rows})
    else:
        sys.stdout.write(f"{path}" + ("" if rows is None else f": {rows} rows") + "\n")


def find(run: str, runs: Path) -> Recording:
    """Open a run by its id in `runs`, or by the path of its folder."""
    folder = Path(run)
    return read_run(folder) if folder.is_dir() else RunStore(runs).open(run)
