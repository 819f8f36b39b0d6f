"""The page in a real browser: Debian's Chromium without a head, driven by Playwright."""

import base64
import io
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT
from matplotlib.figure import Figure
from PIL import Image
from playwright.sync_api import sync_playwright

from deepkm.report.figures.style import save
from deepkm.report.page.choice import TOO_HEAVY, captioned_once, light
from deepkm.report.page.content import page_content
from deepkm.report.page.formulas import to_mathml
from deepkm.report.page.overview import few_steps, warnings
from deepkm.report.page.render import embed, picture, read_docstring, render
from deepkm.report.page.results import StudyResults
from deepkm.report.page.tables import compact, data_table
from deepkm.report.statistics.study import make_statistics
from deepkm.report.tables.layout import Cell, Table
from deepkm.report.tables.study import make_tables
from deepkm.study.parameters import docstring_of

CHROMIUM = shutil.which("chromium")
in_browser = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed: apt-get install chromium")

# Names as no one should choose them; each would do something where it is not escaped.
HOSTILE = (
    "<script>window.harm = 1</script>",
    '"><img src=x onerror="window.harm = 1">',
    r"$\alpha_1$ & 100 % \textbf{x} | **y** | _z_",
    "{{ 7 * 7 }}{% include 'page.css' %}`code`",
    "]]></style><style>* { display: none }</style>",
)
SEEDS = range(10)


def title_of(i, plain):
    return HOSTILE[i] if i < len(HOSTILE) else f"{plain} {i}"


def make_results(folder, n_datasets=3, n_methods=8):
    """Return a study of made-up numbers, with two figures; one run diverged and one seed is missing."""
    random = np.random.default_rng(0)
    datasets = {f"data{i}": title_of(i, "Data") for i in range(n_datasets)}
    methods = {f"method{i}": title_of(i, "Method") for i in range(n_methods)}
    keys = pd.MultiIndex.from_product([datasets, methods, SEEDS], names=["dataset", "method", "seed"])
    scores = pd.DataFrame(random.uniform(size=(len(keys), 3)), index=keys, columns=["acc", "nmi", "ari"]).reset_index()
    scores = scores.assign(n_clusters_used=3, n_clusters=3, epochs=7, seconds=1.5, device_seconds=1.5, diverged=False)
    scores.loc[:9, "acc"] = 1.0  # 100.0 sorts after 9.9
    scores.loc[10:19, "acc"] = 0.05
    scores.loc[25, "diverged"] = True
    scores = scores.drop(index=scores.index[-1])
    jobs = scores[["dataset", "method", "seed", "epochs", "seconds", "device_seconds"]].rename(
        columns={"method": "key", "seed": "seeds"}
    )
    jobs = jobs.assign(stage="cluster", stack="seed0", device="CPU (x)", threads=1, peak_memory_bytes=10**9, deepkm="1")
    jobs = jobs.assign(n_diverged=0, cpu_seconds=1.5, jobs_per_gpu=np.nan)
    parameters = scores[["dataset", "method"]].drop_duplicates()
    parameters = parameters.assign(estimator="mine:<b>", scaling="unit", alpha=1000.0, epochs=7, weight="<b>1</b>")
    asked = {"datasets": list(datasets), "methods": list(methods), "seeds": list(SEEDS), "nemenyi": False}
    statistics = make_statistics(scores, asked | {"contrasts": [["method0", "method1"], ["method2", "method1"]]})
    del statistics["nemenyi"]
    spec = {
        "datasets": datasets.items(),
        "methods": methods.items(),
        "ablations": [["method0", "method1", "views"]],
        "n_seeds": len(SEEDS),
        "origins": {key: {"source": "file", "departs": ""} for key in datasets},
    }
    frames = {"scores": scores, "jobs": jobs, "parameters": parameters}
    made = make_tables(spec, **frames, **statistics)
    figures = []
    for i, about in enumerate([list(methods), ["method1"]]):
        drawing = Figure(figsize=(3, 2))
        drawing.subplots().plot(random.uniform(size=30))
        save(drawing, folder / f"figure{i}")
        text = {"title": f"Figure {i} {HOSTILE[1]}", "caption": HOSTILE[0], "alt": HOSTILE[1]}
        figures.append(
            {
                "id": f"figure-{i}",
                "file": f"{i}.svg",
                "group": "Curves",
                "datasets": ["data0"],
                "methods": about,
                "drawn": True,
                "pictures": False,
                **text,
                **embed(folder / f"figure{i}.png"),
            }
        )
    docstring = "Hostile <b>method</b>.\n\n    a < b\n\nReferences\n----------\nA. Nonymous. 2024."
    return StudyResults(
        datasets=datasets,
        methods=methods,
        seeds=list(SEEDS),
        **frames,
        **{name: statistics[name] for name in ("contrasts", "pairwise", "best", "friedman")},
        tables={name: table for name, (_, table) in made.items()},
        figures=figures,
        docstrings=dict.fromkeys(methods, docstring),
        options="--cores 1 --config 'x=<i>'",
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("figures"))


