"""The house: which module may import which, what a fresh process loads, and what a worker's Python has to understand."""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import backends.numpy
from harness.environments import Launch
from harness.interface import contract, missing
from harness.pool.path import import_path
from harness.pool.worker import Worker
from harness.registry import backends as known_backends

ROOT = Path(__file__).parents[1]
HARNESS, BACKENDS = ROOT / "harness", ROOT / "backends"

#: part of harness -> its floor; an import leads to a lower floor, or stays in its own part
FLOORS = {
    "__main__": 8, "cli": 7, "reproduction": 6, "reduction": 6, "export": 6, "execution": 5, "numeric": 4, "timing": 4, "report": 5,
    "worker": 4, "templates": 4, "pool": 3, "interface": 2, "environments": 2, "data": 2, "tables": 2, "spec": 1, "records": 1,
    "registry": 1, "errors": 0, "__init__": 0,
}  # fmt: skip
#: the door of the package opens `run`, `load` and `Run` when they are first used
DOOR = "harness/__init__.py"
#: imports that lead upwards and wait for their cure; an entry that no longer stands in the code has to go from here
UPWARDS: set[tuple[str, str]] = set()
#: what each adapter may import besides numpy, the standard library and the contract
COMPANIONS = {
    "numpy": {"threadpoolctl"}, "torch": {"torch"}, "tensorflow": {"tensorflow"},
    "keras": {"keras", "tensorflow", "torch", "jax", "jaxlib"},
    "jax": {"jax", "jaxlib", "optax"}, "autograd": {"autograd"}, "caffe2": {"caffe2"}, "chainer": {"chainer"},
    "flax": {"flax", "jax", "jaxlib", "optax"}, "mlx": {"mlx"}, "mxnet": {"mxnet"}, "paddle": {"paddle"}, "pytensor": {"pytensor"},
    "sklearn": {"sklearn"}, "tinygrad": {"tinygrad", "ziglang"},
}  # fmt: skip
FRAMEWORKS = set().union(*COMPANIONS.values()) | {"haiku", "equinox", "theano"}
#: the one module of harness that may import scikit-learn, for its data sets
DATA_SETS = "data/generated.py"
#: parts that a worker imports, and so an older Python has to
WORKER = ("__init__", "errors", "spec", "interface", "registry", "worker")
#: distributions whose modules have other names
MODULES = {"scikit-learn": {"sklearn"}, "py-cpuinfo": {"cpuinfo"}, "pydantic": {"pydantic", "pydantic_core"}}


class Import(NamedTuple):
    """One import statement: where it stands, and the module, as a full name."""

    path: Path
    line: int
    module: str

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


@cache
def sources(folder: Path) -> tuple[Path, ...]:
    """All Python files under a folder."""
    return tuple(sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts))


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, also those inside functions and for type checkers; `from a import b` counts as a.b."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(path, node.lineno, f"{start}.{alias.name}") for alias in node.names)


def part(module: str) -> str:
    """The part of harness that a full name belongs to; its own names, as `harness.__version__`, belong to `__init__`."""
    second = [*module.split("."), "__init__"][1]
    return second if second in FLOORS else "__init__"


def part_of(path: Path) -> str:
    """The part of harness that a file belongs to."""
    return path.relative_to(HARNESS).parts[0].removesuffix(".py")


def top(module: str) -> str:
    """The first word of a module's name."""
    return module.split(".", maxsplit=1)[0]


# imports as they are written ------------------------------------------------------------------------------------------------


def test_every_part_has_a_floor() -> None:
    """A new part of harness needs a floor here."""
    assert {part_of(path) for path in sources(HARNESS)} <= set(FLOORS)


def test_imports_go_down() -> None:
    """Every import inside harness leads to a lower floor or stays in its part; known exceptions are still needed."""
    wrong, excused = [], set()
    for path in sources(HARNESS):
        name = path.relative_to(ROOT).as_posix()
        for found in imports(path):
            if top(found.module) != "harness" or name == DOOR:
                continue
            mine, other = part_of(path), part(found.module)
            if other == mine or FLOORS[other] < FLOORS[mine]:
                continue
            if (name, other) in UPWARDS:
                excused.add((name, other))
            else:
                wrong.append(f"{found.place}: floor {FLOORS[mine]} to floor {FLOORS[other]}")
    assert not wrong, "\n".join(wrong)
    assert excused == UPWARDS


def test_harness_imports_no_framework_and_no_backend() -> None:
    """Nothing in harness imports a framework, or `backends` by statement."""
    wrong = [
        found.place
        for path in sources(HARNESS)
        for found in imports(path)
        if top(found.module) in {*FRAMEWORKS, "backends"} and path != HARNESS / DATA_SETS
    ]
    assert not wrong, "\n".join(wrong)


