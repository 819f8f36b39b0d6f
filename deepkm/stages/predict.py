"""Label new samples by the model that a result keeps."""

from pathlib import Path

import pandas as pd

from deepkm.datasets.own import read_new
from deepkm.files import replacing
from deepkm.jobs.models import load
from deepkm.report.frames import name_rows


def add_arguments(parser):
    parser.add_argument(
        "model", type=Path, help="results/clusterings/{method}/{dataset}/*.h5, or what deepkm.save wrote"
    )
    parser.add_argument("data", type=Path, help="raw samples, in any kind of file or folder that a study can read")
    parser.add_argument("--seed", type=int, help="which of the runs of the file; needed where it holds several models")
    parser.add_argument("--header", choices=["true", "false"], help="whether a text table starts with a line of names")
    parser.add_argument("--ignore-columns", nargs="*", metavar="COLUMN", help="columns that are no features")
    parser.add_argument("--feature-array", help="the array of a file that holds the features")
    parser.add_argument("--output", type=Path, required=True, help="the .csv to write: a row for each sample")
    parser.set_defaults(spec="{}")  # everything is read from the model


def main(args):
    if not args.data.exists():
        raise ValueError(f"{args.data}: got no such file or folder, expected new samples; correct the path")
    model = load(args.model, args.seed, device=args.device)
    if not model.labels_new_samples:
        raise ValueError(
            f"{args.model}: got {type(model).__name__}, which has no rule for new samples; take another method"
        )
    form = model.form_  # without one, of an estimator that was fitted in Python, samples are taken as they are
    columns = form.feature_names if form else list(getattr(model, "feature_names_in_", []))
    options = {**(form.options if form else {}), "feature_names": columns}
    said = {"ignore_columns": args.ignore_columns, "feature_array": args.feature_array}
    said["header"] = None if args.header is None else args.header == "true"
    said = {name: value for name, value in said.items() if value is not None}
    arrays = read_new(args.data, said=said, **options)
    try:
        labels = model.predict(arrays.feature if form or not columns else pd.DataFrame(arrays.feature, columns=columns))
    except ValueError as error:
        raise ValueError(f"{args.data}: {str(error).removeprefix('X: ')}") from None
    with replacing(args.output) as file:
        name_rows(pd.DataFrame({"label": labels}), arrays.sample_ids).to_csv(file, index=False)
    print(f"{args.output}: {len(labels)} samples in {len(set(labels))} clusters")
