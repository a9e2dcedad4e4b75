"""Train a queued run into the store and end it, whatever happens."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import torch

from lossdiag.errors import LossdiagError
from lossdiag.store import RunStore, Status
from lossdiag.train import train
from lossdiag.worker.log import FILE


def record(store: RunStore, run_id: str, asked: Callable[[], Status | None]) -> None:
    """Train the queued run `run_id`, recording it.

    Whatever goes wrong in training ends the run as ``failed`` with one sentence. What is not an error of the person's
    also leaves its traceback in the run's worker.log.

    Args:
        store: holds the run.
        run_id: a queued run.
        asked: polled while it trains; how the run is to end, once somebody wants it to.

    Raises:
        StoreError: the run is missing, damaged or not queued, or its ending could not be written.
    """
    torch.set_num_threads(1)  # many small operations: more threads would only wait for each other
    spec = store.open(run_id).spec
    with store.writer(run_id) as writer:
        try:
            outcome = train(spec, writer, uploads=store.uploads, should_stop=lambda: asked() is not None)
        except LossdiagError as error:
            writer.finish("failed", str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, the run has to say so
            with (writer.folder / FILE).open("a", encoding="utf-8") as log:
                traceback.print_exc(file=log)
            cause = f"{type(error).__name__}: {error}".partition("\n")[0]
            writer.finish("failed", f"{cause} (the run's {FILE} says where)")
        else:
            status: Status = outcome.status
            detail = outcome.detail
            if status == "cancelled" and asked() == "interrupted":
                status, detail = "interrupted", "the server that it trained for ended; what was recorded is kept"
            writer.finish(status, detail)
