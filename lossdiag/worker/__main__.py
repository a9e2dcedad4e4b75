"""``python -m lossdiag.worker supervise | train``: the supervisor, or a child that waits for its one run."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lossdiag.channel import Channel, Message, inherited
from lossdiag.worker.process import thread_count
from lossdiag.worker.spawning import SpawnLauncher
from lossdiag.worker.supervisor import Launcher, Supervisor


def main() -> None:
    """Read the arguments and serve the channel until its other end is closed."""
    parser = argparse.ArgumentParser(prog="python -m lossdiag.worker", description=__doc__)
    parser.add_argument("role", choices=("supervise", "train"))
    parser.add_argument("--root", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--channel", type=int, required=True, help="inherited descriptor of the control channel")
    parser.add_argument("--grace", type=float, required=True, help="seconds to stop in when asked, before the kill")
    parser.add_argument("--workers", type=int, default=1, help="runs that may train at once")
    parser.add_argument("--method", choices=("fork", "spawn"), default="spawn", help="how children are started")
    args = parser.parse_args()
    channel = inherited(args.channel)
    if args.role == "train":
        _train(args.root, channel, args.grace)
    else:
        _supervise(args, channel)


def _supervise(args: argparse.Namespace, channel: Channel) -> None:
    launcher = _forking(args) if args.method == "fork" else _spawning(args)
    Supervisor(channel, launcher, workers=args.workers, grace=args.grace).run()


def _forking(args: argparse.Namespace) -> Launcher:
    environment = dict(os.environ)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported: ForkLauncher says why
    from lossdiag.worker.forking import ForkLauncher
    from lossdiag.worker.warm import warm_up

    warm_up("cpu")
    if (count := thread_count()) != 1:
        sys.stderr.write(f"Not forking: warming up left {count} threads. Runs get fresh processes and start slower.\n")
        os.environ.clear()
        os.environ.update(environment)
        return _spawning(args)
    return ForkLauncher(args.root, grace=args.grace, environment=environment)


def _spawning(args: argparse.Namespace) -> Launcher:
    launcher = SpawnLauncher(args.root, grace=args.grace)
    launcher.prepare()
    return launcher


def _train(root: Path, channel: Channel, grace: float) -> None:
    from lossdiag.worker.child import live
    from lossdiag.worker.warm import warm_up

    warm_up("auto")
    messages: list[Message] = []
    while not messages:
        try:
            messages = channel.receive()
        except EOFError:  # the supervisor ended without a run for this process
            return
    live(root, str(messages[0]["run_id"]), channel, grace, messages[1:])


if __name__ == "__main__":
    main()
