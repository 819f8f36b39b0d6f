"""Source digests: what counts, whose files, on which Pythons; and the classes of methods, read without running them."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib import invalidate_caches
from pathlib import Path

import pytest
from conftest import ROOT

from deepkm.study import source_code
from deepkm.study.classes import lineage
from deepkm.study.parameters import docstring_of, parameters_of
from deepkm.study.plan import Study
from deepkm.study.source_code import canonical, source_digest, sources_of


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes files into a folder that Python searches: their texts by their paths."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(textwrap.dedent(text), encoding="utf-8")
        invalidate_caches()

    yield write
    assert not {path.name.partition(".")[0] for path in tmp_path.iterdir()} & (set(sys.modules) - before)  # nothing ran


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1  # one", "x=1"),
        ("'''Doc.'''\nx = 1", "x = 1"),
        ("def f():\n    'Doc.'\n    return 1", "def f():\n    return 1"),
        ("class A:\n    'Doc.'", "class A:\n    pass"),
        ("class A:\n    a: int = 1\n    'About a.'", "class A:\n    a: int = 1"),
        ("async def f():\n    'Doc.'", "async def f(): ..."),
        ("x = u'a'", 'x = "a"'),
        ("x = ('a' 'b')", "x = 'ab'"),
        ("x = 1_000", "x = 0x3e8"),
        ("x = 'a' f'{b}' 'c'", "x = f'a{b}c'"),
        ("x = (1 +\n  2)", "x = 1 + 2"),
        ("if a: b", "if (a):\n\n    b"),
    ],
)
def test_what_changes_no_result_does_not_count(one, other):
    assert canonical(one.encode()) == canonical(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 0", "x = False"),
        ("x = 0.0", "x = -0.0"),
        ("x = 1.0", "x = 1j"),
        ("x = 'a'", "x = b'a'"),
        ("x = '1'", "x = 1"),
        ("x = None", "x = 'None'"),
        ("x = ...", "x = Ellipsis"),
        ("x = a", "x = 'a'"),
        ("x = 1, 2", "x = [1, 2]"),
        ("x = a - b", "x = b - a"),
        ("x = a < b", "x = a <= b"),
        ("x = a[:b]", "x = a[b:]"),
        ("x = f'{a}'", "x = f'{a!r}'"),
        ("x = f'{a}'", "x = 'a'"),
        ("x = f'{a:>3}'", "x = f'{a:>4}'"),
        ("x = {**a, b: c}", "x = {b: c, **a}"),
        ("def f(*, a, b=1): pass", "def f(*, a=1, b): pass"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("def f(): return", "def f(): return None"),
        ("if a: b = 1\nelse: c = 1", "if a: b = 1\nc = 1"),
        ("def f():\n    return 1", "async def f():\n    return 1"),
        ("from a import b", "from .a import b"),
        ("x: int = 1", "x: float = 1"),
        ("@a\ndef f(): pass", "def f(): pass"),
        ("x = '\\n'", "x = r'\\n'"),
        ("def f():\n    return 'Doc.'", "def f():\n    return 'Text.'"),
    ],
)
def test_what_may_change_a_result_counts(one, other):
    assert canonical(one.encode()) != canonical(other.encode())


def test_long_sums_are_no_error():
    assert canonical(b"x = " + b" + ".join([b"a"] * 900)).count("(Add)") == 899


# Whatever Python runs this must give these: nodes and fields of all kinds, and characters that a Python may not know.
SMALL = {
    "functions.py": '''
        @decorated(by=1)
        def f(a, /, b: int = 2, *c, d, e=-0.0, **g) -> "text":
            """Doc."""
            nonlocal_ = lambda *, x=1: (yield)
            global h
            return [i for i in a if i], {*b}, {**c, "k": v}, (x := 1), a[1:2, ...], not b, a if b else c
        async def g():
            async with a as b, c: await d
            async for i in x: pass
            return [i async for i in x]
    ''',
    "statements.py": """
        import a.b as c, d
        from . import e
        from ..f import *
        with (open(x) as y, z): del y, z[0]
        try: raise A from b
        except (B, C) as error: pass
        except D: ...
        else: x += 1
        finally: x @= y
        try: assert a, b
        except* E: raise
        match point:
            case [1, *rest] | {"k": 2, **others}: pass
            case A(x=None) if x: pass
            case _: pass
        while True:
            if a: break
            elif b: continue
        else: x: list[int]
    """,
    "constants.py": """
        x = 1, -1, 0x10, 10**30, 1.5, 1e999, 2j, True, None, ..., b"\\x00a", "é", "\\ud800", "\U0001fae8", r"\\d", u"u"
        y = f"a{x}b" "c" f"{y!r:>{width}.{n}}" f"{{}}{z = }" f"{w:}" f""
    """,
    "classes.py": """
        class A(B.c, D[int], metaclass=E):
            '''Doc.'''
            field: Annotated[float, "> 0"] = 1.0
            'About field.'
            class Inner: pass
            @property
            def p(self): return self.__x
    """,
}
RECORDED = {
    "functions.py": "9fc5037c90466b1a",
    "statements.py": "5b8cede5ab10ab0a",
    "constants.py": "f438eb4a7254968c",
    "classes.py": "960daf7d56e1633a",
}


@pytest.mark.parametrize("name", SMALL)
def test_recorded_digests_hold_on_any_python(name, write):
    write({name: SMALL[name]})
    assert source_digest(name.removesuffix(".py")) == RECORDED[name]


def python(version):
    """Return a Python of this machine, or None; pyenv's own python3.x may be there and run none."""
    paths = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    runs = [path for path in filter(None, paths) if not subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL)]
    return next(iter(runs), None)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_all_pythons_give_the_same_digests(version, write, tmp_path):
    if not (executable := python(version)):
        pytest.skip(f"there is no Python {version} on this machine")
    write(SMALL)
    files = [path.relative_to(ROOT) for path in sorted((ROOT / "deepkm").rglob("*.py")) if not path.match("__*__.py")]
    modules = [".".join(path.with_suffix("").parts) for path in [*map(Path, SMALL), *files]]
    program = "import sys; from deepkm.study.source_code import source_digest; print(*map(source_digest, sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    found = subprocess.check_output([executable, "-c", program, *modules], env=environment, text=True).split()
    assert found == [*map(source_digest, modules)]
    assert found[: len(SMALL)] == [*RECORDED.values()]
    assert len(set(found)) > 50


