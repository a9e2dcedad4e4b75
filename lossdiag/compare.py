"""How the configurations of a race did on shared yardsticks: spread over seeds, and differences paired by seed.

Members that share a seed share initial weights and batches, so the difference of two configurations is taken seed
by seed: what the seed does to both cancels. Raw values of different losses have different units and are never
subtracted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from lossdiag.errors import SpecError
from lossdiag.registry import did_you_mean
from lossdiag.store import Recording

OWN_UNIT = ("loss",)
"""Yardsticks in each loss's own unit: comparable between members of one loss, but not between losses."""

NOT_FINITE = "not finite"
NOT_EVALUATED = "not evaluated"


def failed_members(recording: Recording) -> Mapping[int, str]:
    """Return why members without a usable result have none: ``not finite`` or ``not evaluated``, by member.

    A loss that is not finite ends a member; a gradient or an activation that is not finite once need not.
    """
    events = recording.events
    burst = {int(m) for m in events.loc[(events["kind"] == "nonfinite") & (events["where"] == "loss"), "member"]}
    evaluated = {int(m) for m in recording.evals["member"].unique()}
    return {
        int(m): NOT_FINITE if m in burst else NOT_EVALUATED
        for m in recording.members["id"]
        if m in burst or m not in evaluated
    }


def final_values(recording: Recording, *, split: str = "val") -> pd.DataFrame:
    """Return each member's last value of each yardstick on `split`.

    Columns: member, config, loss, seed, metric, value, step, failed (a reason, or empty). Failed members are kept.
    """
    evals = recording.evals[recording.evals["split"] == split]
    last = evals.sort_values("step", kind="stable").drop_duplicates(["member", "metric"], keep="last")
    metrics = pd.DataFrame({"metric": evals["metric"].unique()})
    members = recording.members.rename(columns={"id": "member"})[["member", "config", "loss", "seed"]]
    values = members.merge(metrics, how="cross").merge(
        last[["member", "metric", "step", "value"]], how="left", on=["member", "metric"]
    )
    failed = failed_members(recording)
    values["failed"] = [failed.get(int(member), "") for member in values["member"]]
    return values


def final_table(recording: Recording, *, split: str = "val") -> pd.DataFrame:
    """Return mean and sample standard deviation over seeds of each yardstick for each configuration.

    Columns: config, loss, metric, mean, sd (NaN below two seeds), n (members that count), failed (those that do not),
    failed_members (their labels with the reason). Order: of the configurations, then of the yardsticks.
    """
    values = final_values(recording, split=split)
    rows = []
    for (config, metric), group in values.groupby(["config", "metric"], sort=False):
        good = group.loc[(group["failed"] == "") & group["value"].notna(), "value"].to_numpy(float)
        bad = group[group["failed"] != ""]
        rows.append(
            {
                "config": config,
                "loss": group["loss"].iloc[0],
                "metric": metric,
                "mean": good.mean() if len(good) else math.nan,
                "sd": good.std(ddof=1) if len(good) > 1 else math.nan,
                "n": len(good),
                "failed": len(bad),
                "failed_members": tuple(f"seed {s}: {why}" for s, why in zip(bad["seed"], bad["failed"], strict=True)),
            }
        )
    columns = ["config", "loss", "metric", "mean", "sd", "n", "failed", "failed_members"]
    return pd.DataFrame(rows, columns=columns)


def paired_differences(
    recording: Recording,
    metric: str,
    baseline: str | None = None,
    *,
    split: str = "val",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return the mean difference of `metric` between configurations over the seeds that both finished.

    Columns: config, baseline, metric, mean (config minus baseline), sd (sample standard deviation of the differences),
    low and high (t interval of the mean, as of a paired t test; NaN below two seeds), n (pairs), lost_seeds (seeds left
    out because one of the two failed or the yardstick is undefined there). Each interval is for its pair alone: with
    many pairs, some intervals miss zero by chance.

    Args:
        recording: a run with several configurations.
        metric: a yardstick; not one of `OWN_UNIT` unless both configurations have the same loss.
        baseline: subtract this configuration from every other; None takes every pair.
        split: rows on which it was measured.
        confidence: share of intervals that hold the true mean.

    Raises:
        SpecError: no such yardstick or configuration, or the metric is in the losses' own, different units.
    """
    values = final_values(recording, split=split)
    _require(metric, values["metric"].unique(), "yardstick")
    values = values[values["metric"] == metric]
    configs = list(dict.fromkeys(values["config"]))
    if baseline is not None:
        _require(baseline, configs, "configuration")
    pairs = [(c, baseline) for c in configs if c != baseline] if baseline else list(_pairs(configs))
    if metric in OWN_UNIT:
        _require_one_unit(recording, pairs, metric)
    usable = values["value"].where(values["failed"] == "")
    by_seed = values.assign(usable=usable).pivot(index="seed", columns="config", values="usable")
    rows = [_difference(by_seed, config, other, metric, confidence) for config, other in pairs]
    return pd.DataFrame(rows, columns=["config", "baseline", "metric", "mean", "sd", "low", "high", "n", "lost_seeds"])


def _difference(by_seed: pd.DataFrame, config: str, baseline: str, metric: str, confidence: float) -> dict[str, object]:
    difference = by_seed[config] - by_seed[baseline]
    found = difference.dropna().to_numpy(float)
    n = len(found)
    mean = found.mean() if n else math.nan
    sd = found.std(ddof=1) if n > 1 else math.nan
    reach = stdtrit(n - 1, (1 + confidence) / 2) * sd / math.sqrt(n) if n > 1 else math.nan
    return {
        "config": config,
        "baseline": baseline,
        "metric": metric,
        "mean": mean,
        "sd": sd,
        "low": mean - reach,
        "high": mean + reach,
        "n": n,
        "lost_seeds": tuple(int(seed) for seed in difference.index[difference.isna()]),
    }


def _pairs(configs: Sequence[str]) -> list[tuple[str, str]]:
    return [(later, earlier) for earlier, later in itertools.combinations(configs, 2)]


def _require(name: str, known: Sequence[str] | np.ndarray, what: str) -> None:
    if name not in list(known):
        raise SpecError(
            f"no {what} {name!r} in this run; it has {', '.join(known) or 'none'}.{did_you_mean(name, known)}"
        )


def _require_one_unit(recording: Recording, pairs: Sequence[tuple[str, str]], metric: str) -> None:
    members = recording.members.drop_duplicates("config").set_index("config")
    for config, other in pairs:
        a, b = members.loc[config], members.loc[other]
        if (a["loss"], a["params"]) != (b["loss"], b["params"]):
            raise SpecError(
                f"{metric!r} of {config} and of {other} are in different units and cannot be subtracted; "
                "compare a yardstick that both share"
            )
