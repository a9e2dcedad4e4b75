"""Submit, watch, cancel: with real processes, started in both ways."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lossdiag.data import save_upload
from lossdiag.errors import DataError, JobError, StoreError
from lossdiag.jobs import LocalJobs
from lossdiag.spec import patch
from lossdiag.store import RunStore
from tests.jobs.conftest import ENDLESS, QUICK, ended, processes, supervisor_of, trainer_of, wait_until


def begun(jobs: LocalJobs, run_id: str) -> None:
    wait_until(lambda: RunStore(jobs.root).open(run_id).table("steps", ["step"]).num_rows, "first recorded step")


def test_a_submitted_run_trains_and_ends_in_the_store(jobs: LocalJobs) -> None:
    run_id = jobs.submit(patch(QUICK, {"train.steps": 30}), name="mine")
    assert jobs.state(run_id).status in ("queued", "running")
    ended(jobs, run_id)
    recording = RunStore(jobs.root).open(run_id)
    assert (recording.status, recording.name) == ("finished", "mine")
    assert recording.steps["step"].tolist() == list(range(30))
    assert jobs.state(run_id).position == 0


def test_an_upload_gives_the_run_its_file_name(jobs: LocalJobs) -> None:
    rows = "".join(f"{x},{x % 3},{x / 7}\n" for x in range(40))
    source = save_upload(f"a,b,c\n{rows}".encode(), "own table.csv", RunStore(jobs.root).uploads)
    run_id = jobs.submit(patch(QUICK, {"data.source": source, "train.steps": 5}))
    ended(jobs, run_id)
    recording = RunStore(jobs.root).open(run_id)
    assert recording.status == "finished", recording.detail
    assert recording.name.startswith("own table.csv: ")


def test_an_upload_that_is_not_there_creates_no_run(jobs: LocalJobs) -> None:
    before = len(RunStore(jobs.root).list())
    with pytest.raises(DataError, match="0123456789abcdef"):
        jobs.submit(patch(QUICK, {"data.source": "upload:0123456789abcdef"}))
    assert len(RunStore(jobs.root).list()) == before


def test_many_threads_may_submit_and_no_more_runs_train_at_once_than_workers(jobs: LocalJobs) -> None:
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.append(jobs.submit(QUICK))) for _ in range(4)]
    for thread in threads:
        thread.start()
    most = 0
    for thread in threads:
        thread.join()
    while jobs.running():
        most = max(most, len(jobs.running()))
    ended(jobs, *ids)
    assert len(set(ids)) == 4
    assert most <= 2
    assert {jobs.state(i).status for i in ids} == {"finished"}


def test_cancel_stops_a_running_run_and_keeps_what_it_recorded(jobs: LocalJobs) -> None:
    run_id = jobs.submit(ENDLESS)
    begun(jobs, run_id)
    assert jobs.running() == (run_id,)
    assert jobs.cancel(run_id)
    ended(jobs, run_id)
    recording = RunStore(jobs.root).open(run_id)
    assert (recording.status, len(recording.steps) > 0) == ("cancelled", True)
    assert not jobs.cancel(run_id)


def test_queued_runs_say_their_place_and_are_cancelled_at_once(jobs: LocalJobs) -> None:
    busy = [jobs.submit(ENDLESS) for _ in range(2)]
    first, second = jobs.submit(QUICK), jobs.submit(QUICK)
    wait_until(lambda: len(jobs.running()) == 2, "both workers busy")
    assert (jobs.state(first).position, jobs.state(second).position) == (1, 2)
    assert jobs.cancel(first)
    assert (jobs.state(first).status, jobs.state(second).position) == ("cancelled", 1)
    for run_id in busy:
        jobs.cancel(run_id)
    ended(jobs, *busy, second)
    assert jobs.state(second).status == "finished"


def test_a_run_that_does_not_answer_is_killed_and_still_marked_cancelled(jobs: LocalJobs) -> None:
    run_id = jobs.submit(ENDLESS)
    begun(jobs, run_id)
    pid = trainer_of(jobs.root / run_id)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    jobs.cancel(run_id)
    ended(jobs, run_id)
    state = jobs.state(run_id)
    assert state.status == "cancelled"
    assert "did not stop within 1 s" in state.detail


def test_nothing_else_is_said_of_a_dead_worker_s_run_before_its_ending_is_written(jobs: LocalJobs) -> None:
    run_id = jobs.submit(ENDLESS)
    begun(jobs, run_id)
    pid = trainer_of(jobs.root / run_id)
    assert pid is not None
    os.kill(pid, signal.SIGSEGV)
    seen: list[str] = []
    wait_until(lambda: seen.append(jobs.state(run_id).status) or not jobs.running(), "end")  # type: ignore[func-returns-value]
    assert list(dict.fromkeys(seen)) in (["running", "failed"], ["failed"])


@pytest.mark.parametrize(
    ("number", "status", "says"),
    [
        (signal.SIGKILL, "interrupted", r"killed by SIGKILL \(out of memory\?\)"),
        (signal.SIGSEGV, "failed", "crashed with SIGSEGV"),
    ],
)
def test_a_killed_worker_leaves_a_readable_run_that_says_so(
    jobs: LocalJobs, number: signal.Signals, status: str, says: str
) -> None:
    run_id = jobs.submit(ENDLESS)
    begun(jobs, run_id)
    pid = trainer_of(jobs.root / run_id)
    assert pid is not None
    os.kill(pid, number)
    ended(jobs, run_id)
    recording = RunStore(jobs.root).open(run_id)
    (crash,) = recording.events.to_dict("records")
    assert (recording.status, crash["kind"], crash["member"]) == (status, "crash", -1)
    assert re.search(says, crash["detail"])
    assert recording.detail == crash["detail"]
    assert recording.steps["step"].tolist() == list(range(len(recording.steps)))
    after = jobs.submit(QUICK)
    ended(jobs, after)
    assert jobs.state(after).status == "finished"


def test_what_a_person_can_mend_is_the_detail_of_a_failed_run(jobs: LocalJobs) -> None:
    run_id = jobs.submit(patch(QUICK, {"data.source": "file:/nowhere/at/all.csv"}))
    ended(jobs, run_id)
    state = jobs.state(run_id)
    assert state.status == "failed"
    assert "/nowhere/at/all.csv" in state.detail


def test_the_queue_survives_the_death_of_the_supervisor(jobs: LocalJobs) -> None:
    busy = [jobs.submit(ENDLESS) for _ in range(2)]
    for run_id in busy:
        begun(jobs, run_id)
    waiting = jobs.submit(QUICK)
    os.kill(supervisor_of(jobs.root), signal.SIGKILL)
    ended(jobs, *busy, waiting)
    assert [jobs.state(r).status for r in busy] == ["interrupted", "interrupted"]
    assert "server that it trained for ended" in jobs.state(busy[0]).detail
    assert jobs.state(waiting).status == "finished"


def test_unknown_and_foreign_runs_cannot_be_cancelled(jobs: LocalJobs) -> None:
    with pytest.raises(StoreError, match="no run"):
        jobs.cancel("r20200101-aaaaaaaa")
    store = RunStore(jobs.root)
    foreign = store.create(QUICK)
    with store.writer(foreign), pytest.raises(JobError, match="another process"):
        jobs.cancel(foreign)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_nothing_is_left_when_the_server_is_killed(tmp_path: Path, method: str) -> None:
    script = (
        "import sys, time, pathlib; from lossdiag.jobs import LocalJobs; from lossdiag.spec import from_json\n"
        "jobs = LocalJobs(pathlib.Path(sys.argv[1]), workers=1, grace=1, method=sys.argv[2])\n"
        "print(jobs.submit(from_json(sys.argv[3])), flush=True); time.sleep(600)\n"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path), method, ENDLESS.model_dump_json()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        run_id = server.stdout.readline().strip()
        recording = RunStore(tmp_path).open(run_id)
        wait_until(lambda: recording.table("steps", ["step"]).num_rows, "first recorded step")
        server.kill()
    wait_until(lambda: not processes(tmp_path), "the end of all processes")
    assert recording.status == "interrupted"
    assert RunStore(tmp_path).open(run_id).steps["step"].is_monotonic_increasing
    assert "server" in recording.detail


def test_close_ends_runs_and_queue_and_takes_no_more(tmp_path: Path) -> None:
    jobs = LocalJobs(tmp_path, workers=1, grace=1)
    running, waiting = jobs.submit(ENDLESS), jobs.submit(QUICK)
    begun(jobs, running)
    jobs.close()
    jobs.close()
    assert {jobs.state(running).status, jobs.state(waiting).status} == {"interrupted"}
    assert not processes(tmp_path)
    with pytest.raises(JobError, match="no more runs"):
        jobs.submit(QUICK)


def test_orphans_are_marked_at_the_start_but_not_those_of_another_queue(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    orphan = store.create(QUICK)
    with LocalJobs(tmp_path):
        assert store.open(orphan).status == "interrupted"
        queued = store.create(QUICK)
        with LocalJobs(tmp_path):
            assert store.open(queued).status == "queued"


def test_a_supervisor_that_cannot_start_fails_the_run_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = tmp_path / "blocker"
    blocker.mkdir()
    (blocker / "torch.py").write_text("raise ImportError('this torch is broken')")
    scrub = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{blocker}:{Path(__file__).resolve().parents[2]}"}
    monkeypatch.setattr("lossdiag.jobs.supervisor.scrubbed", lambda _: scrub)
    with LocalJobs(tmp_path / "runs", method="fork") as jobs:
        run_id = jobs.submit(QUICK)
        ended(jobs, run_id)
        state = jobs.state(run_id)
    assert state.status == "failed"
    assert "this torch is broken" in state.detail


def test_workers_do_not_see_the_environment_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    with LocalJobs(tmp_path) as jobs:
        jobs.warm()
        environment = Path(f"/proc/{supervisor_of(tmp_path)}/environ").read_bytes()
    assert b"OMP_NUM_THREADS=1" in environment
    assert b"SECRET_TOKEN" not in environment


def test_submitting_never_imports_torch() -> None:
    code = "import sys, lossdiag.jobs; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_bad_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="workers: got 0"):
        LocalJobs(tmp_path, workers=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match="choose another folder"):
        LocalJobs(tmp_path / "file")
