"""From a DataSpec to a Dataset: find the table, choose the target, know the task."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lossdiag.data.columns import canonical
from lossdiag.data.dataset import Corruption, Dataset
from lossdiag.data.limits import bad
from lossdiag.data.location import sample_path
from lossdiag.data.synthetic import generate
from lossdiag.data.tables import read_file
from lossdiag.data.task import check_task, infer_task
from lossdiag.data.uploads import read_upload
from lossdiag.errors import DataError
from lossdiag.registry import Task, did_you_mean
from lossdiag.spec import DataSpec


def load(spec: DataSpec, uploads: Path | None = None) -> Dataset:
    """Read or make the data that `spec` names, and choose its target.

    Args:
        spec: source, target, drop and task; for a synthetic source also its knobs.
        uploads: the folder of uploaded files; needed for ``upload:`` sources only.

    Raises:
        DataError: the source is missing or damaged, a column does not exist, or the target cannot be learned.
    """
    frame, name, notes, corruption = _source(spec, uploads)
    targets = _target_columns(name, frame, spec)
    target = frame[targets]
    features = frame.drop(columns=[*targets, *spec.drop])
    if features.shape[1] == 0:
        raise bad(name, f"no feature columns are left beside the target ({', '.join(targets)}); add or keep some")
    missing = target.isna().any(axis=1).to_numpy()
    if missing.all():
        raise bad(name, f"the target is missing in all {len(frame)} rows; choose another one", column=targets[0])
    if missing.any():
        notes += (f"{int(missing.sum())} of {len(frame)} rows dropped: no target",)
        # Without these rows a column may have another type: whole numbers without gaps, numbers without a stray text.
        kept = frame.index[~missing]
        features = canonical(name, features[~missing]).set_index(kept)
        target = canonical(name, target[~missing]).set_index(kept)
    task: Task = spec.task or infer_task(name, target)
    classes = check_task(name, target, task)
    if task == "binary" and classes != ("0", "1"):
        notes += (f"class 1 is {classes[1]!r}, class 0 is {classes[0]!r}",)
    return Dataset(features, target, name, task, classes, notes, corruption)


def load_table(spec: DataSpec, uploads: Path | None = None) -> pd.DataFrame:
    """Return the whole table behind `spec`, before a target is chosen; a synthetic set's target is its last column.

    Raises:
        DataError: the source is missing or damaged.
    """
    return _source(spec, uploads)[0]


def _source(spec: DataSpec, uploads: Path | None) -> tuple[pd.DataFrame, str, tuple[str, ...], Corruption | None]:
    kind, _, name = spec.source.partition(":")
    if kind == "synthetic":
        made = generate(name, spec)
        return pd.concat([made.frame, made.target], axis=1), name, made.notes, made.corruption
    if kind == "sample":
        return read_file(sample_path(name)).frame, name, (), None
    if kind == "upload":
        if uploads is None:
            raise DataError(f"{spec.source}: there is no folder of uploads here; give the file as file:PATH")
        frame, info = read_upload(name, uploads)
        return frame, info.filename, info.notes, None
    table = read_file(Path(name))
    return table.frame, Path(name).name, table.notes, None


def _target_columns(name: str, frame: pd.DataFrame, spec: DataSpec) -> list[str]:
    known = list(map(str, frame.columns))
    targets = list(spec.target) or [column for column in known if column not in spec.drop][-1:]
    for what, columns in (("target", targets), ("drop", spec.drop)):
        for column in columns:
            if column not in known:
                few = ", ".join(known[:8]) + (" ..." if len(known) > 8 else "")
                raise bad(name, f"there is no {what} column {column!r}; there are {few}.{did_you_mean(column, known)}")
    twice = sorted({c for c in targets if targets.count(c) > 1} | (set(targets) & set(spec.drop)))
    if twice:
        raise bad(name, f"column {twice[0]!r} is named twice in data.target and data.drop; name it once")
    if not targets:
        raise bad(name, "every column is dropped; keep a target and a feature")
    return targets