@pytest.fixture(scope="module")
def page_file(study, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(**page_content(study)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, page_file):
    """Return a function that opens the page and notes on it what went wrong and what was asked for."""
    contexts = []

    def open_page(width=1280, scheme="light", file=page_file):
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.trouble, page.requests = [], []
        page.on("console", lambda message: page.trouble.append(message.text))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def column(page, key, number):
    """Return the texts of one column of a table, from the top."""
    return page.locator(f"#table-{key} tbody tr > :nth-child({number})").all_inner_texts()


@in_browser
def test_it_loads_without_trouble_and_asks_for_nothing(opened, page_file):
    page = opened()
    page.wait_for_load_state("networkidle")
    assert page.trouble == []
    assert [url for url in page.requests if not url.startswith("data:")] == [page_file.as_uri()]
    assert page.locator("html").get_attribute("lang") == "en"


@in_browser
def test_all_figures_show_and_say_what_they_are(opened):
    sizes = opened().evaluate(
        "Promise.all([...document.images].map((i) => i.decode().then(() => [i.naturalWidth, i.alt.length])))"
    )
    assert len(sizes) == 2
    assert all(width > 100 and alt > 0 for width, alt in sizes)


@in_browser
def test_names_do_nothing(opened, study):
    page = opened()
    assert page.evaluate("window.harm") is None
    assert page.locator("script").count() == 1
    assert [text.strip() for text in column(page, "scores-data0", 1)] == list(study.methods.values())
    assert page.locator("#scores caption").all_inner_texts() == list(study.datasets.values())
    assert page.locator("#method-method0 > h3").inner_text() == HOSTILE[0]


@in_browser
def test_a_script_that_got_in_would_not_run(opened):
    page = opened()
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.harm=1'}))"
    )
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    page.wait_for_timeout(100)
    assert page.evaluate("window.harm") is None
    assert len([text for text in page.trouble if "Content Security Policy" in text]) == 2


@in_browser
def test_cells_hold_the_means_of_the_scores(opened, study):
    cells = column(opened(), "scores-data1", 3)
    scores = study.scores[study.scores["dataset"] == "data1"]
    for method, cell in zip(study.methods, cells, strict=True):
        values = 100 * scores.loc[scores["method"] == method, "nmi"].to_numpy()
        expected = f"{values.sum() / 10:.1f} ± {(((values - values.mean()) ** 2).sum() / 9) ** 0.5:.1f} (10/10)"
        assert cell.strip().removesuffix("†").strip() == expected


def test_missing_seeds_stand_in_their_cell(study):
    text = render(**page_content(study))
    assert text.count("(9/10)<") == 3  # of ACC, NMI and ARI


