"""Which figures a page shows, which it names alone or folds away, and which captions it need not repeat."""

MOST_BYTES = 2_150_000  # of figures, so that a page of 5 data sets, 25 methods and 10 seeds is below 3 MB
TOO_HEAVY = "Not on this page, which would be too heavy to be mailed."


def light(figures):
    """Return the figures as a page shows them that can be mailed: of too many, those of single methods are named alone.

    Figures of several methods all stay, then those of single methods as long as all weigh at most `MOST_BYTES`, the
    first one of each data set before the second ones.
    """
    single = [figure for figure in figures if figure["drawn"] and len(figure["methods"]) == 1]
    turns = {figure["id"]: i for of in _by_dataset(single) for i, figure in enumerate(of)}
    left = MOST_BYTES - sum(len(figure["source"]) for figure in figures if figure["drawn"] and figure not in single)
    heavy = set()
    for figure in sorted(single, key=lambda figure: turns[figure["id"]]):
        left -= len(figure["source"])
        if left < 0:
            heavy.add(figure["id"])
    return [figure | {"drawn": False, "caption": TOO_HEAVY} if figure["id"] in heavy else figure for figure in figures]


def _by_dataset(figures):
    groups = {}
    for figure in figures:
        groups.setdefault(tuple(figure["datasets"]), []).append(figure)
    return groups.values()


def captioned_once(figures):
    """Return figures without captions that one before them has, as those of several data sets do."""
    seen = {figure["caption"]: figure["id"] for figure in reversed(figures) if figure["drawn"]}
    repeats = [seen.get(figure["caption"], figure["id"]) != figure["id"] for figure in figures]
    return [
        figure | {"caption": "Read it as the first of its kind."} if repeated else figure
        for figure, repeated in zip(figures, repeats, strict=True)
    ]


def fold_title(titles):
    """Return what a fold of figures holds; what all their titles end with is said once."""
    heads, _, ends = zip(*(title.rpartition(": ") for title in titles), strict=True) if titles else ((), (), ())
    if len(set(ends)) == 1 and all(heads):
        return f"{len(titles)} more: {ends[0]} ({'; '.join(heads)})"
    return f"{len(titles)} more: {'; '.join(titles)}"
