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

from benchmarks.measure import FOLDER, ORIGIN

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "PERFORMANCE.md"
FIGURE = ROOT / "docs" / "figures" / "performance"
BENCHMARKS = "products epochs shares optimisations stacked kmeans study scale rows parts".split()
FROM = {"kmeans": "--data", "study": "--usps", "rows": "--mnist", "parts": "--results"}  # those that read files


def fill(text, folder=FOLDER):
    """Return a page with each ``<!-- table: NAME -->`` ... ``<!-- end -->`` filled from NAME.csv, by processor."""
    return re.sub(
        r"<!-- table: (\w+) -->.*?<!-- end -->",
        lambda found: "\n\n".join([found[0].splitlines()[0], *_tables(folder / f"{found[1]}.csv"), "<!-- end -->"]),
        text,
        flags=re.DOTALL,
    )


def _tables(path):
    """Return what stands under each processor, and on which others nothing has been measured."""
    groups = dict(list(pd.read_csv(path).groupby("processor"))) if path.exists() else {}
    for processor, rows in groups.items():
        yield f"**{processor}** ({_origin(rows)}):"
        shown = rows.drop(columns=ORIGIN).dropna(axis=1, how="all")
        shown = shown.map(lambda value: _short(value) if isinstance(value, float) else value).replace("nan", "")
        yield shown.to_markdown(index=False, disable_numparse=True)
    if not groups:
        yield "Not measured yet."
    elif not path.stem.startswith("gpu") and (missing := sorted(_processors(path.parent) - set(groups))):
        yield f"Not measured on {' and '.join(missing)}."


def _origin(rows):
    """Return by what, when and how rows were measured, each once."""
    said = []
    for _, (versions, day, command, load) in rows[ORIGIN[1:]].drop_duplicates().iterrows():
        beside = "" if pd.isna(load) else f", at a load of {load}"
        said.append(f"{versions}, {day}, `{command}`{beside}")
    return "; ".join(dict.fromkeys(said))


def _processors(folder):
    paths = (path for path in folder.glob("*.csv") if not path.stem.startswith("gpu"))
    return {name for path in paths for name in pd.read_csv(path)["processor"]}


def _short(value):
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def ratios(folder=FOLDER):
    """Return what the figure shows: how often faster than a peer, by processor, group and label."""
    bars = []
    if (folder / "epochs.csv").exists():
        for _, row in pd.read_csv(folder / "epochs.csv").dropna(subset=["ClustPy / ours"]).iterrows():
            label = f"{row['training']}, {row['data']}"
            bars.append((row["processor"], label, row["ClustPy / ours"], "ClustPy, an epoch"))
    if (folder / "study.csv").exists():
        for _, row in pd.read_csv(folder / "study.csv").iterrows():
            length = f"{row['pretraining_epochs']:g} + {row['epochs']:g} epochs"
            for cores in ("1 core", "2 cores"):
                ratio = row[f"ClustPy / ours, {cores}"]  # not all are measured
                bars.append((row["processor"], f"{row['study']}, {length}, {cores}", ratio, "ClustPy, a whole study"))
    if (folder / "kmeans.csv").exists():
        rows = pd.read_csv(folder / "kmeans.csv")
        for _, row in rows[rows["other"] == "scikit-learn"].iterrows():
            bars.append((row["processor"], row["case"], row["ratio"], "scikit-learn, k-means"))
    return pd.DataFrame(bars, columns=["processor", "label", "ratio", "peer"]).dropna(subset=["ratio"])


@mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "deepkm"})
def draw(bars):
    """Draw one bar per comparison, a panel per processor: times faster than the peer."""
    colors = dict(zip(bars["peer"].unique(), ("#0077bb", "#ee7733", "#117733"), strict=False))
    places = {label: place for place, label in enumerate(bars["label"].unique())}
    processors = bars["processor"].unique()
    figure = Figure(figsize=(7.2, 0.9 + 0.2 * len(places)), layout="constrained")
    panels = figure.subplots(1, len(processors), sharex=True, sharey=True, squeeze=False)[0]
    for axis, processor in zip(panels, processors, strict=True):
        for peer, rows in bars[bars["processor"] == processor].groupby("peer", sort=False):
            drawn = axis.barh(rows["label"].map(places), rows["ratio"], color=colors[peer], label=f"than {peer}")
            axis.bar_label(drawn, fmt="%.1f", padding=2, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        axis.axvline(1, color="black", lw=0.8)
        axis.set(title=processor, xlabel="times faster")
    panels[0].set(ylim=(len(places) - 0.4, -0.6))
    panels[0].set_yticks(list(places.values()), list(places))
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="store_true", help="write the page alone")
    parser.add_argument("--mnist", help="MNIST as .npz, for k-means and large data")
    parser.add_argument("--usps", help="USPS as .npz, for the study")
    parser.add_argument("--results", help="of the default study, done, for where its time goes; else that is left out")
    args = parser.parse_args()
    if not args.page:
        files = {"kmeans": args.mnist, "study": args.usps, "rows": args.mnist, "parts": args.results}
        for name in BENCHMARKS if args.results else BENCHMARKS[:-1]:
            options = [FROM[name], files[name]] if files.get(name) else []
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
