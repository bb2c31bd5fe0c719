"""What is installed is pinned, licensed and known; and nothing that comes as data is ever run as code."""

import ast
import importlib.util
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
CODE = sorted(path for package in ("kcb_pipeline", "assets", "checks") for path in (ROOT / package).rglob("*.py"))


def licence_page():
    spec = importlib.util.spec_from_file_location("docs_licences", ROOT / "docs" / "licences.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def requirements(lock):
    """Each requirement of a lock file with its options."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_with_hashes_and_names_no_place(lock):
    for requirement in requirements(lock):
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+ ", requirement), requirement[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", requirement), requirement[:80]
        assert "://" not in requirement
        assert "--index" not in requirement


def test_what_the_project_asks_for_is_in_the_lock():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    asked = {re.split(r"[<>=!\[]", name)[0].lower() for name in project}
    locked = {
        requirement.split("==")[0].lower() for requirement in requirements(ROOT / "requirements" / "runtime.lock")
    }

    assert asked <= locked


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_all_that_the_lock_does_on_which_it_stands(lock):
    asked = lock.with_suffix(".in").read_text(encoding="utf-8")
    for base in re.findall(r"^-r (\S+)\.in$", asked, flags=re.MULTILINE):
        held, own = (
            {re.sub(r"\[.*?\]", "", requirement.split(" ")[0]) for requirement in requirements(one)}
            for one in (lock.with_name(f"{base}.lock"), lock)
        )
        assert held <= own, f"{base}: run make lock"


def test_what_is_chosen_is_explained():
    decision = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "adr").glob("*.md")).lower()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]

    for name in project:
        assert re.split(r"[<>=!\[]", name)[0].removesuffix("-webserver") in decision, name


def test_the_list_of_licences_is_that_of_what_is_installed():
    licences = licence_page()
    listed = licences.listed((ROOT / "docs" / "licences.md").read_text(encoding="utf-8"))
    locked = licences.locked()

    assert {name: version for name, (version, _) in listed.items()} == locked, "run python docs/licences.py"
    for name in locked:
        try:
            installed = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # of another platform or version of Python; its line was written by hand
        if installed["Version"] == locked[name]:
            assert listed[name][1] == licences.licence(name), name


def test_every_licence_lets_a_public_body_use_change_and_pass_on():
    licences = licence_page()
    for name, (_, licence) in licences.listed((ROOT / "docs" / "licences.md").read_text(encoding="utf-8")).items():
        assert licences.is_accepted(licence), (name, licence)
    assert not licences.is_accepted("AGPL-3.0-only")
    assert not licences.is_accepted("GPL-3.0-or-later")
    assert not licences.is_accepted("unknown")


# -- no code from data -------------------------------------------------------------------------------------------------

RUNS_CODE = {
    "eval", "exec", "compile", "__import__", "runpy", "code.interact", "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib",
    "marshal", "shelve", "jsonpickle", "yaml", "torch", "os.system", "os.popen", "os.exec", "subprocess", "pty", "ctypes", "importlib.import_module",
    "importlib.util", "pandas.read_pickle", "pd.read_pickle", "numpy.fromregex", "xml.sax.make_parser", "xml.dom", "xml.etree", "lxml",
}  # fmt: skip
"""Calls and imports by which data could become code or a command (yaml: nothing here reads it; Dagster reads its own by itself)."""

ALLOWED = {
    # A process a date, of this program itself, with arguments as a list: no shell, nothing of an extract.
    "kcb_pipeline/orchestration/backfill.py": {"subprocess", "subprocess.Popen"},
    # Of a workbook's parts; one that brings a document type, where entities would be declared, is refused first.
    "kcb_pipeline/extracts/error_cells.py": {"xml.etree.ElementTree"},
    # Helpers of this program itself; what is pickled goes through a pipe from one to the other and was never a file.
    "kcb_pipeline/processes.py": {"pickle", "pickle.dump", "pickle.load", "subprocess", "subprocess.Popen"},
}
"""File → names that it may use all the same, each with its reason beside it."""


def used(tree):
    """Names imported and called in a module, as they are written."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.Call(func=func):
                yield ast.unparse(func)


def dangers(source):
    """What in some source could run data as code."""
    tree = ast.parse(source)
    found = {
        name
        for name in used(tree)
        for bad in RUNS_CODE
        if name == bad or name.startswith((f"{bad}.", f"{bad}v", f"{bad}l"))
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and (node.arg, ast.unparse(node.value)) in (
            ("allow_pickle", "True"),
            ("shell", "True"),
        ):
            found.add(f"{node.arg}=True")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
            told = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if told.get("allow_pickle") != "False":
                found.add("np.load without allow_pickle=False")
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.search(r"\b(LOAD|INSTALL) +['\w]+;?$", node.value)
        ):
            found.add(f"DuckDB extension: {node.value}")
    return found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_runs_from_extracts_configuration_or_models(path):
    assert dangers(path.read_text(encoding="utf-8")) <= ALLOWED.get(str(path.relative_to(ROOT)), set())


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)", "exec(x)", "import pickle", "from pickle import loads", "import pickle as p", "import joblib", "import yaml",
        "os.system(x)", "os.execv(x)", "import subprocess", "np.load(f)", "np.load(f, allow_pickle=True)", "run(x, shell=True)",
        "importlib.import_module(x)", "pd.read_pickle(x)", "c.execute('INSTALL httpfs')", "def f():\n    from marshal import loads",
    ],
)  # fmt: skip
def test_each_of_these_would_be_found(source):
    assert dangers(source)


@pytest.mark.parametrize(
    "source", ["np.load(f, allow_pickle=False)", "re.compile(x)", "tomllib.loads(x)", "evaluate(x)"]
)
def test_and_none_of_these(source):
    assert not dangers(source)
