"""RCV1: 10,000 news stories with one of four topics, as tf-idf of their weightiest terms."""

import numpy as np
import scipy.sparse

from deepkm.datasets.archives import open_compressed
from deepkm.datasets.arrays import Arrays
from deepkm.datasets.libsvm import read_svmlight

LIMIT = 2**31  # bytes of one unpacked file


def convert(paths, *, shape, class_names, n_features, topics):
    """Return the stories as the DKM paper's implementation does.

    The rows that two lists name, in their order (test before validation); of all terms the `shape[1]` with the largest
    sum of tf-idf over these rows, in the order of the original columns; no new normalisation. The class is the one of
    `topics` that the story has.

    Parameters
    ----------
    paths : sequence of path
        Vectors: training part, then the test parts; then the topics; then two lists of rows, which count through all
        vectors, as scikit-learn's `fetch_rcv1` does.
    """
    *vectors, qrels, test, validation = paths
    rows = np.concatenate([_read_rows(path) for path in (test, validation)])
    x, stories = _select(vectors, rows, n_features)
    weight = np.asarray(x.sum(axis=0)).ravel()
    terms = np.sort(np.argsort(-weight, kind="stable")[: shape[1]])
    target = _topics_of(qrels, stories, topics)
    return Arrays(x[:, terms].astype(np.float32).toarray(), target, class_names or list(topics))


def _read_rows(path):
    try:
        with open_compressed(path, limit=2**24) as stream:
            return np.array(stream.read().split(), dtype=np.int64)
    except ValueError:
        raise ValueError(f"{path}: got no list of numbers; delete it and download it again") from None


def _select(vectors, rows, n_features):
    """Return the named rows, (N, F) sparse, and their stories' numbers; one file is in memory at a time."""
    parts, numbers, places, start = [], [], [], 0
    for path in vectors:
        x, story = read_svmlight(path, n_features, limit=LIMIT)
        (place,) = np.nonzero((rows >= start) & (rows < start + len(story)))
        parts.append(x[rows[place] - start])
        numbers.append(story[rows[place] - start])
        places.append(place)
        start += len(story)
    places = np.concatenate(places)
    if len(places) != len(rows):
        raise ValueError(
            f"{vectors[-1]}: got {start} stories in all, expected more than row {rows.max()}; download it again"
        )
    order = np.argsort(places)
    return scipy.sparse.vstack(parts).tocsr()[order], np.concatenate(numbers)[order].astype(np.int64)


def _topics_of(path, stories, topics):
    """Return the class of each story; raise a ValueError unless each has exactly one of the topics."""
    number = {topic.encode(): k for k, topic in enumerate(topics)}
    row = {int(story): i for i, story in enumerate(stories)}
    target = np.full(len(stories), -1, np.int64)
    with open_compressed(path, limit=LIMIT) as stream:
        for line in stream:
            topic, _, rest = line.partition(b" ")
            story, _, _ = rest.partition(b" ")
            if topic in number and story.isdigit() and int(story) in row:
                i = row[int(story)]
                if target[i] >= 0:
                    raise ValueError(
                        f"{path}: got two topics for story {int(story)}, expected one of {', '.join(topics)}"
                    )
                target[i] = number[topic]
    if (target < 0).any():
        missing = stories[target < 0][0]
        raise ValueError(f"{path}: got no topic for story {missing}, expected one of {', '.join(topics)}")
    return target
