"""What columns and arrays are by their names: labels, a count of the rows, or features. In doubt the entry decides."""

import re
from dataclasses import dataclass, fields

from deepkm.datasets.labels import listed
from deepkm.datasets.unreadable import printable

UNSAID = "\0"  # of a name that an entry does not give; None is said: there is none

_LABEL_WORDS = set(
    "target targets label labels lbl class classes cls klass klasse species category categories cluster clusters gnd gt"
    " groundtruth truth outcome diagnosis".split()
)
_LABEL_FILLERS = set("id ids idx index true ground code codes encoded no nr num number int name variable".split())
_INDEX_WORDS = set(
    "id ids idx uid pid sid cid uuid guid pk index unnamed row rowid rownames rownumber nr no num number serial obs"
    " observation sample record seqn patient subject participant respondent".split()
)
# The last word of a name that is most likely a name itself where all rows have another number.
_KEY_WORDS = set(
    "key code name case ref reference order file filename image barcode sku ean isbn zip postcode account customer"
    " client user person student employee member ticket invoice transaction cell well specimen accession phone".split()
)
# What says which part of the data a row belongs to, and what may stand beside it.
_PART_WORDS = set("fold folds kfold split splits partition subset holdout train training".split())
_PART_FILLERS = set("cv is in set test testing val valid validation id idx index no nr number k".split())
TABLES = (".csv", ".tsv", ".parquet")
# Options that say nothing of another kind of file.
_OF_TEXT, _OF_ROWS, _OF_ARRAYS = ("header",), ("ignore_columns",), ("feature_array",)
# Which arrays of a file are features and labels where nothing is said: ours, D. Cai's, scikit-learn's and MATLAB's.
OWN_NAME = "feature"
_PAIRS = {OWN_NAME: ("target",), "fea": ("gnd",), "X": ("Y", "y")}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the entry of a data set says of a user's file.

    Attributes
    ----------
    target_column : str, int or None
        The column of a table, or the array of a file, that holds the labels; a number, counted from 1, that of an
        array. None: there are no labels.
    ignore_columns : list of str or int, optional
        The columns of a table, or by their numbers of an array, that are neither features nor labels. A list, if only
        an empty one, says that all others are features.
    header : bool, optional
        Whether a text table starts with a line of names; without one, columns are called 1, 2, ...
    feature_array : str, optional
        The array of a file that holds the features.
    drop_labels : list of str or int, optional
        The labels whose samples are left out. A list, if only an empty one, says that all others are classes.
    columnwise : bool
        The pixels of each row stand column by column, as MATLAB stores images.
    image_size : (int, int), optional
        Height and width: what a folder's images are scaled to, or what the rows of an array or a table are.
    grey : bool
        Turn a folder's images grey.
    n_clusters : int, optional
        K. A column of so many whole numbers could be the classes.
    """

    target_column: str | int | None = UNSAID
    ignore_columns: list | None = None
    header: bool | None = None
    feature_array: str | None = None
    drop_labels: list | None = None
    columnwise: bool = False
    image_size: tuple | None = None
    grey: bool = True
    n_clusters: int | None = None

    def target_among(self, names):
        """Return the name that `target_column` gives, None or `UNSAID`; on the command line null is text."""
        if self.target_column in (None, UNSAID):
            return self.target_column
        name = str(self.target_column)
        return None if name == "null" and "null" not in names else name

    def target_is_counted(self):
        """Tell whether `target_column` may be the number of an array's column."""
        return str(self.target_column).isdecimal()

    def ignored_among(self, names, path):
        """Return the names in `ignore_columns`, or raise a ValueError where one is none of a file's."""
        ignored = [str(name) for name in self.ignore_columns or []]
        if unknown := [name for name in ignored if name not in names]:
            raise ValueError(
                f"{path}: got no column {unknown[0]!r} (`ignore_columns`), expected one of {listed(names)}"
            )
        return ignored


def own_options(spec):
    """Return what a spec says of a user's own file."""
    return {option.name: spec[option.name] for option in fields(Options) if option.name in spec}


def unused_by(kind, path):
    """Return the names of the options that say nothing of this kind of file."""
    unused = _OF_ARRAYS if path.is_dir() or kind in (*TABLES, ".npy") else ()
    unused += _OF_TEXT if path.is_dir() or kind not in TABLES else ()
    return unused + (_OF_ROWS if path.is_dir() else ())


