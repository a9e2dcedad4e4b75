"""lossdiag shows why a loss does what it does: race losses, record every step, diagnose.

The package never imports Streamlit, and importing it does not import torch: only the modules that train do.
"""

__version__ = "0.1.0"