# What a user may have beside each other: a module, a package with one inside, and a folder that is no package.
FILES = {
    "helper.py": "from further import x",
    "further.py": "x = 1",
    "own/__init__.py": "x = 1",
    "own/a.py": "x = 1",
    "own/inner/__init__.py": "__all__ = ['b']",
    "own/inner/b.py": "x = 1",
    "bare/c.py": "x = 1",
}


@pytest.mark.parametrize(
    ("method", "source", "edited"),
    [
        ("own/m.py", "from own.a import x", "own/a.py"),
        ("own/m.py", "import own.a", "own/a.py"),
        ("own/m.py", "import own.inner as i\ny = i.b.x", "own/inner/b.py"),
        ("own/m.py", "from . import a", "own/a.py"),
        ("own/m.py", "from . import x", "own/__init__.py"),
        ("own/m.py", "from .a import *", "own/a.py"),
        ("own/m.py", "from .inner import *", "own/inner/b.py"),
        ("own/m.py", "import helper", "helper.py"),
        ("own/inner/m.py", "from ..a import x", "own/a.py"),
        ("own/inner/m.py", "from .. import a as other", "own/a.py"),
        ("own/inner/m.py", "from . import b", "own/inner/b.py"),
        ("own/inner/m.py", "from .b import x", "own/__init__.py"),
        ("own/__init__.py", "from .a import x", "own/a.py"),
        ("m.py", "import helper", "helper.py"),
        ("m.py", "from helper import *", "further.py"),
        ("m.py", "def f():\n    import helper", "helper.py"),
        ("m.py", "try: from . import helper\nexcept ImportError: import helper", "helper.py"),
        ("m.py", "import own.inner.b", "own/inner/b.py"),
        ("m.py", "import bare.c", "bare/c.py"),
        ("bare/m.py", "from .c import x", "bare/c.py"),
        ("bare/m.py", "from . import c", "bare/c.py"),
    ],
)
def test_what_a_users_module_imports_counts(method, source, edited, write):
    write({**FILES, method: source})
    module = ".".join(Path(method).with_suffix("").parts).removesuffix(".__init__")
    before = source_digest(module)
    write({edited: FILES[edited] + "  # the same"})
    assert source_digest(module) == before
    write({edited: FILES[edited] + "\ny = 2"})
    assert source_digest(module) != before


