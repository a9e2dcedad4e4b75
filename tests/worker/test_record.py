"""However training ends, the run says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore, Status
from lossdiag.worker.log import Capped
from lossdiag.worker.record import record

QUICK = ExperimentSpec.parse(
    {"data": {"source": "synthetic:linear", "n": 40}, "losses": "mse", "seeds": 1, "train": {"steps": 20}}
)


@pytest.mark.parametrize(
    ("asked", "status"), [(None, "finished"), ("cancelled", "cancelled"), ("interrupted", "interrupted")]
)
def test_a_run_ends_as_asked(tmp_path: Path, asked: Status | None, status: str) -> None:
    store = RunStore(tmp_path)
    run_id = store.create(QUICK)
    record(store, run_id, lambda: asked)
    assert store.open(run_id).status == status


def test_a_bug_fails_the_run_in_one_line_and_keeps_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug\nwith two lines")

    monkeypatch.setattr("lossdiag.worker.record.train", broken)
    store = RunStore(tmp_path)
    run_id = store.create(QUICK)
    record(store, run_id, lambda: None)
    recording = store.open(run_id)
    assert recording.status == "failed"
    assert recording.detail == "ZeroDivisionError: a bug (the run's worker.log says where)"
    assert "in broken" in (recording.folder / "worker.log").read_text()


def test_output_goes_to_the_log_up_to_its_limit(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; from lossdiag.worker.log import redirect_output\n"
        f"redirect_output(pathlib.Path({str(tmp_path / 'worker.log')!r}))\n"
        "print('from python'); os.system('echo from a child'); print('x' * 3_000_000); print('unkept')\n"
        "import ctypes; ctypes.string_at(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    log = (tmp_path / "worker.log").read_text()
    assert (done.returncode, done.stdout, done.stderr) == (-11, b"", b"")
    assert log.startswith("from python\nfrom a child\nxxx")
    assert "the log is full" in log
    assert "unkept" not in log
    assert "Segmentation fault" in log
    assert len(log) < 1_010_000


def test_a_capped_stream_pretends_to_have_taken_everything(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        capped = Capped(file, 5)
        assert capped.write("abc") == 3
        assert capped.write("defg") == 4
        assert capped.write("h") == 1
    assert (tmp_path / "log").read_text() == "abcde\n[the log is full; what was printed later is not kept]\n"
