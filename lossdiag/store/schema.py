"""What a run folder holds.

    <runs>/<run_id>/
        run.json            who, what, how it stands; rewritten whole (write, fsync, rename)
        run.lock            held (flock) by the process that trains; free means nobody does
        live/<table>.arrows Arrow IPC stream while it trains, one os.write per flush; its schema's metadata names the
                            stream, so that a reader knows when a resumed run begins another
        <table>.feather     the same rows in the same order, compacted when it ends; ``pandas.read_feather`` reads it
    <runs>/uploads/<16 hex>.parquet + .json     files given in the browser, content-addressed
    <runs>/index.db         a cache of all run.json, rebuilt whenever it is missing or stale

Rows are long: one per (step, member) or (step, member, layer). A member that has stopped has no further rows. Step t
counts from 0: its loss and gradient are those of the parameters before update t; an evaluation at step t saw the
parameters after t updates. Several stacks of one run append to the same tables, so rows are ordered by step within a
member but not over the whole table.

While both files of a table are there, they hold the same rows: the Feather file appears whole before the stream goes.
A run whose run.json says ``running`` while its lock is free has lost its process: it is read as ``interrupted``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import pyarrow as pa

Table: TypeAlias = Literal["steps", "layers", "activations", "evals", "events", "frames"]
TABLES: tuple[Table, ...] = get_args(Table)

Status: TypeAlias = Literal["queued", "running", "finished", "stopped", "failed", "cancelled", "interrupted"]
"""``stopped``: ended early by its own rule; ``failed``: an error; ``interrupted``: its process vanished."""

EventKind: TypeAlias = Literal["nonfinite", "explosion", "spike", "clip", "loss_scale", "lr_change", "stop", "crash"]


def schema(table: Table, *, double: bool = False) -> pa.Schema:
    """Return the Arrow schema of `table`; `double` stores measured values as float64 (float64 runs) not float32."""
    real = pa.float64() if double else pa.float32()
    key = [("step", pa.int32()), ("member", pa.int16())]
    fields: dict[Table, list[tuple[str, pa.DataType]]] = {
        # loss: the data term alone; penalty: L1 + L2 terms; grad_norm: before clipping; clip_factor: 1 unless clipped;
        # update_ratio: |update| / |weights|, all parameters; step_time: seconds of the whole stack's step.
        "steps": [
            *key,
            ("loss", real),
            ("penalty", real),
            ("lr", real),
            ("grad_norm", real),
            ("clip_factor", real),
            ("update_ratio", real),
            ("step_time", pa.float32()),
        ],
        # layer indexes the "layers" of that member's entry in run.json's facts.stacks: Recording.layer_names.
        "layers": [*key, ("layer", pa.int16()), ("grad_norm", real), ("weight_norm", real), ("update_ratio", real)],
        # after each activation function, at evaluation steps, on the training batch of that step.
        "activations": [
            *key,
            ("layer", pa.int16()),
            ("mean", real),
            ("std", real),
            ("zero_share", pa.float32()),
            ("saturated_share", pa.float32()),
        ],
        # one yardstick value; NaN where it is undefined for this loss or data (hinge has no log_loss).
        "evals": [
            *key,
            ("split", pa.string()),
            ("metric", pa.string()),
            ("value", pa.float64()),
        ],
        # member -1: the whole run. layer "" where it does not apply. detail: a sentence; value: the figure behind it.
        "events": [
            *key,
            ("kind", pa.string()),
            ("where", pa.string()),
            ("layer", pa.string()),
            ("value", pa.float64()),
            ("detail", pa.string()),
        ],
        # pictures over time; values are row-major in shape, run.json's facts "frames" give axes, rows and true values:
        # "boundary" [R, R] probability of the second class, likeliest class, or value; [i, j] is (across[j], up[i])
        # "curve" [G, D] prediction over one feature; "prediction" [N, D] of validation rows, both in the target's units
        # "confusion" [C, C] counts of validation rows, true class first.
        "frames": [*key, ("kind", pa.string()), ("shape", pa.list_(pa.int32())), ("values", pa.list_(pa.float32()))],
    }
    return pa.schema(fields[table])
