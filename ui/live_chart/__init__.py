"""A chart that takes new data without being rebuilt: zoom survives, only what is new travels, the theme is followed."""

from ui.live_chart.component import LiveChartState, live_chart, preload
from ui.live_chart.plotly_js import ensure_static

__all__ = ["LiveChartState", "ensure_static", "live_chart", "preload"]
