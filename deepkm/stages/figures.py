"""Draw the figures of a study: results/figures/*.{png,svg}."""

from pathlib import Path

import pandas as pd

from deepkm.report.figures import draw_ablations, draw_losses, draw_scores, save


def add_arguments(parser):
    parser.add_argument("--epochs", required=True, help="results/epochs.csv")
    parser.add_argument("--scores", required=True, help="results/scores.csv")
    parser.add_argument("--output", required=True, type=Path, help="the folder to write to")


def main(args):
    titles, ablations = dict(args.spec["methods"]), args.spec["ablations"]
    curves, scores = pd.read_csv(args.epochs), pd.read_csv(args.scores)
    args.output.mkdir(parents=True, exist_ok=True)
    for dataset, title in args.spec["datasets"]:
        curve, score = (table[table["dataset"] == dataset] for table in (curves, scores))
        drawings = {
            "losses": draw_losses(curve, titles, title=title),
            "scores_over_epochs": draw_scores(curve, titles, title=title),
            "ablation": draw_ablations(score, titles, ablations, title=title),
        }
        for name, figure in drawings.items():
            if figure is not None:
                save(figure, args.output / f"{dataset}_{name}")