@in_browser
@pytest.mark.parametrize("press", ["mouse", "Enter", "Space"])
def test_tables_sort_as_numbers_by_mouse_and_keys(opened, press):
    page = opened()
    header = page.locator("#table-scores-data0 thead th").nth(1)
    button = header.get_by_role("button")
    before = column(page, "scores-data0", 2)
    numbers = [float(text.split(" ")[0]) for text in before]
    assert {100.0, 5.0} <= set(numbers)
    for state, order in [("descending", sorted(numbers, reverse=True)), ("ascending", sorted(numbers))]:
        button.click() if press == "mouse" else button.press(press)
        assert header.get_attribute("aria-sort") == state
        assert [float(text.split(" ")[0]) for text in column(page, "scores-data0", 2)] == order
    button.click()
    assert header.get_attribute("aria-sort") is None
    assert column(page, "scores-data0", 2) == before


@in_browser
def test_names_sort_and_one_table_leaves_the_others(opened):
    page = opened()
    other = column(page, "scores-data1", 1)
    page.locator("#table-scores-data0 thead button").first.click()
    names = [text for text in column(page, "scores-data0", 1) if text.startswith("Method")]
    assert names == [f"Method {i}" for i in range(5, 8)]
    assert column(page, "scores-data1", 1) == other


@in_browser
def test_cells_without_a_number_stay_last(opened, study, tmp_path):
    table = study.tables["acc"]
    few = replace(table, rows=[[row[0], Cell("-"), *row[2:]] if i == 3 else row for i, row in enumerate(table.rows)])
    file = tmp_path / "few.html"
    results = replace(study, tables={**study.tables, "acc": few})
    file.write_text(render(**page_content(results)), encoding="utf-8")
    page = opened(file=file)
    for _ in range(2):
        page.locator("#table-scores-data0 thead button").nth(1).click()
        assert column(page, "scores-data0", 2)[-1] == "-"


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible(opened, width, scheme):
    page = opened(width, scheme)
    page.locator("main details").evaluate_all("all => all.slice(0, 4).forEach((one) => { one.open = true })")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@in_browser
def test_a_phone_scrolls_tables_and_not_the_page(opened):
    page = opened(360)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    box = page.locator("#table-scores-data0 .scroll")
    assert box.evaluate("(box) => box.scrollWidth > box.clientWidth")
    page.wait_for_selector("#table-scores-data0 .scroll[tabindex='0']")  # an observer sets it once it has looked
    menu = page.locator("#menu")
    assert menu.get_attribute("open") is None
    menu.locator("summary").click()
    menu.get_by_role("link", name="Method 7").click()
    assert menu.get_attribute("open") is None
    assert page.locator("#method-method7").bounding_box()["y"] < 100


@in_browser
def test_a_desk_cuts_nothing(opened):
    page = opened(1440)
    page.locator("main details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    cut = "[...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth).length"
    assert page.evaluate(cut) == 0


@in_browser
def test_at_night_drawings_turn_dark_and_images_of_samples_stay_what_they_are(opened, study, tmp_path):
    file = tmp_path / "night.html"
    first, second = study.figures
    figures = [first, second | {"pictures": True}]
    file.write_text(render(**page_content(replace(study, figures=figures))), encoding="utf-8")
    looks = """(name) => [document.body, document.querySelector(name)].map((one) => getComputedStyle(one))
        .map((style, i) => i ? style.filter : style.backgroundColor)"""
    for scheme, dark in (("light", False), ("dark", True)):
        page = opened(scheme=scheme, file=file)
        ground, drawing = page.evaluate(looks, "#figure-0 .paper")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 150) == dark
        assert ("invert" in drawing) == dark
        assert "invert" not in page.evaluate(looks, "#figure-1 .paper")[1]


@in_browser
def test_printing_unfolds_everything_and_leaves_the_menu_out(opened):
    page = opened()
    closed = "document.querySelectorAll('main details:not([open])').length"
    before = page.evaluate(closed)
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.left = {closed} }})")
    pdf = page.pdf(format="A4")
    assert before > 0
    assert page.evaluate("window.left") == 0
    assert page.evaluate(closed) == before
    assert pdf.count(b"/Type /Page\n") > 5
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()