def test_harness_imports_what_it_declares() -> None:
    """Whatever harness imports is the standard library, itself, or a dependency of pyproject.toml; a worker's parts need numpy
    alone, pictures the extra `report`, ONNX files the extra `onnx`."""
    names = [
        word.split(">")[0].split("=")[0]
        for word in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ]
    declared = set().union(*(MODULES.get(name, {name}) for name in names))
    for path in sources(HARNESS):
        in_worker = path in worker_files()
        drawing = {"altair", "vl_convert", "jinja2", "markupsafe"} if part_of(path) == "report" else set()
        graphs = {"onnx"} if path.parent == HARNESS / "export" / "onnx" else set()
        allowed = {"harness", *sys.stdlib_module_names, *({"numpy"} if in_worker else declared), *drawing, *graphs}
        wrong = [found.place for found in imports(path) if top(found.module) not in allowed]
        assert not wrong, "\n".join(wrong)


def test_dynamic_imports() -> None:
    """Modules are imported by name in four places only: commands, adapters, what `explain` asks of a framework, and Keras' engines."""
    users = set()
    for path in (*sources(HARNESS), *sources(BACKENDS)):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute | ast.Name) and getattr(node, "attr", getattr(node, "id", "")) in (
                "import_module",
                "__import__",
            ):
                users.add(path.relative_to(ROOT).as_posix())
    assert users == {
        "harness/cli/__init__.py",
        "harness/registry/backends.py",
        "harness/worker/signatures.py",
        "backends/keras/program.py",
    }


@pytest.mark.parametrize("name", sorted(known_backends()))
def test_adapters_import_their_own(name: str) -> None:
    """An adapter imports its framework and companions, numpy, the standard library, harness.interface and harness.spec; of
    another adapter nothing."""
    allowed = {"numpy", *COMPANIONS[name], *sys.stdlib_module_names}
    for path in sources(BACKENDS / name):
        for found in imports(path):
            if top(found.module) == "harness":
                assert found.module.split(".")[1] in ("interface", "spec"), found.place
                assert ".reader" not in found.module, found.place
            elif top(found.module) == "backends":
                assert found.module.split(".")[1] == name, found.place
            else:
                assert top(found.module) in allowed, found.place


def test_workers_import_only_what_is_theirs() -> None:
    """What a worker imports leads to nothing that only the parent has: no reader of files, no tables, no command line."""
    for path in worker_files():
        if path.is_relative_to(HARNESS) and path.relative_to(ROOT).as_posix() != DOOR:
            for found in imports(path):
                if top(found.module) == "harness":
                    assert part(found.module) in WORKER, found.place
                    assert ".reader" not in found.module, found.place


# what a fresh process loads -------------------------------------------------------------------------------------------------

RUN = """
import runpy, sys
sys.argv = ["harness", *sys.argv[1:]]
code = 0
try:
    runpy.run_module("harness", run_name="__main__", alter_sys=True)
except SystemExit as ending:
    code = ending.code or 0
print(code, *sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def loaded(code: str, *arguments: str) -> set[str]:
    """Modules that a fresh process has after some code; its last line of stderr says so, after its exit code."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    exit_code, *names = done.stderr.strip().splitlines()[-1].split()
    assert exit_code == "0", done.stderr
    return set(names)


def test_import_costs_nothing() -> None:
    """`import harness` loads neither numpy nor anything else that is not of Python's own."""
    names = loaded("import sys; before = set(sys.modules); import harness; print(0, *set(sys.modules) - before, file=sys.stderr)")
    assert {top(name) for name in names} <= {"harness", *sys.stdlib_module_names}


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        (["--help"], ["numpy", "rich", "pydantic_core"]),
        (["run", "--help"], ["numpy", "rich", "pydantic_core"]),
        (["list"], ["numpy", "rich", "pydantic_core"]),
        (["check", "experiments/xor.toml"], ["numpy"]),
    ],
    ids=" ".join,
)
def test_commands_stay_light(command: list[str], heavy: list[str]) -> None:
    """Help, list and check load no framework, no pandas, SciPy, scikit-learn or pyarrow, and no numpy."""
    names = loaded(RUN, *command)
    assert "click" in names
    assert not names & {*FRAMEWORKS, "pandas", "scipy", "sklearn", "pyarrow", *heavy}


