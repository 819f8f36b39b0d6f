"""All benchmarks, then docs/PERFORMANCE.md with their tables and figure: ``make bench``, or ``python -m benchmarks``.

Each also runs alone, ``python -m benchmarks.epochs``. With ``--page`` nothing is measured: the page is written from the
rows of earlier runs in docs/performance.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.measure import FOLDER

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "PERFORMANCE.md"
FIGURE = ROOT / "docs" / "figures" / "performance"
FROM_DATA = {"kmeans": "--data", "study": "--usps"}  # those that take real data, and the option


def fill(text, folder=FOLDER):
    """Return a page with each ``<!-- table: NAME -->`` ... ``<!-- end -->`` filled from NAME.csv, where it exists."""

    def table(found):
        path = folder / f"{found[1]}.csv"
        if not path.exists():
            return f"{found[0].splitlines()[0]}\n\nNot measured yet.\n\n<!-- end -->"
        rows = pd.read_csv(path)
        [machine], dates = rows.pop("machine").unique(), rows.pop("date")
        rows = rows.dropna(axis=1, how="all")
        shown = rows.map(lambda value: _short(value) if isinstance(value, float) else value).replace("nan", "")
        lines = shown.to_markdown(index=False, disable_numparse=True)
        return f"<!-- table: {found[1]} -->\n\n{lines}\n\n{machine}; {dates.max()}.\n\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->.*?<!-- end -->", table, text, flags=re.DOTALL)


def _short(value):
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


def ratios(folder=FOLDER):
    """Return what the figure shows: how often faster than a peer, by group and label."""
    bars = []
    if (folder / "epochs.csv").exists():
        rows = pd.read_csv(folder / "epochs.csv").dropna(subset=["ClustPy / ours"])
        bars += [
            (f"{row['training']}, {row['data']}", row["ClustPy / ours"], "ClustPy, an epoch")
            for _, row in rows.iterrows()
        ]
    if (folder / "study.csv").exists():
        rows = pd.read_csv(folder / "study.csv").dropna(subset=["ClustPy / ours, 1 core"])
        bars += [
            (f"{row['study']}, {cores}", row[f"ClustPy / ours, {cores}"], "ClustPy, a whole study")
            for _, row in rows.iterrows()
            for cores in ("1 core", "2 cores")
        ]
    if (folder / "kmeans.csv").exists():
        rows = pd.read_csv(folder / "kmeans.csv")
        rows = rows[rows["other"].str.contains("scikit-learn")]
        bars += [(row["case"], row["ratio"], "scikit-learn, k-means") for _, row in rows.iterrows()]
    return pd.DataFrame(bars, columns=["label", "ratio", "peer"])


@mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "deepkm"})
def draw(bars):
    """Draw one bar per comparison: times faster than the peer."""
    colors = dict(zip(bars["peer"].unique(), ("#0077bb", "#ee7733", "#117733"), strict=False))
    figure = Figure(figsize=(7.2, 0.6 + 0.2 * len(bars)), layout="constrained")
    axis = figure.subplots()
    for peer, rows in bars.groupby("peer", sort=False):
        drawn = axis.barh(rows.index, rows["ratio"], color=colors[peer], label=f"than {peer}")
        axis.bar_label(drawn, fmt="%.1f", padding=2)
    axis.axvline(1, color="black", lw=0.8)
    axis.set_yticks(bars.index, bars["label"])
    axis.invert_yaxis()
    axis.set(xlabel="times faster", ylim=(len(bars) - 0.4, -0.6))
    axis.legend(frameon=False, loc="upper right")
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="store_true", help="write the page alone")
    parser.add_argument("--mnist", help="MNIST as .npz, for k-means")
    parser.add_argument("--usps", help="USPS as .npz, for the study")
    args = parser.parse_args()
    if not args.page:
        data = {"kmeans": args.mnist, "study": args.usps}
        for name in ("epochs", "optimisations", "stacked", "kmeans", "study", "scale"):
            options = [FROM_DATA[name], data[name]] if data.get(name) else []
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], cwd=ROOT, check=True)
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    bars = ratios()
    if len(bars):
        figure = draw(bars)
        figure.savefig(f"{FIGURE}.png", dpi=200)
        figure.savefig(f"{FIGURE}.svg", metadata={"Date": None})
    print(f"{PAGE.relative_to(ROOT)} is written")


if __name__ == "__main__":
    main()
