"""What is said below each kind of figure: its group, what it shows and what to look for."""

CAPTIONS = {
    "ranks": (
        "Scores",
        """Rank of each method by its mean over seeds, 1 (dark) the best; methods are ordered by their mean rank in
        {metric}. Look for rows that are dark throughout: a method that is first on one data set and last on another
        owes its place to its settings. Neighbouring ranks may differ by chance: see the tests.""",
    ),
    "critical_difference": (
        "Statistics",
        """Average rank of each method over {n_datasets} data sets, the best at the left. {joined}: Nemenyi's test
        does not tell them apart at 5 %. Friedman's test of whether there is any difference: p = {p:.3g}. Look for
        methods without a common bar; with few data sets there are hardly any.""",
    ),
    "scores": (
        "Scores",
        """Agreement of the labels with the true classes after each fine-tuning epoch; lines are means over seeds,
        bands their standard deviation, dotted levels methods that do not fine-tune. Look for curves that rise from
        their start and stay up: no method sees the classes, so a curve that falls while its loss falls optimises
        something else. Lines end where the last seed met its method's stopping rule.""",
    ),
    "losses": (
        "Training",
        """Both terms of the loss over fine-tuning epochs, on a logarithmic scale; lines are means over seeds, bands
        their standard deviation. Look for a reconstruction that keeps falling, or at least holds: where it rises
        while the clustering term falls to nothing, the code collapses. Clustering terms of different methods are
        different quantities: compare their shapes, not their heights.""",
    ),
    "ablation": (
        "Scores",
        """Each pair differs in nothing but whether k-means gives the centers anew after every epoch. Bars are means,
        points single seeds. Look for differences that are larger than the spread of the points.""",
    ),
    "cost": (
        "Cost",
        """Seconds of one run on the device that it ran on: its share of a job that trained several seeds, with the
        pretraining of its autoencoder; the time axis is logarithmic. Large marks are means, small ones single seeds.
        Look to the upper left: methods below and to the right of another take longer for less. Times compare only
        where all jobs ran on the same device, with nothing beside them.""",
    ),
    "sensitivity": (
        "Sensitivity",
        """Mean {metric} of {name} over seeds; its entries in the study differ in nothing else. Look for a plateau: a
        single good value amid bad ones can only be found by those who know the classes.""",
    ),
    "tsne": (
        "Codes",
        """The same {n} samples in every panel, seed {seed}; {colors}, numbers {metric}. Each panel starts from the
        layout of the one to its left, so that what moved there moved in the code. Look for groups that draw together
        and apart from left to right, and whether they are of one colour: tight groups of mixed colours are clusters,
        but not classes. Distances between groups mean nothing in t-SNE.""",
    ),
    "memberships": (
        "Codes",
        """How sure each method is of a sample's cluster, by its own memberships: black outlines before fine-tuning,
        filled after it, all seeds together. Look for mass that moves to 1: the code separates. Mass at 1 from the
        start means that the memberships were hard already; mass that stays at the left, that clusters overlap, or
        that memberships are soft by design.""",
    ),
    "contingency": (
        "Clusters",
        """Percent of each class (row) that fell into each cluster (column), seed {seed}. Clusters stand in the order
        of the classes that the Hungarian algorithm matches them with, unmatched ones last: what counts for ACC lies
        on the diagonal. Look for rows with two dark cells, classes that were split, and columns with two, classes
        that were merged.""",
    ),
    "members": (
        "Clusters",
        """A row per cluster, the largest first, seed {seed}: {center}, then the members nearest to it and farthest
        from it{framed}. Look for centers that are sharp images of one kind; at the right, for what the cluster took
        in that does not belong. A decoder that is not trained on, as DEC's, cannot follow its code.""",
    ),
    "landscapes": (
        "Methods",
        """The objective of power k-means for 100 numbers in three groups, around 0, 4 and 8, as a function of two
        centers; dark is low, stars are local minima. Look for how minima appear as s falls: near 0 the landscape is
        smooth; at the right, in that of k-means, a worse minimum has come up beside the best one. Paths from the same
        start: k-means (grey) ends in the worse one; power k-means (blue), whose s falls with each iteration, in the
        best. A made-up example: it does not depend on the study's data.""",
    ),
}


def caption_of(kind, **values):
    """Return the group and the caption of a kind of figure, with values filled in."""
    group, text = CAPTIONS[kind]
    return {"group": group, "caption": " ".join(text.split()).format(**values)}