def test_a_worker_loads_numpy_alone(tmp_path: Path) -> None:
    """The worker's own code and the numpy adapter load nothing but numpy and the standard library."""
    code = (
        f"import sys; sys.path.insert(0, {str(import_path(tmp_path))!r}); before = set(sys.modules)\n"
        "import harness.worker.session, harness.worker.conformance, backends.numpy\n"
        "print(0, *{name.split('.')[0] for name in set(sys.modules) - before}, file=sys.stderr)"
    )
    assert loaded(code) <= {"harness", "backends", "numpy", *sys.stdlib_module_names}


# workers --------------------------------------------------------------------------------------------------------------------


def test_import_path(tmp_path: Path) -> None:
    """Workers find `harness` and `backends` on their path and nothing else of the parent's."""
    path = import_path(tmp_path)
    assert sorted(entry.name for entry in path.iterdir()) == ["backends", "harness"]
    for name in ("harness", "backends"):
        assert (path / name).samefile(ROOT / name)


def test_import_path_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where links are not allowed they are copies, without compiled files."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError

    monkeypatch.setattr(Path, "symlink_to", refuse)
    path = import_path(tmp_path)
    assert {file.relative_to(path) for file in path.rglob("*.py")} == {
        file.relative_to(ROOT) for home in (HARNESS, BACKENDS) for file in sources(home)
    }
    assert not list(path.rglob("__pycache__"))


@pytest.mark.skipif(os.name == "nt", reason="the interpreter of this test is a shell script")
@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="the tests run outside a virtual environment")
def test_a_foreign_worker_sees_nothing_of_the_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with another interpreter has no folder of the parent's environment on its path, PYTHONPATH or not, and imports
    harness from its own path."""
    site = sysconfig.get_path("purelib")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([site, str(ROOT)]))
    found = tmp_path / "found.json"
    look = f"import json, sys, harness; json.dump([harness.__file__, *sys.path], open({str(found)!r}, 'w'))"
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec '{Path(sys.base_prefix) / 'bin' / 'python3'}' -c \"{look}\"\n")
    python.chmod(0o755)
    path = import_path(tmp_path)
    worker = Worker(Launch(str(python), {}), path, tmp_path / "log", 20)
    try:
        worker.process.wait(timeout=20)
    finally:
        worker.close()
    home, *places = json.loads(found.read_text())
    assert Path(home).parent.samefile(HARNESS), (tmp_path / "log").read_text()
    assert Path(home).is_relative_to(path) or not Path(home).is_absolute()
    assert not [place for place in places if place.startswith((sys.prefix, str(ROOT)))]


# Python 3.9 -----------------------------------------------------------------------------------------------------------------


@cache
def worker_files() -> tuple[Path, ...]:
    """Every file that a worker may import."""
    own = [path for path in sources(HARNESS) if part_of(path) in (*WORKER, "templates") and "reader" not in path.parts]
    return (*own, *sources(BACKENDS))


def vermin(*paths: Path, annotations: bool = False) -> str:
    """What of some files Python 3.9 does not know, "" if nothing. tomllib is for the parent alone: see test_tomllib."""
    pytest.importorskip("vermin")
    options = ["-t=3.9-", "--no-tips", "--violations", "--exclude", "tomllib", *(["--eval-annotations"] if annotations else [])]
    command = [sys.executable, "-c", "import vermin; vermin.main()", *options, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr if done.returncode else ""


def unions(path: Path) -> list[str]:
    """Types joined by `|` that are evaluated, as in isinstance: vermin overlooks them."""
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and (is_type(node.left) or is_type(node.right)):
            found.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        visit(child)

    visit(ast.parse(path.read_text("utf-8")))
    return found


def is_type(node: ast.AST) -> bool:
    """Whether an expression is surely a type."""
    named = isinstance(node, ast.Name) and isinstance(getattr(builtins, node.id, None), type)
    return named or (isinstance(node, ast.Constant) and node.value is None)


def too_new(paths: Iterable[Path]) -> str:
    """What Python 3.9 would stumble over; annotations count only where they are evaluated."""
    lazy = {path: "from __future__ import annotations" in path.read_text("utf-8") for path in paths}
    groups = [([path for path in lazy if lazy[path]], False), ([path for path in lazy if not lazy[path]], True)]
    found = [vermin(*group, annotations=evaluated) for group, evaluated in groups if group]
    return "\n".join([*filter(None, found), *(line for path in lazy for line in unions(path))])


def test_python_3_9_by_reading() -> None:
    """Nothing that a worker imports needs more than Python 3.9, annotations apart, where they are not evaluated."""
    assert not too_new(worker_files())


@pytest.mark.parametrize("line", ["zip([], [], strict=True)", "match 1:\n    case _: pass", "isinstance(1, int | str)"])
def test_python_3_9_is_really_checked(line: str, tmp_path: Path) -> None:
    """The reading finds what Python 3.9 does not know."""
    (tmp_path / "new.py").write_text(f"from __future__ import annotations\n{line}\n")
    assert too_new([tmp_path / "new.py"])


@cache
def python39(numpy: bool) -> str | None:
    """A Python 3.9 of this machine, with numpy if that is asked for; HARNESS_PYTHON39 may name one."""
    places = [os.environ.get("HARNESS_PYTHON39"), shutil.which("python3.9"), "/usr/bin/python3.9"]
    places += map(str, sorted(Path.home().glob(".pyenv/versions/3.9*/bin/python")))
    places += map(str, sorted(Path.home().glob(".local/share/uv/python/cpython-3.9*/bin/python3.9")))
    test = f"import sys{', numpy' if numpy else ''}; sys.exit(sys.version_info[:2] != (3, 9))"
    for place in filter(None, places):
        try:
            if subprocess.run([place, "-c", test], capture_output=True, check=False, timeout=30).returncode == 0:
                return place
        except OSError:
            continue
    return None


def on_39(numpy: bool, code: str, folder: Path) -> str:
    """Run code in Python 3.9, on a worker's path; skips where there is none."""
    python = python39(numpy)
    if python is None:
        pytest.skip(f"no Python 3.9{' with numpy' if numpy else ''} here; HARNESS_PYTHON39 may name one")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, cwd=import_path(folder), env=environment, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_3_9_compiles(tmp_path: Path) -> None:
    """A real Python 3.9 compiles every file of a worker, and imports those that need no numpy."""
    files = [path.relative_to(ROOT).as_posix() for path in worker_files()]
    code = f"""
import pathlib
for name in {files!r}:
    compile(pathlib.Path(name).read_text("utf-8"), name, "exec")
import harness, harness.errors, harness.registry as registry, harness.spec.codec
registry.backend(registry.parse("torch:compile"))
"""
    on_39(False, code, tmp_path)


