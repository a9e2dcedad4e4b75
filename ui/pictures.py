"""Pictures of what was learned: decision boundary over time, fitted curve, predictions, confusion matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from lossdiag.data import Prepared
from lossdiag.errors import LossdiagError
from lossdiag.figures import Points, boundary_over_time, confusions, fits, pictured, predictions
from lossdiag.store import Recording
from ui import reads
from ui.charts import chart, theme
from ui.errors import shown
from ui.text import plain

_MOST_PANELS = 6
_MATRICES_PER_ROW = 3


def show_pictures(run: Recording, key: str) -> None:
    """Draw a tab for each kind of picture that the run has; only the open one is computed.

    Their sliders move the mark in the run's other charts too, which share its `key` as their link.
    """
    drawn: dict[str, tuple[str, Callable[[Recording, str], None]]] = {
        "boundary": ("Decision boundary", _boundary),
        "curve": ("Fitted curve", _curve),
        "prediction": ("Predicted against true", _prediction),
        "confusion": ("Confusion", _confusion),
    }
    kinds = [kind for kind in drawn if pictured(run, kind)]
    if not kinds:
        return
    st.markdown("##### What was learned")
    tabs = st.tabs([drawn[kind][0] for kind in kinds], key=f"{key}.pictures", on_change="rerun")
    for tab, kind in zip(tabs, kinds, strict=True):
        if tab.open:
            with tab, shown():
                drawn[kind][1](run, key)


def _boundary(run: Recording, key: str) -> None:
    first = run.members[run.members["id"].isin(pictured(run, "boundary"))].drop_duplicates("config")
    members = [int(member) for member in first["id"]][:_MOST_PANELS]
    figure = boundary_over_time(run, members, points=_points(run), theme=theme())
    chart(
        figure,
        f"{key}.boundary",
        "Decision boundary of one seed of each configuration, with a slider over steps",
        link=key,
    )
    margins = [loss.label for loss in run.spec.losses if not loss.info.probabilistic]
    st.caption(
        "The points are training rows; one seed of each configuration."
        + (
            f" What {plain(', '.join(margins))} gives is no probability: read its side, not its shade."
            if margins
            else ""
        )
    )


def _curve(run: Recording, key: str) -> None:
    points = _points(run)
    figure = fits(run, data=(points.x, points.target) if points else None, theme=theme())
    chart(figure, f"{key}.curve", "Data and the curve that each configuration fits, with a slider over steps", link=key)
    st.caption("The points are training rows, and the axis keeps to them: a curve that ran away is off the picture.")


def _prediction(run: Recording, key: str) -> None:
    targets = [str(name) for name in run.facts["data"]["targets"]]
    column = 0
    if len(targets) > 1:
        column = st.selectbox(
            "target", range(len(targets)), format_func=targets.__getitem__, key=f"{key}.prediction.target"
        )
    chart(predictions(run, target=column, theme=theme()), f"{key}.prediction", "Predicted against true values")


def _confusion(run: Recording, key: str) -> None:
    members = run.members[run.members["id"].isin(pictured(run, "confusion"))]
    configs = list(members.groupby("config", sort=False))
    places = [place for _ in range(0, len(configs), _MATRICES_PER_ROW) for place in st.columns(_MATRICES_PER_ROW)]
    for place, (config, own) in zip(places, configs, strict=False):
        with place:  # a figure each, so that on a phone they stand one under the other
            figure = confusions(run, members=own["id"].tolist(), theme=theme())
            chart(figure, f"{key}.confusion.{config}", f"Confusion matrix of {config}")
    st.caption("On validation rows; each row of a matrix is a true class.")


def _points(run: Recording) -> Points | None:
    """Return the training rows over the first one or two raw features; None where the data is no longer there."""
    try:
        made, frame = reads.prepared(run.spec.data), reads.dataset(run.spec.data).frame
    except LossdiagError:
        return None  # the file was deleted since: the picture is drawn without its points
    features = frame.loc[made.train_rows, list(made.encoder.ranges)].to_numpy(np.float64)
    return Points(features[:, 0], features[:, -1], _raw_target(made))


def _raw_target(made: Prepared) -> np.ndarray:
    """Return the first target column of the training rows in its own unit; class codes as they are."""
    if made.y_train.ndim == 1:
        return made.y_train
    return np.asarray(made.y_train[:, 0] * made.target_std[0] + made.target_mean[0])