@in_browser
def test_every_link_leads_somewhere_and_no_anchor_is_taken_twice(opened):
    page = opened()
    links = page.locator("a").evaluate_all("all => all.map((link) => link.getAttribute('href'))")
    ids = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in links} <= set(ids)


# Thousands of characters that figures of several methods take on the page of a study of 25 methods, measured: t-SNE,
# classes and clusters, scores, losses, cost, differences, an ablation, memberships; and two of all data.
MEASURED = [90, 51, 43, 36, 33, 27, 10, 10]
MEASURED_OF_ALL = [87, 22]


def figures_of_a_large_study(folder, study):
    """Return figures of the weights that they have; those of single methods are crowds of images, all noise."""
    noise = np.random.default_rng(0).integers(0, 256, (320, 544), np.uint8)
    Image.fromarray(noise).resize((1432, 842), Image.Resampling.NEAREST).save(folder / "noise.png")
    heavy = embed(folder / "noise.png", pictures=True)
    sizes = [("", size) for size in MEASURED_OF_ALL] + [(key, size) for key in study.datasets for size in MEASURED]
    about = {
        "group": "Clusters",
        "caption": "c",
        "alt": "a",
        "file": "f.svg",
        "drawn": True,
        "pictures": False,
        "width": 9,
        "height": 9,
    }
    several = [
        {**about, "datasets": [key], "methods": [*study.methods], "source": "data:image/webp," + "x" * 1000 * size}
        for key, size in sizes
    ]
    single = [
        {**about, **heavy, "datasets": [key], "methods": [method]}
        for key in study.datasets
        for method in list(study.methods)[:5]
    ]
    return [{**figure, "id": f"figure-{i}", "title": f"F, {i}: x"} for i, figure in enumerate([*several, *single])]


@in_browser
def test_a_large_study_stays_light(opened, tmp_path, monkeypatch):
    """5 data sets, 25 methods, 10 seeds; what a browser takes to open it is counted in its own processor's seconds."""
    paired = "deepkm.report.statistics.paired.bootstrap_intervals"
    monkeypatch.setattr(paired, lambda differences, stream: np.zeros((len(differences), 2)))
    study = make_results(tmp_path, n_datasets=5, n_methods=25)
    study = replace(study, figures=figures_of_a_large_study(tmp_path, study))
    file = tmp_path / "large.html"
    file.write_text(render(**page_content(study)), encoding="utf-8")
    assert file.stat().st_size < 3_000_000
    shown = [figure for figure in light(study.figures) if figure["drawn"]]
    single = [figure["datasets"][0] for figure in shown if len(figure["methods"]) == 1]
    assert len(shown) - len(single) == len(MEASURED_OF_ALL) + 5 * len(MEASURED)
    assert set(single[:5]) == set(study.datasets) or len(single) < 5
    assert file.read_text().count(TOO_HEAVY) == 25 - len(single)
    page = opened()
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(file.as_uri())
    taken = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
    assert taken["TaskDuration"] < 1
    assert page.evaluate("document.querySelectorAll('*').length") < 30_000


def test_a_caption_stands_once(study):
    first, second = study.figures
    twice = [first, second | {"caption": "other"}, first | {"id": "figure-2"}]
    captions = [figure["caption"] for figure in captioned_once(twice)]
    assert captions == [first["caption"], "other", "Read it as the first of its kind."]


def test_what_could_not_be_drawn_is_said_where_it_would_stand(study):
    why = "This figure could not be drawn (ValueError: <b>)."
    failed = {"id": "figure-x", "file": "x.svg", "group": "Curves", "title": "X", "caption": why, "alt": ""}
    failed |= {"datasets": [], "methods": [], "drawn": False}
    text = render(**page_content(replace(study, figures=[*study.figures, failed])))
    place = text[text.index('<section id="figures-0"') :]
    assert "This figure could not be drawn (ValueError: &lt;b&gt;)." in place[: place.index("</section>")]


