"""The life of a child: one run, trained in the main thread while another listens for the wish to stop."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from lossdiag.channel import Channel, ChannelError, Message
from lossdiag.store import END_STATUSES, RunStore, Status
from lossdiag.worker.log import FILE, redirect_output
from lossdiag.worker.record import record


class Wish:
    """What the supervisor wants the run to end as, if it wants it to end; a vanished supervisor wants it too."""

    def __init__(self, channel: Channel, grace: float, early: Sequence[Message] = ()) -> None:
        self.status: Status | None = None
        self._channel = channel
        self._grace = grace
        self._heed(early)
        threading.Thread(target=self._listen, name="wish", daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                self._heed(self._channel.receive())
        except (EOFError, ChannelError):
            self.status = self.status or "interrupted"
            time.sleep(self._grace)
            os._exit(1)  # nobody is left to kill this process if its training does not listen

    def _heed(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message["op"] == "stop" and message.get("status") in END_STATUSES:
                self.status = cast(Status, message["status"])


def live(root: Path, run_id: str, channel: Channel, grace: float, early: Sequence[Message] = ()) -> None:
    """Train the queued run `run_id` of the store in `root` and end it as the channel's other side wishes.

    `early` are messages that came together with the one that named the run.

    Raises:
        StoreError: the run is missing, damaged or not queued, or its ending could not be written.
    """
    store = RunStore(root)
    redirect_output(store.path(run_id) / FILE)
    wish = Wish(channel, grace, early)
    record(store, run_id, lambda: wish.status)
