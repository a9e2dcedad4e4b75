"""What happened, and exactly when: non-finite values, explosions, spikes, and changes of rate and scale.

Worked out on the host from the figures of a chunk, so that training never waits for it. The thresholds are chosen to be
quiet on healthy runs: a jump counts only against what was usual (`baseline`), and only when it is large against the
level that the series began at, since late in training one hard row can stand out from losses that are nearly zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossdiag.store.schema import EventKind
from lossdiag.train.baseline import Baseline, Usual
from lossdiag.train.ring import GRADIENT, WEIGHT
from lossdiag.train.stack_run import Chunk

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A spike rises this many robust standard deviations above the median and this many times as far as the high mark. In
# one step it may be one hard row: it counts if it rises by so many times the level at the start. Parameters that were
# thrown off make the next batch bad as well: then this share of that level is enough.
SPIKE_Z, SPIKE_HIGH, SPIKE_ONE, SPIKE_TWO = 6.0, 3.0, 3.0, 0.5
# A gradient explodes at this many times the running median, if it is also this many times the level at the start; or
# at this many times that level alone. So does a loss, by the last. A gradient that began near zero, or has sunk there
# with the loss, may rise a thousandfold and still be harmless: below this norm it is never called an explosion. (Of 404
# diverging members that bound hid none; it cleared all 7 explosions told of 2,400 healthy ones.)
EXPLOSION_MEDIAN, EXPLOSION_FLOOR, EXPLOSION_START, EXPLOSION_NORM = 100.0, 10.0, 1000.0, 10.0


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the table of events; see `store.schema`."""

    step: int
    member: int
    kind: EventKind
    where: str
    layer: str
    value: float
    detail: str


class Episodes:
    """Turns "too high" into one event per episode: it ends when the series is back to normal."""

    def __init__(self, members: int) -> None:
        self._open = np.zeros(members, dtype=bool)

    def begin(self, high: Mask, normal: Mask) -> Iterator[tuple[int, int]]:
        """Yield (row, member) of the first high value of each episode in [F, K]."""
        for k in np.flatnonzero(high.any(axis=0) | self._open):
            at = 0
            while True:
                if self._open[k]:
                    back = np.flatnonzero(normal[at:, k])
                    if not len(back):
                        break
                    at += int(back[0])
                    self._open[k] = False
                found = np.flatnonzero(high[at:, k])
                if not len(found):
                    break
                at += int(found[0])
                self._open[k] = True
                yield at, int(k)


