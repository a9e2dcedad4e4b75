"""Streamlit's server, with what the first screen needs imported while the first browser still loads.

``lossdiag ui`` starts this file where it would start ``streamlit run``; the arguments are the same.
"""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

from streamlit.web.cli import main

APP = Path(__file__).resolve().parents[1]


def _warm() -> None:
    """Draw the recorded race once, for nobody: plotly and pandas import much of themselves only when they are used."""
    from lossdiag.compare import final_table
    from lossdiag.figures import loss_curves, yardstick_curves
    from lossdiag.store import read_run
    from ui.reads import SAMPLE_RUN

    try:
        run = read_run(SAMPLE_RUN)
        loss_curves(run, theme="light")
        yardstick_curves(run, str(run.evals["metric"].iloc[0]), theme="light")
        final_table(run)
    except Exception:
        # The page will meet the same fault and show it; here it must not take the server down unheard.
        logging.getLogger(__name__).exception("the first screen could not be drawn ahead")


if __name__ == "__main__":
    sys.path.insert(0, str(APP))
    threading.Thread(target=_warm, name="warm-first-screen", daemon=True).start()
    main()
