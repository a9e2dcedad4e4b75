"""Looking at the data before training: table, one column, class balance, two features against each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from lossdiag.data import Dataset
from lossdiag.figures import class_balance, histogram, scatter2d
from lossdiag.spec import DataSpec
from ui import reads
from ui.charts import chart, theme
from ui.errors import shown
from ui.text import counted

_ROWS = 200


def show_preview(spec: DataSpec, dataset: Dataset) -> None:
    """Draw the preview; only the tab that is open is computed."""
    tabs = st.tabs(["Table", "Column", "Balance", "Two features"], key="preview", on_change="rerun")
    for tab, draw in zip(tabs, (_table, _column, _balance, _scatter), strict=True):
        if tab.open:
            with tab, shown():
                draw(spec, dataset)


def _whole(dataset: Dataset) -> pd.DataFrame:
    return pd.concat([dataset.target, dataset.frame], axis=1)


def _table(spec: DataSpec, dataset: Dataset) -> None:
    whole = _whole(dataset)
    st.dataframe(whole.head(_ROWS), height=320)
    if len(whole) > _ROWS:
        st.caption(f"The first {_ROWS} of {counted(len(whole), 'row')}; the target comes first.")


def _column(spec: DataSpec, dataset: Dataset) -> None:
    whole = _whole(dataset)
    name = st.selectbox("column", list(whole.columns), key=f"preview.column.{spec.source}")
    column = whole[name]
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        chart(
            histogram(column.to_numpy(np.float64), name=str(name), theme=theme()),
            "preview.histogram",
            f"Histogram of {name}",
        )
    else:
        counts = {str(value): int(count) for value, count in column.value_counts().head(50).items()}
        chart(class_balance({"rows": counts}, theme=theme()), "preview.levels", f"Rows by value of {name}")


def _balance(spec: DataSpec, dataset: Dataset) -> None:
    made = reads.prepared(spec)
    if not dataset.classes:
        st.info(f"A {dataset.task} target has no classes to balance; see its histogram under Column.")
        return
    codes = made.y_val.reshape(len(made.y_val)).astype(int)
    counts = {"train": made.class_counts, "validation": np.bincount(codes, minlength=len(dataset.classes))}
    named = {split: dict(zip(dataset.classes, map(int, own), strict=True)) for split, own in counts.items()}
    chart(class_balance(named, theme=theme()), "preview.balance", "Rows of each class")


def _scatter(spec: DataSpec, dataset: Dataset) -> None:
    numeric = [c for c in dataset.frame.columns if pd.api.types.is_numeric_dtype(dataset.frame[c].dtype)]
    if len(numeric) < 2:
        st.info("Two numeric features are needed for this; there are fewer.")
        return
    left, right = st.columns(2)
    x = left.selectbox("across", numeric, key=f"preview.x.{spec.source}")
    y = right.selectbox("up", numeric, index=1, key=f"preview.y.{spec.source}")
    target = dataset.target.iloc[:, 0]
    colour = [str(v) for v in target] if dataset.classes else target.to_numpy(np.float64)
    figure = scatter2d(
        dataset.frame[x].to_numpy(np.float64),
        dataset.frame[y].to_numpy(np.float64),
        x_name=str(x),
        y_name=str(y),
        colour=colour,
        colour_name=str(dataset.target.columns[0]),
        theme=theme(),
    )
    chart(figure, "preview.scatter", f"{y} against {x}")
