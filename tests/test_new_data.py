"""New data: in the form of those that a model was trained on, or refused in one line, from arrays and files."""

import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from test_models import N_SAMPLES, Jobs, raw

import deepkm
from deepkm.__main__ import main as command
from deepkm.datasets.features import load_features
from deepkm.datasets.form import form_of, form_of_kept


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two clusterings, and the table of their labels."""
    jobs = Jobs(tmp_path_factory.mktemp("models"), raw())
    jobs.files = {key: jobs.train(key) for key in ("ct", "ward")}
    jobs.table = jobs.tabulate(["ct", "ward"])
    return jobs


@pytest.mark.parametrize("scaling", ["unit", "symmetric", "standard", "rows", "none"])
@pytest.mark.parametrize("kind", ["uint8", "int16", "int64", "uint64", "float32", "float64"])
def test_new_data_are_scaled_as_the_training_data(scaling, kind, tmp_path):
    random = np.random.default_rng(0)
    x = random.integers(1, 200, (30, 4)).astype(kind)
    x = x + random.random((30, 4)).astype(kind) if np.dtype(kind).kind == "f" else x
    np.savez(tmp_path / "x.npz", feature=x)
    found = form_of(tmp_path / "x.npz", scaling)
    form = form_of_kept(found.kept()[0], json.loads(json.dumps(found.kept()[1])))
    expected = load_features(tmp_path / "x.npz", scaling)
    np.testing.assert_array_equal(form.scaled(x), expected)
    np.testing.assert_array_equal(form.scaled(x.astype(np.float64))[:3], expected[:3])
    np.testing.assert_array_equal(form.scaled(x[5:6]), expected[5:6])
    if scaling != "rows":
        np.testing.assert_allclose(form.unscaled(expected), x, rtol=1e-4)


def test_long_integers_below_the_smallest_of_training(tmp_path):
    x = np.array([[5], [7]], np.int64)
    np.savez(tmp_path / "x.npz", feature=x)
    form = form_of(tmp_path / "x.npz", "unit")
    assert form.scaled(np.array([[3], [9]])).ravel().tolist() == [-1, 2]
    np.savez(tmp_path / "x.npz", feature=x + 0.5)
    assert form_of(tmp_path / "x.npz", "unit").scaled(np.array([[5]])).tolist() == [[-0.25]]


@pytest.fixture(scope="module")
def of_images(tmp_path_factory):
    """The form of 40 images of bytes, 6 x 5, all over [0, 255]."""
    path = tmp_path_factory.mktemp("images") / "x.npz"
    np.savez(path, feature=np.random.default_rng(0).integers(0, 256, (40, 6, 5)).astype(np.uint8))
    return form_of(path, "unit")


@pytest.mark.parametrize("shape", [(40, 30), (40, 6, 5), (40, 6, 5, 1)])
def test_images_may_be_rows(shape, of_images):
    x = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_allclose(of_images.scaled(x), x.reshape(40, 30) / 255, atol=1e-3)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 31), np.uint8), r"got an array of shape \(3, 31\), expected a row of 30 features"),
        (np.zeros((3, 5, 6), np.uint8), r"got an array of shape \(3, 5, 6\), .* or the shape \(6, 5\)"),
        (np.zeros(30, np.uint8), r"got an array of shape \(30,\), expected a row of 30 features for each sample"),
        (np.full((3, 30), np.nan), "got 90 NaN or infinite numbers"),
        (np.full((3, 30), "a"), "expected real numbers"),
        (np.full((1, 30), 0.5), r"with decimals, expected whole ones; give raw numbers as those of training, 0 to 255"),
        (np.full((10, 30), 1000), "got numbers from 1000 to 1000, most of them outside"),
        (np.full((10, 30), -1), "got numbers from -1 to -1, most of them outside|-1"),
        (np.full((1, 30), 1e30), "too large for distances in float32"),
    ],
)
def test_data_of_another_form_are_one_line(x, message, of_images):
    if (x == -1).all():
        x = x - 99
    with pytest.raises(ValueError, match=message) as caught:
        of_images.scaled(x)
    assert "\n" not in str(caught.value)


def test_data_that_are_scaled_already_are_refused(made):
    model, x = deepkm.load(made.files["ct"]), load_features(made.data, "standard")
    with pytest.raises(ValueError, match="X: got numbers with decimals, expected whole ones; give raw numbers"):
        model.predict(x)
    with pytest.raises(ValueError, match="X: got an array of shape"):
        model.predict(raw()[:, :5])
    with pytest.raises(ValueError, match="X: got masked numbers"):
        model.predict(np.ma.masked_less(raw(), 0))


def test_one_odd_sample_is_no_other_scaling(tmp_path):
    np.savez(tmp_path / "x.npz", feature=np.random.default_rng(0).normal(size=(30, 4)))
    form = form_of(tmp_path / "x.npz", "standard")
    assert np.abs(form.scaled(np.full((1, 4), 50.0))).min() > 10
    with pytest.raises(ValueError, match="most of them outside"):
        form.scaled(np.full((20, 4), 50.0))


# Files of new data


@pytest.mark.parametrize("kind", ["npy", "csv", "npz"])
def test_rows_whose_pixels_stood_column_by_column(kind, tmp_path):
    upright = np.random.default_rng(0).integers(0, 256, (40, 4, 5)).astype(np.uint8)
    rows = upright.transpose(0, 2, 1).reshape(40, 20)
    path = tmp_path / f"mine.{kind}"
    if kind == "npy":
        np.save(path, rows)
    elif kind == "npz":
        np.savez(path, feature=rows, image_shape=[4, 5])
    else:
        pd.DataFrame(rows).add_prefix("p").to_csv(path, index=False)
    size = {} if kind == "npz" else {"image_size": [4, 5]}  # the file says it
    jobs = Jobs(tmp_path, path=path.name, columnwise=True, target_column=None, **size)
    file = jobs.train("km")
    model = deepkm.load(file)
    assert (model.predict(upright) == model.labels_).all()
    with pytest.raises(ValueError, match=r"rows of 20 pixels, which stood column by column .*reshape\(-1, 5, 4\)"):
        model.predict(rows)
    np.testing.assert_array_equal(rows.reshape(-1, 5, 4).transpose(0, 2, 1), upright)
    np.save(tmp_path / "upright.npy", upright)
    np.save(tmp_path / "rows.npy", rows)
    for new in (path, tmp_path / "upright.npy", *([] if kind == "csv" else [tmp_path / "rows.npy"])):
        assert command(["predict", str(file), str(new), "--output", str(tmp_path / "labels.csv")]) == 0
        assert (pd.read_csv(tmp_path / "labels.csv")["label"] == model.labels_).all()


def test_columns_of_a_data_frame_are_found_by_their_names_in_a_file(tmp_path):
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)) * [1, 5, 25], columns=["a", "b", "c"])
    model = deepkm.KMeans(n_clusters=3, random_state=0).fit(x)
    deepkm.save(model, tmp_path / "model.h5")
    kept = deepkm.load(tmp_path / "model.h5")
    assert kept.feature_names_in_.tolist() == ["a", "b", "c"]
    assert (kept.predict(x) == model.labels_).all()
    with pytest.raises(ValueError, match="feature names should match"):
        kept.predict(x[["c", "b", "a"]])
    x.assign(d=1)[["c", "d", "b", "a"]].to_csv(tmp_path / "new.csv", index=False)
    command(["predict", *map(str, (tmp_path / "model.h5", tmp_path / "new.csv", "--output", tmp_path / "labels.csv"))])
    assert (pd.read_csv(tmp_path / "labels.csv")["label"] == model.labels_).all()


def table(n_samples=40, seed=0):
    x = np.random.default_rng(seed).normal(size=(n_samples, 3)) + 6 * (np.arange(n_samples) % 3)[:, None]
    frame = pd.DataFrame(x * [1, 10, 100] + [0, 500, -3000], columns=["a", "b", "c"])  # no two are alike
    return frame.assign(id=[f"s{i}" for i in range(n_samples)], kind=np.arange(n_samples) % 3)


@pytest.fixture(scope="module")
def tabled(tmp_path_factory):
    """A model of a table with ids and classes."""
    folder = tmp_path_factory.mktemp("table")
    table().to_csv(folder / "mine.csv", index=False)
    jobs = Jobs(folder, path="mine.csv", target_column="kind", ignore_columns=["id"])
    jobs.model = jobs.train("ct")
    return jobs


def predicted(model, data, tmp_path, *options):
    """Return the table that `predict` writes."""
    assert command(["predict", str(model), str(data), "--output", str(tmp_path / "l.csv"), *options]) == 0
    return pd.read_csv(tmp_path / "l.csv")


def test_ids_stand_in_the_table_of_labels(tabled):
    found = tabled.tabulate(["ct"])
    assert list(found) == ["sample", "id", "ct_seed5"]
    assert found["sample"].tolist() == [*range(40)]
    assert found["id"].tolist() == table()["id"].tolist()


@pytest.mark.parametrize("name", ["new.csv", "new.tsv", "new.parquet"])
def test_columns_are_found_by_their_names(name, tabled, tmp_path):
    frame = table()[["c", "id", "b", "a"]].assign(note="x")  # another order, no classes
    write = {".csv": frame.to_csv, ".tsv": lambda path, index: frame.to_csv(path, index=index, sep="\t")}
    write.get(name[3:], frame.to_parquet)(tmp_path / name, index=False)
    found, expected = predicted(tabled.model, tmp_path / name, tmp_path), tabled.tabulate(["ct"])
    assert list(found) == ["sample", "id", "label"]
    assert found["id"].tolist() == table()["id"].tolist()
    assert found["label"].tolist() == expected["ct_seed5"].tolist()
    model = deepkm.load(tabled.model)
    np.testing.assert_array_equal(model.predict(frame), found["label"])
    with pytest.raises(ValueError, match="X: got no columns 'b' among 'c', 'id', 'a', 'note', expected one"):
        model.predict(frame.drop(columns="b"))


def test_a_table_without_a_column_is_refused(tabled, tmp_path, capsys):
    table().drop(columns="b").to_csv(tmp_path / "new.csv", index=False)
    assert command(["predict", str(tabled.model), str(tmp_path / "new.csv"), "--output", str(tmp_path / "l.csv")]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'new.csv'}: got no columns 'b' among" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "l.csv").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "got no such file or folder, expected new samples; correct the path"),
        ("1,2,3\n4,5,6\n", "got no columns 'a' among '1', '2', '3', expected one; name the columns as in the training"),
        ("a,b,c\n1,2,x\n", "got 'x' in column 'c', row 1, expected numbers"),
        ("a,b,c\n1,,3\n", "got 1 NaN or infinite numbers in 1 of 1 samples"),
        ("a,b,c\n", "got feature of shape (0, 3)"),
        ("a,b,c,b\n1,2,3,4\n", "got 2 columns 'b' among"),
    ],
)
def test_wrong_files_are_one_line(text, message, tabled, tmp_path, capsys):
    path = tmp_path / "new.csv"
    if text:
        path.write_text(text)
    assert command(["predict", str(tabled.model), str(path), "--output", str(tmp_path / "l.csv")]) == 2
    said = capsys.readouterr().err
    assert f"{path}: {message}" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("kind", ["npz", "npy", "h5", "mat"])
def test_arrays_of_all_kinds(kind, made, tmp_path):
    path, x = tmp_path / f"new.{kind}", raw()
    if kind == "npz":
        np.savez(path, feature=x, target=np.arange(N_SAMPLES), sample_ids=[f"s{i}" for i in range(N_SAMPLES)])
    elif kind == "npy":
        np.save(path, x)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["feature"] = x
    else:
        import scipy.io  # noqa: PLC0415

        scipy.io.savemat(path, {"feature": x})
    found = predicted(made.files["ct"], path, tmp_path)
    assert found["label"].tolist() == made.table["ct_seed5"].tolist()
    assert ("id" in found) == (kind == "npz")


def test_a_table_without_names_for_a_model_of_an_array(made, tmp_path, capsys):
    path = tmp_path / "new.csv"
    np.savetxt(path, raw(), delimiter=",", fmt="%.17g")
    found = predicted(made.files["ct"], path, tmp_path, "--header", "false")
    assert found["label"].tolist() == made.table["ct_seed5"].tolist()
    assert command(["predict", str(made.files["ct"]), str(path), "--output", str(tmp_path / "l.csv")]) == 2
    assert "names, or a sample?" in capsys.readouterr().err


def test_what_an_entry_would_say_of_a_file_is_an_option(made, tmp_path, capsys):
    path, arguments = tmp_path / "new.csv", [str(made.files["ct"]), str(tmp_path / "new.csv")]
    pd.DataFrame(raw()).add_prefix("x").assign(id=range(len(raw()))).to_csv(path, index=False, float_format="%.17g")
    assert command(["predict", *arguments, "--output", str(tmp_path / "l.csv")]) == 2
    assert "ignore_columns: [id]" in capsys.readouterr().err
    for said in (["id"], ["id", "x0"]):
        code = command(["predict", *arguments, "--output", str(tmp_path / "l.csv"), "--ignore-columns", *said])
        assert code == (0 if said == ["id"] else 2)
    assert "(100, 63), expected a row of 64 features" in capsys.readouterr().err
    assert pd.read_csv(tmp_path / "l.csv")["label"].tolist() == made.table["ct_seed5"].tolist()
    np.savez(tmp_path / "new.npz", values=raw(), more=raw())
    found = predicted(made.files["ct"], tmp_path / "new.npz", tmp_path, "--feature-array", "values")
    assert found["label"].tolist() == made.table["ct_seed5"].tolist()
    arguments = [str(made.files["ct"]), str(tmp_path / "new.npz"), "--output", str(tmp_path / "l.csv")]
    assert command(["predict", *arguments, "--header", "true"]) == 2
    assert "got `header`, which says nothing of this kind of data" in capsys.readouterr().err


def test_the_numbers_of_columns_to_leave_out_may_differ_from_training(tmp_path):
    np.save(tmp_path / "mine.npy", raw()[:, :5])
    jobs = Jobs(tmp_path, path="mine.npy")
    model, found = jobs.train("ct"), jobs.tabulate(["ct"])["ct_seed5"].tolist()
    np.save(tmp_path / "new.npy", np.column_stack([raw()[:, :5], np.arange(100)]))
    assert predicted(model, tmp_path / "new.npy", tmp_path, "--ignore-columns", "6")["label"].tolist() == found


def test_columns_of_an_array_are_left_out_as_in_training(tmp_path):
    x = np.column_stack([np.arange(100), raw()[:, :5], np.arange(100) % 3])
    np.save(tmp_path / "mine.npy", x)
    jobs = Jobs(tmp_path, path="mine.npy", target_column=7, ignore_columns=[1])
    model, found = jobs.train("ct"), jobs.tabulate(["ct"])["ct_seed5"].tolist()
    assert predicted(model, tmp_path / "mine.npy", tmp_path)["label"].tolist() == found
    assert deepkm.load(model).predict(raw()[:, :5]).tolist() == found


def test_labels_stay_none_whatever_else_is_left_out(tmp_path):
    x = np.column_stack([raw()[:, :5], np.arange(100) % 3])
    np.save(tmp_path / "mine.npy", x)
    jobs = Jobs(tmp_path, path="mine.npy", target_column=6)
    model, found = jobs.train("ct"), jobs.tabulate(["ct"])["ct_seed5"].tolist()
    np.save(tmp_path / "new.npy", np.column_stack([x, np.arange(100)]))
    assert predicted(model, tmp_path / "new.npy", tmp_path, "--ignore-columns", "7")["label"].tolist() == found


def test_an_array_of_another_name_for_a_model_of_a_table(tabled, tmp_path):
    np.savez(tmp_path / "new.npz", x=table()[["a", "b", "c"]].to_numpy(), more=np.eye(3))
    found = predicted(tabled.model, tmp_path / "new.npz", tmp_path, "--feature-array", "x")
    assert found["label"].tolist() == tabled.tabulate(["ct"])["ct_seed5"].tolist()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            ["--ignore-columns", "id"],
            "got `ignore_columns`, expected none: the columns of a table are found",
        ),
        (["--feature-array", "x"], "got `feature_array`, which says nothing of this kind of data; remove it"),
    ],
)
def test_what_says_nothing_of_a_table_with_names_is_refused(said, message, tabled, tmp_path, capsys):
    table().to_csv(tmp_path / "new.csv", index=False)
    arguments = [str(tabled.model), str(tmp_path / "new.csv"), "--output", str(tmp_path / "l.csv")]
    assert command(["predict", *arguments, *said]) == 2
    assert message in capsys.readouterr().err


def test_an_array_for_a_model_of_a_table(tabled, tmp_path):
    x = table()[["a", "b", "c"]].to_numpy()
    np.save(tmp_path / "new.npy", x)
    found = predicted(tabled.model, tmp_path / "new.npy", tmp_path)
    assert found["label"].tolist() == tabled.tabulate(["ct"])["ct_seed5"].tolist()
    np.save(tmp_path / "new.npy", np.sort(np.round(x), axis=0)[:3])  # what would be looked at twice in training
    assert len(predicted(tabled.model, tmp_path / "new.npy", tmp_path)) == 3


def test_a_folder_of_images(tmp_path):
    random = np.random.default_rng(0)
    for i, image in enumerate(random.integers(0, 256, (24, 9, 7)).astype(np.uint8)):
        path = tmp_path / "photos" / f"kind{i % 2}" / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    jobs = Jobs(tmp_path, path="photos", scaling="unit", image_size=[6, 6])
    model, found = jobs.train("ct"), jobs.tabulate(["ct"])
    assert found["id"].tolist()[:2] == ["kind0/00.png", "kind0/02.png"]
    new = predicted(model, tmp_path / "photos", tmp_path)
    assert new["label"].tolist() == found["ct_seed5"].tolist()
    assert new["id"].tolist() == found["id"].tolist()
    shutil.copytree(tmp_path / "photos" / "kind1", tmp_path / "other")  # without classes
    assert predicted(model, tmp_path / "other", tmp_path)["label"].tolist() == found["ct_seed5"].tolist()[12:]


def test_a_method_without_a_rule_says_so(made, tmp_path, capsys):
    np.savez(tmp_path / "x.npz", feature=raw())
    arguments = [str(made.files["ward"]), str(tmp_path / "x.npz"), "--output", str(tmp_path / "l.csv")]
    assert command(["predict", *arguments]) == 2
    assert "got Ward, which has no rule for new samples; take another method" in capsys.readouterr().err


def test_ids_follow_the_samples_that_are_left(tmp_path):
    frame = table().assign(kind=[-1 if i in (0, 7) else i % 3 for i in range(40)])
    frame.to_csv(tmp_path / "mine.csv", index=False)
    jobs = Jobs(tmp_path, path="mine.csv", target_column="kind", ignore_columns=["id"], drop_labels=[-1], first=20)
    jobs.train("km")
    assert jobs.tabulate(["km"])["id"].tolist() == [f"s{i}" for i in range(22) if i not in (0, 7)]


def test_names_of_samples_of_which_no_run_is_done_yet(tmp_path):
    names = [f"s{i}" for i in range(N_SAMPLES)]
    np.savez(tmp_path / "mine.npz", feature=raw(), sample_ids=names)
    assert Jobs(tmp_path).tabulate([])["id"].tolist() == names


@pytest.mark.parametrize("ids", [np.arange(9), np.zeros((100, 2), int), np.linspace(0, 1, 100)])
def test_ids_that_are_not_one_for_each_sample(ids, tmp_path):
    np.savez(tmp_path / "mine.npz", feature=raw(), sample_ids=ids)
    with pytest.raises(ValueError, match=r"got sample_ids of shape .* expected 100 names or whole numbers"):
        Jobs(tmp_path)
