"""``lossdiag run`` and ``lossdiag compare``: train in this process, recording into the store."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from lossdiag.cli.output import print_json, print_table
from lossdiag.compare import OWN_UNIT, final_table, paired_differences
from lossdiag.spec import ExperimentSpec
from lossdiag.store import Recording, RunStore, Status, Tail
from lossdiag.worker.record import record

UNITS = (
    "Raw losses of different losses are in different units and are not compared; "
    "differences are of shared yardsticks on validation rows, paired by seed."
)
_CONFIDENCE = 0.95
_EVERY = 0.5  # seconds between two progress lines


def run_experiment(spec: ExperimentSpec, *, runs: Path, name: str, as_json: bool) -> int:
    """Train `spec`, print its yardsticks and return the exit status."""
    recording = _train(spec, runs, name)
    if as_json:
        print_json(_summary(recording))
    else:
        _print_yardsticks(recording)
    return _exit_status(recording)


def run_race(spec: ExperimentSpec, *, runs: Path, name: str, as_json: bool) -> int:
    """Train `spec`, print its yardsticks and the paired differences between its losses; return the exit status."""
    recording = _train(spec, runs, name)
    differences = _differences(recording)
    if as_json:
        print_json(
            _summary(recording)
            | {"differences": differences, "confidence": _CONFIDENCE, "own_unit": OWN_UNIT, "note": UNITS}
        )
    else:
        _print_yardsticks(recording)
        _print_differences(differences)
    return _exit_status(recording)


def _train(spec: ExperimentSpec, runs: Path, name: str) -> Recording:
    store = RunStore(runs)
    run_id = store.create(spec, name=name)
    with Interrupt() as interrupt:
        progress = Progress(store.path(run_id), total=len(spec.members()) * spec.train.steps)

        def asked() -> Status | None:
            progress.show()
            return "cancelled" if interrupt.came else None

        record(store, run_id, asked)
        progress.clear()
    recording = store.open(run_id)
    if recording.status == "failed":
        sys.stderr.write(f"lossdiag: {recording.detail}\n")
        if not recording.table("steps", ["step"]).num_rows:  # nothing to look at: a spec or a file to mend
            store.delete([run_id])
            sys.exit(2)
    return recording


class Interrupt:
    """Turns the first Ctrl-C into a wish, so that the run can end properly; a second one interrupts at once."""

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self.came = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Progress:
    """One line on a terminal's standard error, rewritten now and then; nothing where that is no terminal."""

    def __init__(self, folder: Path, *, total: int) -> None:
        self._tail = Tail(folder) if sys.stderr.isatty() else None
        self._done, self._total, self._next = 0, total, 0.0

    def show(self) -> None:
        """Rewrite the line if it is time to."""
        if self._tail is None or time.monotonic() < self._next:
            return
        self._done += len(self._tail.poll().get("steps", ()))
        sys.stderr.write(f"\r{self._done / self._total:4.0%}  {self._done:,} of {self._total:,} steps\033[K")
        sys.stderr.flush()
        self._next = time.monotonic() + _EVERY

    def clear(self) -> None:
        """Remove the line."""
        if self._tail is not None:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def _summary(recording: Recording) -> dict[str, Any]:
    return {
        "run": recording.id,
        "name": recording.name,
        "folder": str(recording.folder),
        "status": recording.status,
        "detail": recording.detail,
        "data": recording.spec.data.source,
        "seeds": list(recording.spec.seeds),
        "steps": recording.spec.train.steps,
        "yardsticks": final_table(recording).to_dict("records"),
    }


def _differences(recording: Recording) -> list[dict[str, Any]]:
    metrics = [m for m in dict.fromkeys(final_table(recording)["metric"]) if m not in OWN_UNIT]
    tables = [paired_differences(recording, metric, confidence=_CONFIDENCE) for metric in metrics]
    return [{str(key): value for key, value in row.items()} for table in tables for row in table.to_dict("records")]


def _print_yardsticks(recording: Recording) -> None:
    table = final_table(recording)
    sys.stdout.write(
        f"run {recording.id}  {recording.status}  {recording.detail}".rstrip() + f"\n{recording.folder}\n\n"
    )
    sys.stdout.write("Yardsticks on validation rows, mean over seeds (standard deviation)\n")
    metrics = list(dict.fromkeys(table["metric"]))
    rows = []
    for config, group in table.groupby("config", sort=False):
        cells = {row.metric: f"{row.mean:.4g} ({row.sd:.2g})" if row.n else "-" for row in group.itertuples()}
        first = group.iloc[0]
        failed = "; ".join(first["failed_members"])
        rows.append([config, *(cells[m] for m in metrics), failed])
    marked = [f"{m} (own unit)" if m in OWN_UNIT else m for m in metrics]
    print_table(["", *marked, "failed"], rows)


def _print_differences(differences: list[dict[str, Any]]) -> None:
    sys.stdout.write(f"\nPaired differences, {_CONFIDENCE:.0%} t interval. {UNITS}\n")
    rows = [
        (
            d["metric"],
            f"{d['config']} - {d['baseline']}",
            f"{d['mean']:+.4f}" if d["n"] else "-",
            d["sd"],
            f"[{d['low']:+.4f}, {d['high']:+.4f}]" if d["n"] > 1 else "-",
            d["n"],
            ", ".join(map(str, d["lost_seeds"])),
        )
        for d in differences
    ]
    print_table(("yardstick", "difference", "mean", "sd", "interval", "n", "seeds left out"), rows)


def _exit_status(recording: Recording) -> int:
    return {"failed": 2, "cancelled": 130, "interrupted": 130}.get(recording.status, 0)