def test_warnings_name_what_is_wrong(study):
    jobs = study.jobs.assign(device=["A100 (GPU-1)", "A100 (GPU-2)"] + ["CPU (x)"] * (len(study.jobs) - 2))
    scores = study.scores.assign(n_clusters_used=[3] * 10 + [2] + [3] * 9 + [1, 2] + [3] * (len(study.scores) - 22))
    lines = warnings(scores, jobs, **study.study, stale=["a.h5"], foreign=["b.h5", "c.h5"])
    missing, diverged, dead, stale, foreign, mixed = lines
    assert f"Method 7 on {HOSTILE[2]} (9/10)" in missing
    assert diverged.startswith(f"1 run diverged: {HOSTILE[2]} on {HOSTILE[0]}.")
    names = [f"{HOSTILE[2]} uses 1 to 2 of 3 clusters on {HOSTILE[0]} in 2 of 10 runs"]
    names += [f"{HOSTILE[1]} uses 2 of 3 clusters on {HOSTILE[0]} in 1 of 10 runs"]
    assert dead == f"Clusters are left empty: {', '.join(names)}."
    assert stale.startswith("1 result made by other")
    assert foreign.startswith("2 files among the results")
    assert "different devices (A100, CPU (x))" in mixed


def test_nothing_is_said_of_a_study_without_trouble(study):
    whole = study.scores.query("seed < 9").assign(diverged=False)
    assert warnings(whole, study.jobs, **{**study.study, "seeds": list(range(9))}) == []


def test_the_same_results_give_the_same_bytes(study, page_file):
    assert render(**page_content(study)) == page_file.read_text()


def test_texts_that_are_left_as_they_are_are_named(study):
    said = "Texts, not scaled"
    assert said not in render(**page_content(study))
    sections = page_content(replace(study, unscaled_text=["RCV1", "<i>"]))["sections"]
    told = next(section["facts"] for section in sections if section["key"] == "data")
    assert dict(told)[said].startswith("RCV1, <i>: counts or tf-idf as they are; `scaling: rows` gives")


def test_small_data_are_named_by_their_steps():
    rows = [("a", "ct", 100, 256), ("a", "dkm", 100, 256), ("a", "x", 40, 32), ("a", "km", 0, 256), ("b", "ct", 5, 256)]
    parameters = pd.DataFrame(rows, columns=["dataset", "method", "epochs", "batch_size"])
    datasets = {"a": "A", "b": "B"}
    ((title, text),) = few_steps(parameters, {"a": 575, "b": 2561}, datasets=datasets)
    assert (title, text.partition(";")[0]) == ("Few steps", "A: 3 to an epoch, so that 100 epochs are 300")
    assert few_steps(parameters, {"a": 2305}, datasets=datasets) == []
    assert few_steps(parameters, {}, datasets=datasets) == []


def test_equations_are_mathml_and_other_text_stays_as_it_is_typed():
    equation = "L = sum_i ||x_hat_i - r_s(i)||^2,   r_k <- mean of members"
    told = read_docstring(f"DKM.\n\n    {equation}\n\n    >>> fit(x)\n\nNotes\n-----\nNo.")
    first, formula, code, _ = told["text"]
    assert (first["formula"], formula["formula"], code) == (False, True, {"text": ">>> fit(x)", "formula": True})
    assert formula["text"].count("<math") == 2
    for part in ("<munder><mo", ">∑</mo><mrow><mi>i</mi>", '<mover accent="true"><mi>x</mi>', ">‖</mo><mn>2</mn>"):
        assert part in formula["text"]
    assert formula["text"].endswith("mean of members</span>")
    for typed in ("import <b>", "x = \\frac{1}{2}", "^ _", "x ^("):
        assert "<b>" not in (to_mathml(typed) or "")


