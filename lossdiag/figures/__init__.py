"""Data in, ``plotly.graph_objects.Figure`` out; no torch, no Streamlit, and a template of our own in both themes."""

from lossdiag.figures.boundary import Points, Surface, decision_boundary
from lossdiag.figures.curves import (
    generalisation_gap,
    loss_curves,
    lr_curve,
    overlay_runs,
    step_curves,
    yardstick_curves,
)
from lossdiag.figures.layers import activation_panels, gradient_heatmap, heatmap, layer_curves, update_ratio_curves
from lossdiag.figures.outcome import confusion_matrices, fit_curve, paired_differences, predicted_vs_true
from lossdiag.figures.preview import class_balance, histogram, scatter2d
from lossdiag.figures.rail import event_rail
from lossdiag.figures.style import CONFIG, Theme, note, sentence_figure, template

__all__ = [
    "CONFIG",
    "Points",
    "Surface",
    "Theme",
    "activation_panels",
    "class_balance",
    "confusion_matrices",
    "decision_boundary",
    "event_rail",
    "fit_curve",
    "generalisation_gap",
    "gradient_heatmap",
    "heatmap",
    "histogram",
    "layer_curves",
    "loss_curves",
    "lr_curve",
    "note",
    "overlay_runs",
    "paired_differences",
    "predicted_vs_true",
    "scatter2d",
    "sentence_figure",
    "step_curves",
    "template",
    "update_ratio_curves",
    "yardstick_curves",
]
