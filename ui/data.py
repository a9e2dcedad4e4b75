"""Choosing the data: a sample, a generator with its knobs, or a file; then the target, the task and the preparation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import streamlit as st

from lossdiag.data import Dataset, list_uploads
from lossdiag.errors import DataError
from lossdiag.spec import SAMPLES, SYNTHETIC, DataSpec, patch
from ui import reads, state
from ui.controls import controls, initial
from ui.text import counted, plain

Kind: TypeAlias = Literal["sample", "synthetic", "upload"]
_TITLES: Mapping[Kind, str] = {"sample": "Sample", "synthetic": "Synthetic", "upload": "Your file"}
_KNOBS = ("n", "noise", "imbalance", "outliers", "label_noise", "scale")
_FORMATS = ("csv", "tsv", "parquet", "jsonl", "xlsx", "npz")


def choose_data(spec: DataSpec, wanted: str | None = None) -> tuple[DataSpec, Dataset]:
    """Draw everything about the data; return the spec that the widgets make, and the data.

    Args:
        spec: the draft's.
        wanted: the kind of source to start with, where the link asks for one.

    Raises:
        DataError: no file is chosen yet, or the data cannot be used.
        SpecError: a value is not allowed.
    """
    key = state.key("data.kind")
    initial(key, wanted if wanted in get_args(Kind) else _kind_of(spec))
    kinds: tuple[Kind, ...] = get_args(Kind)
    kind = st.segmented_control(
        "source", kinds, key=key, format_func=lambda k: _TITLES[k], required=True, width="stretch"
    )
    kind = kind or kinds[0]
    source = _source(kind, spec)
    values: dict[str, Any] = {"data.source": source}
    if kind == "synthetic":
        with st.expander("Rows, noise, imbalance", icon=":material/tune:"):
            values |= controls(spec, "data", _KNOBS)
    elif kind == "upload":
        values |= _columns(spec, source)
    with st.expander("Task and preparation", icon=":material/checklist:"):
        if kind == "sample":
            values |= _columns(spec, source)
        values |= controls(spec, "data", ("task", "missing", "validation", "standardize", "seed"))
    chosen = patch(spec, {path.removeprefix("data."): value for path, value in values.items()})
    dataset = reads.dataset(chosen)
    _describe(chosen, dataset)
    return chosen, dataset


def _kind_of(spec: DataSpec) -> Kind:
    kind = spec.source.partition(":")[0]
    return "upload" if kind == "upload" else "synthetic" if kind == "synthetic" else "sample"


def _source(kind: Kind, spec: DataSpec) -> str:
    if spec.source.startswith("file:"):
        st.info("The experiment's file lies on the machine that ran it. Give the file here to train on it again.")
    if kind == "upload":
        return _upload(spec)
    names = SAMPLES if kind == "sample" else SYNTHETIC
    key = state.key(f"data.{kind}")
    drafted = spec.source.partition(":")[2]
    initial(key, drafted if _kind_of(spec) == kind and drafted in names else names[0])
    name = st.selectbox("data set", names, key=key, format_func=lambda n: n.replace("_", " "))
    return f"{kind}:{name}"


def _upload(spec: DataSpec) -> str:
    uploads = reads.store().uploads
    file = st.file_uploader(
        "file", type=_FORMATS, key=state.key("data.file"), help="It stays on this machine; nothing is sent elsewhere."
    )
    if file is not None:
        return reads.upload(file.file_id, file.name, file.getvalue)
    known = {info.source: info for info in list_uploads(uploads)}
    if not known:
        raise DataError("No file yet: give a CSV, TSV, Parquet, JSON Lines, Excel or NPZ file above.")
    key = state.key("data.upload")
    initial(key, spec.source if spec.source in known else next(iter(known)))
    return st.selectbox("or one given before", list(known), key=key, format_func=lambda s: known[s].filename)


def _columns(spec: DataSpec, source: str) -> dict[str, Any]:
    """Draw the pickers of target and dropped columns; they start anew with each source."""
    columns = [str(c) for c in reads.table(spec.model_copy(update={"source": source})).columns]
    same = source == spec.source
    target, drop = state.key(f"data.target.{source}"), state.key(f"data.drop.{source}")
    initial(target, [c for c in spec.target if c in columns] if same and spec.target else columns[-1:])
    initial(drop, [c for c in spec.drop if c in columns] if same else [])
    picked = st.multiselect("target", columns, key=target, help="What the losses learn to predict.")
    dropped = st.multiselect(
        "leave out",
        [c for c in columns if c not in picked],
        key=drop,
        help="Columns not to learn from.",
    )
    # The last column is the target of a file unless another is named: then the spec need not name it.
    default = picked == [c for c in columns if c not in dropped][-1:]
    return {"data.target": () if default else tuple(picked), "data.drop": tuple(dropped)}


def _describe(spec: DataSpec, dataset: Dataset) -> None:
    rows, features = dataset.frame.shape
    told = "chosen" if spec.task else "inferred"
    st.markdown(
        f"{counted(rows, 'row')}, {counted(features, 'feature')}. Task: **{dataset.task}** ({told})"
        + (f", {counted(len(dataset.classes), 'class', 'classes')}." if dataset.classes else ".")
    )
    for note in reads.prepared(spec).notes:
        st.caption(f":material/info: {plain(note)}")