def test_all_methods_of_the_package_have_equations_that_can_be_read():
    entries = yaml.safe_load((ROOT / "config.yaml").read_text())["methods"].values()
    texts = [read_docstring(docstring_of(estimator))["text"] for estimator in {entry["estimator"] for entry in entries}]
    formulas = [text["text"] for told in texts for text in told if text["formula"]]
    assert len(formulas) > 10
    assert all("<math" in formula for formula in formulas)


def test_what_is_equal_in_all_rows_is_said_once():
    table = Table(
        "x", "X", ["A", "B", "C", "D"], [[Cell("a"), Cell(text), Cell("-"), Cell("d")] for text in "bc"], ["N."]
    )
    shown = compact(table)
    assert (shown.header, shown.columns) == (["B"], "r")
    assert shown.notes == ["In all rows: A: a; D: d.", "N."]
    assert compact(replace(table, rows=table.rows[:1])).header == table.header


def test_data_are_described_and_pictured():
    about = {"shape": [50, 8, 8], "class_counts": [20, 30], "n_clusters": 2, "scaling": "unit"}
    described = {"a": about, "b": {**about, "shape": [9, 4], "class_counts": None}}
    rows = data_table(described, datasets={"b": "B", "c": "C", "a": "A"}).rows
    assert [cell.text for cell in rows[0]] == ["B", "9", "4", "2", "none", "-", "unit"]
    assert [cell.text for cell in rows[1]] == ["A", "50", "64 (8 × 8)", "2", "2", "20 to 30", "unit"]
    samples = np.arange(2 * 12).reshape(2, 12)
    shown = picture(samples, (3, 4))
    image = Image.open(io.BytesIO(base64.b64decode(shown["source"].partition(",")[2])))
    assert image.size == (9, 3)
    assert [image.getpixel(place) for place in ((0, 0), (3, 2), (4, 0), (5, 0))] == [0, 255, 255, 0]
    assert picture(samples, ()) is None
    assert picture(np.full((1, 12), np.nan), (2, 2, 3))["width"] == 48


def test_a_figure_on_the_page_keeps_the_hues_of_many_methods(config, tmp_path):
    colors = [entry["color"] for entry in config["methods"].values()]
    figure = Figure(figsize=(3, 2))
    figure.subplots().scatter(range(len(colors)), range(len(colors)), c=colors, s=9)
    save(figure, tmp_path / "a")
    shown = Image.open(io.BytesIO(base64.b64decode(embed(tmp_path / "a.png")["source"].partition(",")[2])))
    drawn, seen = (np.asarray(image.convert("RGB")).astype(int) for image in (Image.open(tmp_path / "a.png"), shown))
    marks = np.ptp(drawn, axis=-1) > 60
    assert marks.sum() > 500
    assert np.abs(drawn[marks] - seen[marks]).mean() < 6  # of 255; 18 by a median cut


def test_variants_of_a_method_say_what_differs_and_no_docstring_twice(study):
    parameters = study.parameters.assign(alpha=[float(i % 8 == 3) for i in range(len(study.parameters))])
    text = render(**page_content(replace(study, parameters=parameters)))
    assert text.count("Hostile &lt;b&gt;method") == 1
    assert len(re.findall(r'As <a href="#method-method0">', text)) == 7
    assert text.count("but for <code>alpha</code> 1.") == 1


def test_what_decides_nothing_is_left_out(study):
    undecided = {name: getattr(study, name).assign(verdict="cannot conclude") for name in ("contrasts", "pairwise")}
    sections = {section["key"]: section for section in page_content(replace(study, **undecided))["sections"]}
    assert not {"pairs", "structure"} & set(sections)
    shown = sections["statistics"]
    assert [table.name for table in shown["tables"] + shown["folded"]] == ["overall", "improvement"]
    decided = replace(study, pairwise=study.pairwise.assign(verdict="better"))
    assert "pairs" in {section["key"] for section in page_content(decided)["sections"]}
