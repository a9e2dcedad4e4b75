"""The one place where an error becomes something on the screen."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from lossdiag.errors import LossdiagError
from ui.text import plain

log = logging.getLogger(__name__)


@contextmanager
def shown() -> Iterator[None]:
    """Show what goes wrong inside, in place, and let the rest of the page go on.

    A LossdiagError is written for the person and shown as it is. Anything else is a fault of ours: the person gets a
    short message with an identifier, and the log gets the traceback beside the same identifier.
    """
    try:
        yield
    except LossdiagError as error:
        st.error(plain(error), icon=":material/block:")
    except Exception:
        identifier = secrets.token_hex(4)
        log.exception("error %s", identifier)
        st.error(
            f"Something went wrong here that should not have (error {identifier}). The server's log has the details "
            f"under this identifier. The rest of the page still works; reload it to try again.",
            icon=":material/bug_report:",
        )
