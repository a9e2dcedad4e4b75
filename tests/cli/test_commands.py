"""The commands as processes: what they print where, and how they exit."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from lossdiag.compare import paired_differences
from lossdiag.registry import loss_cards
from lossdiag.spec import ExperimentSpec, to_yaml
from lossdiag.store import RunStore

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "lossdiag"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
RACE = ["compare", "--data", "synthetic:moons", "--loss", "bce_with_logits", "--loss", "hinge", "--seeds", "3"]


def lossdiag(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=100
    )


def test_compare_prints_yardsticks_and_paired_differences(tmp_path: Path) -> None:
    done = lossdiag(tmp_path, *RACE, "--steps", "40", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    recording = RunStore(tmp_path / "runs").open(printed["run"])
    assert (recording.status, len(recording.members)) == ("finished", 6)
    assert {y["config"] for y in printed["yardsticks"]} == {"bce_with_logits", "hinge"}
    assert all(y["n"] == 3 for y in printed["yardsticks"] if y["metric"] == "accuracy")
    (found,) = [d for d in printed["differences"] if d["metric"] == "accuracy"]
    (expected,) = paired_differences(recording, "accuracy").to_dict("records")
    assert (found["n"], found["low"], found["high"]) == (3, expected["low"], expected["high"])
    assert "loss" not in {d["metric"] for d in printed["differences"]}
    (undefined,) = [d for d in printed["differences"] if d["metric"] == "log_loss"]
    assert (undefined["n"], undefined["mean"]) == (0, None)
    assert "different units" in printed["note"]


def test_compare_for_people_names_units_and_pairs(tmp_path: Path) -> None:
    done = lossdiag(tmp_path, *RACE, "--steps", "20")
    assert done.returncode == 0
    assert "hinge - bce_with_logits" in done.stdout
    assert "loss (own unit)" in done.stdout


def test_run_trains_a_file_and_export_writes_it_out(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 7},{2 * i + i % 7}\n" for i in range(60)))
    spec = ExperimentSpec.parse(
        {"data": {"source": "file:table.csv", "target": ["y"]}, "losses": "mse", "seeds": 2, "train": {"steps": 30}}
    )
    (tmp_path / "race.yaml").write_text(to_yaml(spec))
    done = lossdiag(tmp_path, "run", "race.yaml", "--set", "train.steps=25", "--runs", "elsewhere", "--json")
    assert done.returncode == 0, done.stderr
    run_id = json.loads(done.stdout)["run"]
    assert (tmp_path / "elsewhere" / run_id).is_dir()

    done = lossdiag(tmp_path, "export", run_id, "--runs", "elsewhere", "--to", "csv", "--out", "steps.csv", "--json")
    assert json.loads(done.stdout)["rows"] == 50
    assert len(pd.read_csv(tmp_path / "steps.csv")) == 50
    done = lossdiag(tmp_path, "export", f"elsewhere/{run_id}", "--to", "parquet", "--table", "evals")
    assert done.returncode == 0, done.stderr
    assert set(pd.read_parquet(tmp_path / f"{run_id}-evals.parquet")["split"]) == {"train", "val"}
    assert lossdiag(tmp_path, "export", run_id, "--runs", "elsewhere", "--to", "spec").returncode == 0
    lost = lossdiag(tmp_path, "export", run_id, "--runs", "elsewhere", "--to", "csv", "--out", "no/such/x.csv")
    assert (lost.returncode, lost.stdout) == (2, "")
    assert "there is no folder no/such" in lost.stderr
    again = lossdiag(tmp_path, "run", f"{run_id}.yaml", "--set", "train.steps=1")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "--loss", "hingee"], "Did you mean 'hinge'"),
        (["compare", "--loss", "mse"], "use one of: bce_with_logits"),
        (["compare", "--loss", "hinge", "--data", "gone.csv"], "gone.csv"),
        (["compare"], "--loss"),
        (["compare", "--loss", "hinge", "--seeds", "x"], "--seeds"),
        (["run", "gone.yaml"], "gone.yaml"),
        (["export", "r20250131-k3f7a2bq", "--to", "csv"], "no run r20250131-k3f7a2bq"),
        (["export", "x", "--to", "csv", "--table", "stepps"], "Did you mean 'steps'"),
        (["bogus"], "bogus"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_no_run(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = lossdiag(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert RunStore(tmp_path / "runs").list().empty


def test_control_c_keeps_the_run_as_cancelled(tmp_path: Path) -> None:
    endless = [*COMMAND, *RACE, "--steps", "10000000", "--set", "train.eval_every=100000", "--json"]
    with subprocess.Popen(endless, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        store = RunStore(tmp_path / "runs")
        while store.list().empty or not store.open(store.list()["id"][0]).table("steps", ["step"]).num_rows:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        printed = json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == 130
    recording = store.open(printed["run"])
    assert (recording.status, len(recording.steps) > 0) == ("cancelled", True)


def test_tables_come_as_json_too(tmp_path: Path) -> None:
    assert [card["name"] for card in json.loads(lossdiag(tmp_path, "losses", "--json").stdout)] == list(loss_cards())
    sources = json.loads(lossdiag(tmp_path, "data", "--json").stdout)
    iris = next(source for source in sources if source["source"] == "sample:iris")
    assert (iris["rows"], iris["columns"], iris["target"]) == (150, 5, "species")
    assert "focal_binary" in lossdiag(tmp_path, "losses").stdout
    assert "synthetic:moons" in lossdiag(tmp_path, "data").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["losses"], ["data"], ["export", "x", "--to", "csv"]])
def test_help_and_tables_never_import_torch(tmp_path: Path, arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv[1:] = {arguments}\nfrom lossdiag.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    )
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, check=True, capture_output=True)


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen([*COMMAND, "losses"], cwd=tmp_path, env=ENVIRONMENT, stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def handshake(url: str, *, host: str) -> int:
    """Return the status with which the server answers a page of `host` that wants to talk to it."""
    headers = {"Host": host, "Origin": f"http://{host}", "Connection": "Upgrade", "Upgrade": "websocket"}
    headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/_stcore/stream", headers=headers)
        return connection.getresponse().status


def test_ui_serves_from_any_folder_with_its_own_configuration(tmp_path: Path) -> None:
    with subprocess.Popen([*COMMAND, "ui"], cwd=tmp_path, env=ENVIRONMENT, stdout=-1, stderr=-2, text=True) as server:
        try:
            assert server.stdout is not None
            url = next(line.split()[-1] for line in server.stdout if "http://127.0.0.1:" in line)
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=20) as answer:
                assert answer.read() == b"ok"
            assert handshake(url, host="evil.example") == 403
            assert handshake(url, host=url.removeprefix("http://")) == 101
        finally:
            server.kill()
    assert (tmp_path / "runs").is_dir()


def test_ui_refuses_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = lossdiag(tmp_path, "ui", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "is taken" in done.stderr
