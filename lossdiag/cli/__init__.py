"""The ``lossdiag`` command. Tables and help come without importing torch or pandas."""

from lossdiag.cli.app import app, main

__all__ = ["app", "main"]
