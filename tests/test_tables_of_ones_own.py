"""Tables as people save them: read rightly, or refused with the names found and the key that decides."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from own_files import classes_of, refused

from deepkm.datasets.own import read_own

ROWS = 12
A, B = np.arange(ROWS) * 0.5 - 3, np.arange(ROWS) ** 2
NAMES = np.array(["x", "y", "z"])[np.arange(ROWS) % 3]
FEATURE = np.column_stack([A, B])


def table(**columns):
    return pd.DataFrame({"a": A, "b": B, **columns})


def write(path, content):
    if isinstance(content, pd.DataFrame):
        content = content.to_csv(index=False)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def csv(tmp_path):
    return lambda content, name="my.csv": write(tmp_path / name, content)


def check(arrays, feature=FEATURE, names=NAMES):
    np.testing.assert_array_equal(arrays.feature, feature)
    if names is None:
        assert arrays.target is None
    else:
        assert classes_of(arrays) == [str(name) for name in names]


def test_the_index_that_pandas_writes_is_no_feature(csv, capsys):
    check(read_own(csv(table(target=NAMES).to_csv())))
    assert "column 1 has no name and numbers the rows: left out" in capsys.readouterr().out
    shuffled = table(target=NAMES).sample(frac=1, random_state=0)
    check(read_own(csv(shuffled.to_csv())), FEATURE[shuffled.index], NAMES[shuffled.index])
    twice = table(target=NAMES).reset_index().rename(columns={"index": "Unnamed: 0"}).to_csv()
    refused(csv(twice), "'Unnamed: 0' could number the rows", "ignore_columns: ['Unnamed: 0']")
    check(read_own(csv(twice), ignore_columns=["Unnamed: 0"]))


@pytest.mark.parametrize(
    "name", ["id", "ID", "index", "idx", "sample_id", "PassengerId", "nr", "#", "serial_no", "Obs", "sample number"]
)
def test_a_number_of_the_row_is_no_feature(csv, name):
    path = csv(table(**{name: np.random.default_rng(0).permutation(ROWS) + 100}, target=NAMES))
    with pytest.raises(ValueError, match=re.escape(repr(name))) as caught:
        read_own(path)
    said = yaml.safe_load(re.search("`(ignore_columns: .+?)`", str(caught.value))[1])  # as an entry would hold it
    check(read_own(path, **said))
    assert read_own(path, ignore_columns=[]).feature.shape == (ROWS, 3)


@pytest.mark.parametrize("name", ["fold", "Split", "cv_fold", "kfold", "is_train", "train/test", "fold.1", "subset"])
def test_a_part_of_the_data_is_no_feature(csv, name):
    path = csv(table(**{name: np.arange(ROWS) % 2}, target=NAMES))
    refused(path, f"{name!r} could tell a part of the data", "ignore_columns")
    check(read_own(path, ignore_columns=[name]))


@pytest.mark.parametrize("name", ["folds_per_gene", "training_load", "test", "split_time", "train_speed"])
def test_measurements_with_such_words_are_features(csv, name):
    path = csv(table(**{name: np.arange(ROWS) % 2}, target=NAMES))
    assert read_own(path).feature.shape == (ROWS, 3)


def test_a_column_that_counts_is_doubtful_whatever_its_name(csv):
    refused(csv(table(t=np.arange(ROWS) + 7)), "'t' counts the rows", "ignore_columns: [t]")
    refused(csv(table(t=np.random.default_rng(0).permutation(ROWS))), "'t' counts the rows")
    assert read_own(csv(table(t=np.arange(ROWS) * 2))).feature.shape == (ROWS, 3)
    refused(csv(table(t=np.random.default_rng(0).permutation(17)[:ROWS])), "'t' counts the rows")  # those for training
    assert read_own(csv("a,b\n1,5\n2,6\n3,8\n")).feature.shape == (3, 2)  # so few say nothing
    assert read_own(csv(table(index=np.linspace(0, 1, ROWS)))).feature.shape == (ROWS, 3)  # refractive, say


@pytest.mark.parametrize(
    "name",
    ["label", "Labels", "class", "CLASS", "classes", "y", "species", "classId", "class_name", "cls", "Target Variable"],
)
def test_what_could_be_labels_is_decided_by_the_entry(csv, name):
    path = csv(table(**{name: np.arange(ROWS) % 3}))
    refused(path, "'a', 'b'", f"{name!r} could be the labels", "target_column")
    check(read_own(path, target_column=name), names=np.arange(ROWS) % 3)
    assert read_own(path, target_column=None).feature.shape == (ROWS, 3)
    assert read_own(path, target_column="null").feature.shape == (ROWS, 3)  # as the command line says it
    beside = csv(table(**{name: np.arange(ROWS) % 2}, target=NAMES))
    refused(beside, f"{name!r} could hold labels", f"ignore_columns: [{name}]")
    check(read_own(beside, ignore_columns=[name]))


@pytest.mark.parametrize("name", ["target", "Target", " target", "TARGET "])
def test_labels_are_found_in_any_case_and_with_blanks(csv, name):
    check(read_own(csv(table(**{name: NAMES}))))


def test_blanks_after_commas(csv):
    lines = [f"{a}, {b}, {name}" for a, b, name in zip(A, B, NAMES, strict=True)]
    check(read_own(csv("\n".join(["a, b, target", *lines]))))
    refused(csv("a,target\n1,x\n2, x\n"), "differ by blanks alone")


def test_accents_stored_in_two_ways(csv):
    refused(csv("a,target\n1,caf\u00e9\n2,cafe\u0301\n3,x\n"), "how an accent is stored")
    for name in ("polar  bear", "polar\u00a0bear", "polar bear\u200b", "\uff50olar bear"):
        refused(csv(f"a,target\n1,polar bear\n2,{name}\n3,x\n"), "by what is hardly seen")
    assert read_own(csv("a,target\n1,caf\u00e9\n2,cafe\n3,x\n")).class_names == ["cafe", "caf\u00e9", "x"]


def test_two_columns_of_labels(csv):
    lines = [f"{a},{name},{name}" for a, name in zip(A, NAMES, strict=True)]
    refused(csv("\n".join(["a,target,target", *lines])), "got 2 columns 'target'")
    refused(csv("\n".join(["a,target,Target", *lines])), "got 2 columns 'target'")
    refused(csv(table(**{"target": NAMES, "target.1": B % 2})), "'target.1' could hold labels")


def test_labels_in_other_clothes(csv):
    coded = table(code=np.arange(ROWS) % 3 * 5, target=NAMES)
    refused(csv(coded), "'code' tells the class of each sample", "ignore_columns: [code]")
    check(read_own(csv(coded), ignore_columns=["code"]))
    dummies = pd.get_dummies(table(species=NAMES), columns=["species"])
    refused(csv(dummies), "'species_x' could hold labels")
    check(read_own(csv(table(code=np.arange(ROWS) % 2, target=NAMES))), np.column_stack([FEATURE, np.arange(ROWS) % 2]))


def test_a_missing_line_of_names(csv):
    headless = table(target=NAMES).to_csv(index=False, header=False)
    refused(csv(headless), "-3.0, 0, x: names, or a sample?", "header: false", "header: true")
    check(read_own(csv(headless), header=False, target_column=3))
    numbers = table().to_csv(index=False, header=False)
    refused(csv(numbers), "names, or a sample?")
    check(read_own(csv(numbers), header=False), names=None)
    refused(csv("NA,1\n2,3\n"), "names, or a sample?")
    refused(csv("1,5;2\n3;4\n"), "names, or a sample?")


def test_columns_numbered_by_a_program(csv):
    numbered = pd.DataFrame(FEATURE)
    check(read_own(csv(numbered.assign(target=NAMES))))
    check(read_own(csv(numbered.to_csv())), names=None)
    refused(csv(numbered), "0, 1: names, or a sample?")
    check(read_own(csv(numbered), header=True), names=None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,target\n0,1,2,x\n1,3,4,y\n", ["Expected 3 columns, got 4"]),
        ("a,b,target\n1,2,x\n1,2\n", ["Expected 3 columns, got 2"]),
        ("a,b,target\n1,2,x\n1,2,x,9\n", ["Expected 3 columns, got 4"]),
        ("a,b,\n1,2,3\n1,3,4\n", ["no name for column 3", "ignore_columns: ['']"]),
        (",a,b\n1,1,2\n1,3,4\n", ["no name for column 1"]),
        ("# made today\na,b\n1,2\n", ["Expected 1 columns, got 2"]),
        ("# a,b\n1,2\n", ["'# a' as the name", "comments", "`header: true`"]),
        ("a,b\n0.5,1700000000000000005\n1,1700000000000000010\n", ["column 'b'", "differ by 5", "subtract"]),
        ("a,b\n0.5,9223372036854775813\n1,9223372036854775808\n", ["column 'b'", "differ by 5", "subtract"]),
        ("a,b\n1,2\n# done,\n", ["'# done' in column 'a', row 2"]),
        ("a b target\n1 2 x\n", ["one column 'a b target'", "separated by commas, semicolons or tabs"]),
        ("a|b\n1|2\n", ["one column 'a|b'"]),
        ("a;b;target\n1,5;2;x\n", ["'1,5' in column 'a'", "write numbers with a point"]),
        ('a,b\n"1,234",2\n', ["'1,234' in column 'a'"]),
        ("a,day\n1,2026-01-31\n", ["'2026-01-31' in column 'day'", "ignore_columns"]),
        ("a,b\n1,NA\n", ["'NA' in column 'b', row 1"]),
        ("a,b\n1,\n2,3\n", ["1 NaN or infinite numbers in 1 of 2 samples"]),
        ("a,b\n1,inf\n2,nan\n", ["2 NaN or infinite numbers in 2 of 2 samples"]),
        ("a,b\n1,1e400\n", ["1 NaN or infinite"]),
        ('a,target\n1,"x\n2,y\n3,x\n', ["or several lines", "a quote that is not closed?"]),
        (f"a,target\n1,x\n2,{'x' * 300}\n", ["up to 300 letters", "expected names"]),
        ("a,target\n1,0.5\n2,1.\n3,-.25\n", ["numbers such as"]),
        ("a,b\n", ["without empty axes"]),
        ("target\nx\n", ["without empty axes"]),
        ("", ["cannot be read"]),
        ("\0\0\0\0", ["got no text"]),
        (b"PK\x03\x04\x00\x00", ["got no text"]),
        ("größe,b\n1,2\n".encode("latin-1"), ["invalid UTF8", "save it as UTF-8"]),
        ("a,b\n1,2\n".encode("utf-16-le"), ["got no text"]),
    ],
)
def test_what_cannot_be_read_rightly_is_refused(csv, text, words):
    refused(csv(text), *words)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_encodings_and_ends_of_lines(csv, separator, encoding, end):
    text = table(target=NAMES).to_csv(index=False, sep=separator, lineterminator=end)
    check(read_own(csv(text.encode(encoding))))
    check(read_own(csv(text.encode(encoding), "my.tsv")))


def test_compressed_and_quoted(csv):
    text = table(target=NAMES).to_csv(index=False, quoting=1)
    check(read_own(csv(text)))
    check(read_own(csv(gzip.compress(text.encode()), "my.csv.gz")))
    refused(csv(text, "my.csv.gz"), "cannot be read")
    refused(csv(text, "my.xlsx"), "of kind '.xlsx'", ".csv .tsv .parquet")


def test_empty_lines_and_an_empty_column_without_a_name(csv):
    lines = table(target=NAMES).to_csv(index=False).splitlines()
    check(read_own(csv("\n\n".join(lines))))
    check(read_own(csv("\n".join(f"{line}," for line in lines))))


def test_truth_values_and_integers_beside_floats(csv, tmp_path):
    true = np.arange(ROWS) % 4 == 0
    expected = np.column_stack([FEATURE, true])
    check(read_own(csv(table(c=true, target=NAMES))), expected)
    check(read_own(csv(table(c=np.where(true, "TRUE", "false"), target=NAMES))), expected)
    nullable = table(c=true, target=NAMES).astype({"c": "boolean", "b": "Int16", "a": "Float32"})
    nullable.to_parquet(tmp_path / "my.parquet")
    check(read_own(tmp_path / "my.parquet"), expected)
    whole = read_own(csv("a,b\n1,2\n9007199254740993,4\n"))
    assert whole.feature.tolist() == [[1, 2], [9007199254740993, 4]]
    large = read_own(csv("a\n9223372036854775808\n9223372036854775813\n"))
    assert large.feature.tolist() == [[9223372036854775808], [9223372036854775813]]
    assert read_own(csv("# of rooms,b\n1,2\n5,4\n"), header=True).feature.tolist() == [[1, 2], [5, 4]]


CLASSES = "NA null None|001 01 1|10 9 3|True False|inf 1.5|1e400 1|9223372036854775808 1"


@pytest.mark.parametrize("names", CLASSES.split("|"))
def test_classes_are_what_is_written(csv, names, tmp_path):
    labels = np.resize(names.split(), ROWS)
    check(read_own(csv(table(target=labels))), names=labels)
    table(target=pd.Categorical(labels)).to_parquet(tmp_path / "my.parquet")
    check(read_own(tmp_path / "my.parquet"), names=labels)


def test_classes_that_are_numbers_are_in_their_order(csv):
    assert read_own(csv(table(target=np.resize([10, 9, 3], ROWS)))).class_names == ["3", "9", "10"]
    assert read_own(csv(table(target=np.resize([1.0, 2.0], ROWS)))).class_names == ["1", "2"]
    assert read_own(csv(table(target=np.resize(["1.0", "1", "01"], ROWS)))).class_names == ["01", "1", "1.0"]


def test_a_missing_label(csv, tmp_path):
    gone = table(target=np.where(np.arange(ROWS) < 2, None, NAMES))
    gone.to_parquet(tmp_path / "my.parquet")
    for path in (csv(gone), tmp_path / "my.parquet"):
        refused(path, "got 2 rows without a label", "drop_labels: ['']")
        check(read_own(path, drop_labels=[""]), FEATURE[2:], NAMES[2:])


def test_what_parquet_stores_as_an_index(tmp_path):
    path = tmp_path / "my.parquet"
    table(target=NAMES).set_index("a").to_parquet(path)
    check(read_own(path), FEATURE[:, ::-1])  # stored last
    table(target=NAMES).sample(frac=1, random_state=0).sort_values("a").iloc[2:].to_parquet(path)
    check(read_own(path), FEATURE[2:], NAMES[2:])
    table(target=NAMES).set_index([NAMES, np.arange(ROWS)]).to_parquet(path)
    refused(path, "'x' in column '__index_level_0__'", "ignore_columns")
    table(id=np.arange(ROWS) * 7, target=NAMES).set_index("id").to_parquet(path)
    refused(path, "'id' could number the rows")
    table(target=NAMES).assign(c=np.arange(ROWS) * 7).set_index("c").to_parquet(path)
    check(read_own(path), np.column_stack([FEATURE, np.arange(ROWS) * 7]))
    pd.concat([table(target=NAMES)] * 2).to_parquet(path)
    refused(path, "no name for column 4")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([[1.0, 2.0]] * ROWS, ["of type list<"]),
        (pd.date_range("2026-01-01", periods=ROWS), ["of type timestamp"]),
        ([b"x"] * ROWS, ["of type binary"]),
        (pd.Categorical(NAMES), ["'x' in column 'c', row 1"]),
        ([None] * ROWS, [f"{ROWS} NaN or infinite"]),
    ],
)
def test_columns_of_parquet_that_are_no_numbers(tmp_path, column, words):
    table(c=column).to_parquet(tmp_path / "my.parquet")
    refused(tmp_path / "my.parquet", *words)


def test_damaged_text_in_parquet(tmp_path):
    table(target=NAMES, c=["0.5"] * ROWS).to_parquet(tmp_path / "my.parquet", compression=None)
    content = (tmp_path / "my.parquet").read_bytes()
    (tmp_path / "my.parquet").write_bytes(content.replace(b"0.5", b"\xdd.5"))
    refused(tmp_path / "my.parquet", "the table cannot be read", "UTF8")


def test_labels_that_are_no_classes(csv):
    many = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "b"]).assign(target=range(30))
    refused(csv(many), "30 different labels of 30 samples", "target_column: null")


def test_names_that_are_not_there(csv):
    path = csv(table(target=NAMES))
    refused(path, "no column 'kind'", "'a', 'b', 'target'", target_column="kind")
    refused(path, "no column 'kind'", "'a', 'b', 'target'", ignore_columns=["kind"])
    refused(path, "`feature_array`", "remove it", feature_array="a")
