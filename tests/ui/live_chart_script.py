"""A page with a growing curve and a scrubbed boundary, for the browser test."""

import os
import sys

import numpy as np
import streamlit as st

sys.path.insert(0, os.environ["LOSSDIAG_ROOT"])

from lossdiag.figures import Surface, decision_boundary
from lossdiag.figures.lines import Options, Panel, line_figure
from lossdiag.figures.series import Curve, Group
from ui.live_chart import live_chart

ticks = st.session_state.setdefault("ticks", 0)
st.button("tick", on_click=lambda: st.session_state.update(ticks=ticks + 1))
if st.button("forget"):
    st.session_state["live_chart/curve"]._count += 5  # as if messages had been lost

steps = np.arange(100 + 50 * ticks, dtype=np.int32)
rng = np.random.default_rng(0)
noise = rng.normal(0, 0.03, (4, 10_000)).astype(np.float32)[:, : len(steps)]
curves = [np.exp(-steps / 80) * (1 + k // 2) + noise[k] for k in range(4)]
curves[3][41] = np.nan
groups = tuple(
    Group(name, (Curve(f"{name} seed 0", steps, curves[2 * i]), Curve(f"{name} seed 1", steps, curves[2 * i + 1])), i)
    for i, name in enumerate(["bce_with_logits", "focal_binary(gamma=2)"])
)
figure = line_figure([Panel("loss", groups)], Options(), empty="nothing")
state = live_chart(figure, key="curve", label="Training loss over steps", link="run")
st.write("range:", "none" if state.range is None else f"{state.range[0]:.1f} to {state.range[1]:.1f}")
st.write("point:", "none" if state.point is None else f"{state.point['trace']} at {state.point['x']}")

axis = np.linspace(-1, 1, 20)
grid = 1 / (1 + np.exp(-4 * np.stack([axis[None, :] * np.sin(t) + axis[:, None] * np.cos(t) for t in range(4)])))
surface = Surface(axis, axis, np.array([0, 30, 60, 90]), grid)
live_chart(decision_boundary({"mse": surface}), key="boundary", label="Decision boundary", link="run")
