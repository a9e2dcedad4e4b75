"""What may be imported without what: fresh interpreters, since modules once loaded stay."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "lossdiag",
        "lossdiag.spec",
        "lossdiag.store",
        "lossdiag.data",
        "lossdiag.figures",
        "lossdiag.compare",
        "lossdiag.jobs",
        "lossdiag.cli",
    ],
)
def test_reading_drawing_and_submitting_do_without_torch(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'streamlit') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
