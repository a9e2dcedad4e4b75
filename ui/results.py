"""What came out of a race: yardsticks at the end, and differences paired by seed."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from lossdiag.compare import final_table, paired_differences
from lossdiag.figures import paired_differences as forest
from lossdiag.registry import YARDSTICKS
from lossdiag.store import Recording
from ui.charts import chart, theme
from ui.text import plain
from ui.words import SEED, YARDSTICK

_SPLIT = "val"


def show_results(run: Recording, key: str) -> None:
    """Draw the final table and the paired differences of a run that has ended."""
    if run.evals.empty:
        return
    ended = run.status in ("finished", "stopped")
    st.markdown(f"##### {'At the end' if ended else 'When last evaluated'}, on validation rows", help=YARDSTICK)
    table = final_table(run, split=_SPLIT)
    pinned = {"configuration": st.column_config.TextColumn(pinned=True)}
    st.dataframe(final_view(table), hide_index=True, key=f"{key}.final", column_config=pinned)
    st.caption("Mean ± standard deviation over seeds; ★ marks the best mean, which may be chance: see the differences.")
    for sentence in _left_out(table):
        st.caption(sentence)
    if table["config"].nunique() > 1:
        _differences(run, key)


def yardsticks_of(run: Recording) -> list[str]:
    """Return the shared yardsticks that were recorded; the loss too, where all members minimise the same one."""
    recorded = set(run.evals["metric"].unique())
    shared = [name for name in YARDSTICKS if name in recorded]
    one_unit = len(run.spec.losses) == 1 and not any(path.startswith("losses.") for path in run.spec.grid)
    return shared + ["loss"] * (one_unit and "loss" in recorded)


def title_of(metric: str) -> str:
    """Return what people call a yardstick."""
    return YARDSTICKS[metric].title if metric in YARDSTICKS else metric


def final_view(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per configuration and one column per yardstick, each ``mean ± sd``, the best mean starred."""
    cells = [row for row in table.to_dict("records") if row["metric"] in YARDSTICKS]
    order = [name for name in YARDSTICKS if any(row["metric"] == name for row in cells)]
    best = {name: _best(name, [row["mean"] for row in cells if row["metric"] == name]) for name in order}
    rows: dict[str, dict[str, str]] = {}
    for cell in cells:
        count = f"{cell['n']} of {cell['n'] + cell['failed']}"
        row = rows.setdefault(cell["config"], {"configuration": cell["config"], "seeds": count})
        star = " ★" if cell["mean"] == best[cell["metric"]] else ""
        row[title_of(cell["metric"])] = _mean_sd(cell["mean"], cell["sd"]) + star
    return pd.DataFrame(list(rows.values()), columns=["configuration", "seeds", *map(title_of, order)])


def _differences(run: Recording, key: str) -> None:
    st.markdown("##### Differences, paired by seed", help=SEED)
    metrics = yardsticks_of(run)
    if not metrics:
        return
    left, right = st.columns(2)
    metric = left.selectbox("yardstick", metrics, key=f"{key}.paired", format_func=title_of)
    configs = list(dict.fromkeys(run.members["config"]))
    against = right.selectbox(
        "against", [None, *configs], key=f"{key}.against", format_func=lambda c: "every pair" if c is None else c
    )
    table = paired_differences(run, metric, against, split=_SPLIT)
    label = table["config"] + " − " + table["baseline"]
    figure = forest(table.assign(label=label), metric=title_of(metric), theme=theme())
    chart(figure, f"{key}.forest", "Differences between configurations with their intervals")
    st.dataframe(difference_view(table, metric), hide_index=True, key=f"{key}.differences")
    st.caption(
        "Members that share a seed share initial weights and batches, so each difference is taken seed by seed. "
        "The interval is the 95 % t interval of the mean difference, for its pair alone. "
        "The losses' own values are in different units and are not compared."
    )


def difference_view(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return paired differences as a person reads them, with what each interval says."""
    return pd.DataFrame(
        {
            "difference": f"{row['config']} − {row['baseline']}",
            "mean": _number(row["mean"]),
            "sd": _number(row["sd"]).lstrip("+"),
            "95 % interval": _interval(row["low"], row["high"], row["n"]),
            "seeds": row["n"],
            "says": _says(row["low"], row["high"], metric),
            "left out": ", ".join(f"seed {seed}" for seed in row["lost_seeds"]),
        }
        for row in table.to_dict("records")
    )


def _says(low: float, high: float, metric: str) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return "cannot tell"
    if low <= 0 <= high:
        return "no clear difference"
    higher = metric in YARDSTICKS and YARDSTICKS[metric].better == "high"
    return "the first is better" if (low > 0) == higher else "the second is better"


def _best(metric: str, means: list[float]) -> float | None:
    """Return the best of several means; None where there is nothing to choose from, or several are best."""
    finite = [mean for mean in means if math.isfinite(mean)]
    if len(means) < 2 or not finite:
        return None
    best = max(finite) if YARDSTICKS[metric].better == "high" else min(finite)
    return best if finite.count(best) == 1 else None


def _left_out(table: pd.DataFrame) -> list[str]:
    failed = table.drop_duplicates("config")
    return [
        f":material/warning: {plain(row['config'])}: left out {plain(', '.join(row['failed_members']))}"
        for row in failed[failed["failed"] > 0].to_dict("records")
    ]


def _interval(low: float, high: float, seeds: int) -> str:
    if math.isfinite(low):
        return f"{_number(low)} to {_number(high)}"
    return "no seed is left" if seeds == 0 else "needs two seeds"


def _mean_sd(mean: float, sd: float) -> str:
    if not math.isfinite(mean):
        return "–"
    return f"{mean:.4g} ± {sd:.2g}" if math.isfinite(sd) else f"{mean:.4g}"


def _number(value: float) -> str:
    return f"{value:+.3g}" if math.isfinite(value) else "–"
