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
from lossdiag.figures.fitted import Fit, SeedFit, fit_curve, fit_film
from lossdiag.figures.layers import (
    activation_panels,
    gradient_heatmap,
    heatmap,
    layer_curves,
    layers_of,
    update_ratio_curves,
)
from lossdiag.figures.outcome import confusion_matrices, paired_differences, predicted_vs_true
from lossdiag.figures.pictures import boundary_over_time, confusions, fits, pictured, predictions
from lossdiag.figures.preview import class_balance, histogram, scatter2d
from lossdiag.figures.rail import KIND_TITLES, event_rail
from lossdiag.figures.style import CONFIG, Theme, note, sentence_figure, template

__all__ = [
    "KIND_TITLES",
    "CONFIG",
    "Fit",
    "Points",
    "SeedFit",
    "Surface",
    "Theme",
    "activation_panels",
    "boundary_over_time",
    "class_balance",
    "confusion_matrices",
    "confusions",
    "decision_boundary",
    "event_rail",
    "fit_curve",
    "fit_film",
    "fits",
    "generalisation_gap",
    "gradient_heatmap",
    "heatmap",
    "histogram",
    "layer_curves",
    "layers_of",
    "loss_curves",
    "lr_curve",
    "note",
    "overlay_runs",
    "paired_differences",
    "pictured",
    "predicted_vs_true",
    "predictions",
    "scatter2d",
    "sentence_figure",
    "step_curves",
    "template",
    "update_ratio_curves",
    "yardstick_curves",
]