def test_other_modules_do_not_count(write):
    write({**FILES, "own/m.py": "import json, numpy, own.a, missing\nfrom deepkm.numerics.lloyd import lloyd"})
    assert {*sources_of("own.m")} == {"own", "own.m", "own.a", *sources_of("deepkm.numerics.lloyd")}


def test_of_installed_packages_only_the_methods_own_counts(write, tmp_path, monkeypatch):
    write({f"site-packages/{path}": text for path, text in FILES.items()})
    write({"site-packages/own/m.py": "import helper\nfrom . import a", "m.py": "import helper, own"})
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    assert [*sources_of("own.m")] == ["own", "own.m", "own.a"]
    assert [*sources_of("m")] == ["m"]


def test_a_module_beside_a_method_inside_its_package_counts(write, tmp_path, monkeypatch):
    write({**FILES, "own/m.py": "import a"})
    assert "a" not in sources_of("own.m")
    monkeypatch.syspath_prepend(tmp_path / "own")
    assert "a" in sources_of("own.m")


@pytest.mark.parametrize("source", ["from deepkm import DKM", "import deepkm\nx = deepkm.DKM", "from deepkm import *"])
def test_methods_imported_from_deepkm_itself_count(source, write):
    write({"m.py": source})
    assert sources_of("m").keys() >= sources_of("deepkm.methods.dkm").keys()
    assert sources_of("deepkm:DKM") == sources_of("deepkm.methods.dkm:DKM")


def test_a_method_hangs_on_what_it_imports_alone(monkeypatch):
    of_dkm = sources_of("deepkm.methods.dkm:DKM")
    assert {"deepkm.methods.base", "deepkm.numerics.centers", "deepkm.networks.autoencoder"} <= of_dkm.keys()
    assert not {"deepkm.methods.ct", "deepkm.numerics.metrics", "deepkm.stages.cluster"} & of_dkm.keys()
    assert "deepkm.numerics.centers" not in sources_of("deepkm.training.loop")  # k-means reruns no pretraining
    assert not {"deepkm", "deepkm.study.inventory"} & sources_of("deepkm.stages.score").keys()
    monkeypatch.setattr(source_code, "folders_of", lambda top: {ROOT})  # all lie where `pip install --target` put them
    assert all(module.startswith("deepkm.") for module in sources_of("deepkm.study.modules"))


METHOD = """
    from dataclasses import dataclass
    {imports}

    @dataclass(kw_only=True, eq=False, repr=False)
    class Mine({base}):
        '''Of one's own.'''
        weight: float = 0.5
"""


@pytest.mark.parametrize(
    ("imports", "base"),
    [
        ("from deepkm.methods.base import DeepClustering", "DeepClustering"),
        ("from deepkm.methods.base import DeepClustering as Base", "Base"),
        ("from deepkm.methods.base import *", "DeepClustering"),
        ("from deepkm.methods import base", "base.DeepClustering"),
        ("import deepkm.methods.base", "deepkm.methods.base.DeepClustering"),
        ("import deepkm.methods.base as b", "b.DeepClustering"),
        ("from deepkm.methods import base; Base = base.DeepClustering", "Base"),
        ("from . import shared", "shared.Shared"),
        ("from .shared import *", "Shared"),
        ("from own.shared import Shared as Mine", "Mine"),
        ("from own import Shared", "Shared"),
        ("try: from .fast import Shared\n    except ImportError: from .shared import Shared", "Shared"),
        ("import own.shared; class_ = object", "class_, own.shared.Shared"),
    ],
)
def test_a_method_is_known_by_its_bases(imports, base, write):
    shared = METHOD.format(imports="from deepkm.methods.base import *", base="DeepClustering").replace("Mine", "Shared")
    write({"own/shared.py": shared, "own/__init__.py": "from .shared import Shared"})
    write({"own/m.py": METHOD.format(imports=imports, base=base)})
    found = lineage("own.m:Mine")
    assert found[0] == lineage("deepkm.methods.base:DeepClustering")[0]
    assert (found[-1][0], found[-1][1].name) == ("own.m", "Mine")
    assert parameters_of("own.m:Mine") == {**parameters_of("deepkm.methods.base:DeepClustering"), "weight": 0.5}
    assert docstring_of("own.m:Mine") == "Of one's own."