class Watch:
    """Looks for events in the chunks of one stack."""

    def __init__(self, members: Sequence[int], layers: Sequence[str], *, sudden_rates: Sequence[bool]) -> None:
        """Begin with nothing seen.

        Args:
            members: ids in the order of the stack's rows.
            layers: names of the layers.
            sudden_rates: of whom a change of learning rate is an event (step and plateau schedules).
        """
        self._members, self._layers, self._sudden = list(members), list(layers), np.asarray(sudden_rates)
        count = len(self._members)
        self._loss, self._gradient = Baseline(count), Baseline(count)
        self._spikes, self._gradient_up, self._loss_up = (Episodes(count) for _ in range(3))
        # The last step of the chunk before: its loss, and whether it was high enough for the first step of a spike.
        self._last, self._some = np.full(count, np.nan), np.zeros(count, dtype=bool)
        self._told = {where: np.zeros(count, dtype=bool) for where in ("loss", "gradient", "parameter", "activation")}
        self._rate: Floats | None = None
        self._scale: Floats | None = None
        self._clipped, self._steps = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)

    def look(self, chunk: Chunk, limit: NDArray[np.int64]) -> list[Event]:
        """Return the events of a chunk, by step; members [K] count for the steps before `limit` only."""
        count = len(chunk.seconds)
        live = (np.arange(count)[:, None] + chunk.window.start) < limit
        self._count_clips(chunk, live)
        found = [
            *self._nonfinite(chunk, live),
            *self._activations(chunk, limit),
            *self._jumps(chunk, live),
            *self._rates(chunk, live),
            *self._scales(chunk, live),
        ]
        return sorted(found, key=lambda e: (e.step, e.member))

    def clip_shares(self) -> list[Event]:
        """Return one event per member whose gradient was ever clipped; to be asked at the end."""
        found: list[Event] = []
        for k in np.flatnonzero(self._clipped):
            share = self._clipped[k] / self._steps[k]
            detail = f"the gradient was clipped in {self._clipped[k]} of {self._steps[k]} steps ({share:.0%})"
            found.append(self._event(int(self._steps[k]) - 1, int(k), "clip", "gradient", share, detail))
        return found

    def _event(
        self, step: int, k: int, kind: EventKind, where: str, value: float, detail: str, layer: str = ""
    ) -> Event:
        return Event(int(step), self._members[k], kind, where, layer, float(value), detail)

    def _nonfinite(self, chunk: Chunk, live: Mask) -> Iterator[Event]:
        loss, norms, start = chunk.figures.loss, chunk.figures.norms, chunk.window.start
        for row, k in self._first_time("loss", ~np.isfinite(loss) & live):
            yield self._event(start + row, k, "nonfinite", "loss", loss[row, k], f"the loss is {loss[row, k]}")
        # A gradient that overflows in half precision is what the loss scale is for.
        scaled = self._scale is not None or bool((chunk.figures.scale != 1.0).any())
        kinds = (("parameter", WEIGHT),) if scaled else (("parameter", WEIGHT), ("gradient", GRADIENT))
        for where, what in kinds:
            bad = ~np.isfinite(norms[:, :, what])  # [F, L, K]
            # Behind a loss that is not finite no gradient can be; that is no news.
            news = bad.any(axis=1) & live & (np.isfinite(loss) if where == "gradient" else True)
            for row, k in self._first_time(where, news):
                # Backward begins at the output, so the last of the layers is where it came in.
                layer = int(np.flatnonzero(bad[row, :, k])[-1 if where == "gradient" else 0])
                value = norms[row, layer, what, k]
                detail = f"the {where} norm of layer {self._layers[layer]} is {value}"
                yield self._event(start + row, k, "nonfinite", where, value, detail, self._layers[layer])

    def _activations(self, chunk: Chunk, limit: NDArray[np.int64]) -> Iterator[Event]:
        for sample in chunk.activations:
            mean = sample.values[:, 0].cpu().numpy()  # [depth, K]
            if not mean.size:
                continue
            bad = ~np.isfinite(mean)
            for _, k in self._first_time("activation", bad.any(axis=0)[None] & (sample.step < limit)):
                layer = int(bad[:, k].argmax())
                name, value = self._layers[layer], mean[layer, k]
                detail = f"the mean activation of layer {name} is {value}"
                yield self._event(sample.step, k, "nonfinite", "activation", value, detail, name)

    def _first_time(self, where: str, found: Mask) -> Iterator[tuple[int, int]]:
        """Yield (row, member) of the first True of every member that has not been told of before."""
        for k in np.flatnonzero(found.any(axis=0) & ~self._told[where]):
            self._told[where][k] = True
            yield int(found[:, k].argmax()), int(k)

    def _jumps(self, chunk: Chunk, live: Mask) -> Iterator[Event]:
        start = chunk.window.start
        loss = chunk.figures.loss.astype(np.float64)
        norm = np.sqrt(np.square(chunk.figures.norms[:, :, GRADIENT], dtype=np.float64).sum(axis=1))
        with np.errstate(invalid="ignore", over="ignore"):
            usual_loss, usual_norm = self._loss.follow(loss), self._gradient.follow(norm)
            high, normal, second = self._spiking(loss, usual_loss, live)
            spikes = list(self._spikes.begin(high, normal))
            losses = list(self._loss_up.begin(*_leaving(np.abs(loss), usual_loss, live)))
            norms = list(self._gradient_up.begin(*_exploding(norm, usual_norm, live)))
        earlier = np.concatenate([self._last[None], loss[:-1]])
        self._last = loss[-1]
        for row, k in spikes:
            step, value = (start + row - 1, earlier[row, k]) if second[row, k] else (start + row, loss[row, k])
            detail = f"the loss jumped to {value:.4g} from a running median of {usual_loss.median[row, k]:.4g}"
            yield self._event(step, k, "spike", "loss", value, detail)
        for row, k in losses:
            detail = f"the loss is {loss[row, k]:.4g}, it began at {usual_loss.start[row, k]:.4g}"
            yield self._event(start + row, k, "explosion", "loss", loss[row, k], detail)
        for row, k in norms:
            layer = self._layers[int(chunk.figures.norms[row, :, GRADIENT, k].argmax())]
            median, first = usual_norm.median[row, k], usual_norm.start[row, k]
            before = f"its running median was {median:.4g}" if np.isfinite(median) else f"it began at {first:.4g}"
            detail = f"the gradient norm is {norm[row, k]:.4g}, {before}; layer {layer} has the largest share"
            yield self._event(start + row, k, "explosion", "gradient", norm[row, k], detail, layer)

    def _spiking(self, loss: Floats, usual: Usual, live: Mask) -> tuple[Mask, Mask, Mask]:
        """Return where there is a spike, where it is over, and where it is known by its second step only."""
        excess, level = loss - usual.median, np.abs(usual.start)
        high = (excess > SPIKE_Z * usual.spread) & (excess > SPIKE_HIGH * (usual.high - usual.median)) & live
        some, enough = high & (excess > SPIKE_TWO * level), high & (excess > SPIKE_ONE * level)
        second = some & np.concatenate([self._some[None], some[:-1]])
        self._some = some[-1]
        return enough | second, excess < SPIKE_Z / 2 * usual.spread, second

    def _rates(self, chunk: Chunk, live: Mask) -> Iterator[Event]:
        lr = chunk.window.lr
        before = lr[:1] if self._rate is None else self._rate[None]
        self._rate = lr[-1].copy()
        changed = np.diff(lr, axis=0, prepend=before) != 0
        for row, k in zip(*np.nonzero(changed & live & self._sudden), strict=True):
            old = lr[row - 1, k] if row else before[0, k]
            detail = f"the learning rate went from {old:.4g} to {lr[row, k]:.4g}"
            yield self._event(chunk.window.start + row, k, "lr_change", "optimizer", lr[row, k], detail)

    def _scales(self, chunk: Chunk, live: Mask) -> Iterator[Event]:
        scale = chunk.figures.scale
        if self._scale is None and (scale == 1.0).all():
            return  # not half precision
        before = scale[:1] if self._scale is None else self._scale[None]
        self._scale = scale[-1].copy()
        changed = np.diff(scale, axis=0, prepend=before) != 0
        for row, k in zip(*np.nonzero(changed & live), strict=True):
            old = scale[row - 1, k] if row else before[0, k]
            why = "a gradient overflowed" if scale[row, k] < old else "no gradient has overflowed for long"
            detail = f"the loss scale went from {old:g} to {scale[row, k]:g}: {why}"
            yield self._event(chunk.window.start + row, k, "loss_scale", "gradient", scale[row, k], detail)

    def _count_clips(self, chunk: Chunk, live: Mask) -> None:
        self._clipped += (live & (chunk.figures.clip < 1.0)).sum(axis=0)
        self._steps += live.sum(axis=0)


def _leaving(loss: Floats, usual: Usual, live: Mask) -> tuple[Mask, Mask]:
    level = np.abs(usual.start)
    return (loss >= EXPLOSION_START * level) & (level > 0) & live & np.isfinite(loss), loss < level


def _exploding(norm: Floats, usual: Usual, live: Mask) -> tuple[Mask, Mask]:
    sudden = (norm > EXPLOSION_MEDIAN * usual.median) & (norm > EXPLOSION_FLOOR * usual.start)
    large = (sudden | (norm > EXPLOSION_START * usual.start)) & (usual.start > 0) & (norm > EXPLOSION_NORM)
    return large & live & np.isfinite(norm), norm < np.maximum(EXPLOSION_FLOOR * usual.start, EXPLOSION_NORM)