def test_python_3_9_works(tmp_path: Path) -> None:
    """A real Python 3.9 with an old numpy imports a worker's code, and the numpy adapter obeys the laws there."""
    code = """
import sys
import harness.worker.session, backends.numpy
from harness.worker.conformance import check, items
for name in dict.fromkeys(names[0] for names in items().values()):
    found = check(backends.numpy, "float32", "cpu", "", name, 1)
    assert not found["broken"], (name, found)
assert "tomllib" not in sys.modules
print("done")
"""
    assert on_39(True, code, tmp_path) == "done\n"


# the contract ---------------------------------------------------------------------------------------------------------------


def test_numpy_fulfils_the_contract() -> None:
    """The reference lacks nothing, and a module that lacks something is told so by name."""
    assert missing(backends.numpy) == []
    assert missing(ast) == [f"{name} is missing" for name in ("REQUIRES", "MODES", "FORMS", "supports", "versions", "Program")]


@pytest.mark.parametrize("name", sorted(known_backends()))
def test_adapters_declare_the_contract(name: str) -> None:
    """Every adapter has REQUIRES and MODES as literals, a title, a plain mode, a FORMS, and a Program with the contract's methods
    and arguments: read from its source, without its framework."""
    found = known_backends()[name]
    assert found.title.endswith((".", "!")) or ":" in found.title
    assert "" in found.modes
    assert set(found.requires) <= {*COMPANIONS[name], "numpy"}
    for mode, settings in found.modes.items():
        assert set(settings) <= {"requires", "variables"}
        assert set(found.needs(mode)) <= {*COMPANIONS[name], "numpy"}
        assert all(isinstance(value, str) for value in found.variables(mode).values())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for mode in found.modes for extra in found.needs(mode).values()} <= {*extras, ""}
    files = sources(BACKENDS / name) if (BACKENDS / name).is_dir() else (BACKENDS / f"{name}.py",)
    body = [node for file in files for node in ast.parse(file.read_text("utf-8")).body]
    top_level = {node.name: node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert arguments(top_level["supports"]) == ["spec", "dtype", "device", "mode"]
    assert arguments(top_level["versions"]) == []
    assert any(
        isinstance(node, ast.Assign | ast.AnnAssign) and "FORMS" in ast.unparse(node).split("=")[0] for node in body
    )
    methods = {node.name: node for node in top_level["Program"].body if isinstance(node, ast.FunctionDef)}
    for method in ("__init__", "load", "state", "probe", "stage", "unstage", "compile", "train", "predict"):
        assert arguments(methods[method]) == list(inspect.signature(getattr(contract.Program, method)).parameters), method


def arguments(function: Any) -> list[str]:
    """Names of a function's arguments."""
    return [argument.arg for argument in function.args.args]