def test_bases_come_in_pythons_order(write):
    write({"m.py": "from deepkm import IDEC, DCN\nclass Both(IDEC, DCN): pass"})
    names = [definition.name for _, definition in lineage("m:Both")][-5:]
    assert names == ["DeepClustering", "Resetting", "DCN", "IDEC", "Both"]  # as in __mro__, from its end
    write({"m.py": "from deepkm import CT\nfrom deepkm.methods.base import *\nclass Both(DeepClustering, CT): pass"})
    with pytest.raises(ValueError, match=r"m:Both.*consistent method resolution"):
        lineage("m:Both")


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        ("os:system", "no class system in .*os.py"),
        ("deepkm.methods.dkm:softmin", "no class softmin in {root}/deepkm/methods/dkm.py"),
        ("deepkm.methods.dkm:DKN", "no class DKN in {root}/deepkm/methods/dkm.py"),
        ("deepkm.methods.dkn:DKM", "no module dkn in {root}/deepkm/methods"),
        ("deepkm.mehtods.dkm:DKM", "no module mehtods.dkm in {root}/deepkm"),
        ("deepkm.training.run:Run", "Run in {root}/deepkm/training/run.py has not its hooks"),
        ("collections:OrderedDict", "OrderedDict in .*collections/__init__.py has not its hooks"),
        ("nowhere.m:Mine", "no module nowhere in {here}, .*"),
        ("broken:Mine", "{here}/broken.py, line 2: .*"),
        ("onbroken:Mine", "{here}/broken.py, line 2: .*"),
        ("nulls:Mine", "{here}/nulls.py: .*null bytes"),
        ("folder:Mine", "no module __init__ in {here}/folder"),
        ("circle:Mine", "Mine in {here}/circle.py has not its hooks"),
        ("ring:Mine", "no class Mine in {here}/ring.py"),
        ("egg:Mine", "Mine in {here}/egg.py has not its hooks"),
        ("sys:exit", "no Python source of sys: sys is built-in"),
        ("__main__:Mine", ".*"),
        ("deep:Mine", "{here}/deep.py: .*recursion.*"),
        ("broken.Mine", "it is no module:class"),
        ("broken:", "it is no module:class"),
        (":Mine", "it is no module:class"),
        ("../broken:Mine", "it is no module:class"),
    ],
)
def test_what_is_no_method_gets_one_line(estimator, reason, write, tmp_path):
    write({"broken.py": "x = 1\nclass Mine(:", "nulls.py": "x = '\0'", "folder/m.py": ""})
    write({"onbroken.py": "from broken import Base\nclass Mine(Base): pass", "circle.py": "class Mine(Mine): pass"})
    write({"ring.py": "from gnir import Mine", "gnir.py": "from ring import Mine"})
    write({"egg.py": "from hen import Hen\nclass Mine(Hen): pass", "hen.py": "import egg\nclass Hen(egg.Mine): pass"})
    write({"deep.py": "x = " + " + ".join(["1"] * 10**5)})
    with pytest.raises(ValueError) as caught:
        lineage(estimator)
    message = str(caught.value)
    assert message.startswith(f"got {estimator!r}, expected module:class of a method, which is based on")
    assert re.fullmatch(reason.format(root=ROOT, here=tmp_path), message.partition("; ")[2])


def test_what_a_method_imports_is_read_before_anything_runs(config, write, tmp_path):
    write({"m.py": METHOD.format(imports="import helper; from deepkm import DKM", base="DKM"), "helper.py": "x ="})
    config["methods"]["mine"] = {"estimator": "m:Mine", "autoencoder": "mlp"}
    config["study"]["methods"] = ["mine"]
    message = f"got 'm:Mine', expected Python that can be read; {tmp_path}/helper.py, line 1: invalid syntax"
    with pytest.raises(ValueError, match=re.escape(message)):
        Study(config)


@pytest.mark.parametrize("name", ["deepkm.stages.scores", "no.such", ""])
def test_a_digest_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=r"got .*, expected Python that can be read; no module"):
        source_digest(name)