def check_used(options, kind, path):
    """Raise a ValueError over an option that this kind of file has no use for."""
    for name in unused_by(kind, path):
        if getattr(options, name) is not None:
            raise ValueError(f"{path}: got `{name}`, which says nothing of this kind of data; remove it")
    if kind == ".npy" and options.target_column not in (UNSAID, None, "null") and not options.target_is_counted():
        raise ValueError(
            f"{path}: got `target_column: {options.target_column}`, but the columns of a .npy are 1, 2, ...; name one, "
            "or save labels apart with np.savez"
        )


def is_label_like(name):
    """Tell whether a column of this name could hold the labels.

    Examples
    --------
    >>> [name for name in "Class target.1 true_label y y_true y2 area class_names".split() if is_label_like(name)]
    ['Class', 'target.1', 'true_label', 'y', 'y_true']
    """
    words = _words(name)
    if words[:1] == ["y"]:
        return words in (["y"], ["y", "true"]) or is_label_like(" ".join(words[1:]))
    known = [word for word in words if word in _LABEL_WORDS]
    others = [word for word in words if word not in _LABEL_WORDS and not word.isdigit()]
    return bool(known) and set(others) <= _LABEL_FILLERS


def is_index_like(name):
    """Tell whether a column of this name is most likely a number of the row.

    Examples
    --------
    >>> names = "id # Index serial_no customer_id imageId width refractive_index".split()
    >>> [name for name in names if is_index_like(name)]
    ['id', '#', 'Index', 'serial_no', 'customer_id', 'imageId']
    """
    if name == "#":
        return True
    words = [word for word in _words(name) if not word.isdigit()]
    return (bool(words) and _INDEX_WORDS.issuperset(words)) or words[-1:] in (["id"], ["idx"], ["uid"])


def is_key_like(name):
    """Tell whether a column of this name is a name of each row if no two rows share a number.

    Examples
    --------
    >>> [name for name in "code CustomerKey file_name zip price coded".split() if is_key_like(name)]
    ['code', 'CustomerKey', 'file_name', 'zip']
    """
    return bool(_KEY_WORDS.intersection([word for word in _words(name) if not word.isdigit()][-1:]))


def is_part_like(name):
    """Tell whether a column of this name is most likely about how the data are divided, for training and testing.

    Examples
    --------
    >>> names = "fold cv_fold split is_train trainTest folds_per_gene training_load".split()
    >>> [name for name in names if is_part_like(name)]
    ['fold', 'cv_fold', 'split', 'is_train', 'trainTest']
    """
    words = {word for word in _words(name) if not word.isdigit()}
    return bool(words & _PART_WORDS) and words <= _PART_WORDS | _PART_FILLERS


def starts_like_a_label(name):
    """Tell whether a column of zeros and ones could be one class of several: species_setosa."""
    words = _words(name)
    return len(words) > 1 and words[0] in _LABEL_WORDS


def _words(name):
    """Split a name at case and punctuation, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+", str(name))]


def pick_arrays(names, options, path):
    """Return which of a file's arrays are the features and the labels (None: there are none).

    Raises
    ------
    ValueError
        When that is in doubt.
    """
    found = printable(", ".join(names)) or "(none)"
    known = [name for name in _PAIRS if name in names]
    feature = options.feature_array or (known[0] if known[:1] == [OWN_NAME] or len(known) == 1 else None)
    if feature is None or feature not in names:
        wanted = "one named 'feature' and, optionally, 'target'" if feature is None else f"one named {feature!r}"
        raise ValueError(
            f"{path}: got the arrays {found}, expected {wanted}; rename it, or name the arrays in the entry: "
            "`feature_array:` and, where there are labels, `target_column:`"
        )
    target = options.target_among(names)
    if target is UNSAID:
        usual = [name for name in _PAIRS.get(feature, ("target",)) if name in names and name != feature]
        doubtful = [name for name in names if name != feature and is_label_like(name.rpartition("/")[2])]
        if len(usual) != 1 and doubtful:
            raise ValueError(
                f"{path}: got the arrays {found}, of which {printable(', '.join(doubtful))} could be the labels; name "
                "them in `target_column:`, or set it to null where there are none"
            )
        target = usual[0] if usual else None
    elif target is not None and target not in names and options.target_is_counted():
        target = None  # a column of `feature`
    elif target is not None and target not in names:
        raise ValueError(f"{path}: got the arrays {found}, expected one named {target!r} (`target_column`); correct it")
    return feature, target
