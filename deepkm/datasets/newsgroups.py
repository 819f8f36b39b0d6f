"""20 Newsgroups: texts as tf-idf."""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from deepkm.datasets.archives import tar_members
from deepkm.datasets.arrays import Arrays

LIMIT = 2**28  # bytes of the unpacked archive, which has 60 MB
PARTS = ("20news-bydate-train", "20news-bydate-test")


def convert(paths, *, shape, class_names):
    """Return all posts, headers, footers and quotes kept, as scikit-learn's tf-idf of their commonest terms.

    Training before test posts, each by class and number. Rows have length 1; they are sparse until they are stored.
    """
    (path,) = paths
    posts = sorted(_posts(path), key=lambda post: post[0])
    if not posts:
        raise ValueError(f"{path}: got no post, expected {PARTS[0]}/class/number; the file is another version")
    groups, target = np.unique([group for (_, group, _), _ in posts], return_inverse=True)
    texts = [content.decode("latin-1") for _, content in posts]
    feature = TfidfVectorizer(max_features=shape[1]).fit_transform(texts)  # sparse, (N, F)
    return Arrays(feature.astype(np.float32).toarray(), target.astype(np.int64), class_names or groups.tolist())


def _posts(path):
    """Yield (order, content) of each post."""
    for name, content in tar_members(path, limit=LIMIT):
        part, _, rest = name.removeprefix("./").partition("/")
        group, _, number = rest.partition("/")
        if part not in PARTS or not group or not number.isdecimal():
            raise ValueError(
                f"{path}: got a file {name!r}, expected {PARTS[0]}/class/number; the file is another version"
            )
        yield (PARTS.index(part), group, int(number)), content
