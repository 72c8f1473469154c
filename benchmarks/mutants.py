"""How much the proofs of the reference see: `python -m benchmarks.mutants [MODULE...]`.

Every function of the numpy backend is changed in one place at a time, and the tests in tests/reference that are about it are run until one
fails. Score: changes that some test sees, of all that are no mere other way to write the same (`equivalent_mutants.toml`, each with its
reason). What is changed was fixed before the first run:

    constant    a whole number one more or one less, a float 1 % more, True and False exchanged
    arithmetic  + and -, * and /, ** and *, // and /, % and //, & and | exchanged; @ 1e-6 larger
    term        a + b, a - b, a * b, a / b become a or b alone (a / b only a)
    in place    += and -=, *= and /= exchanged, each also a mere =
    comparison  < and <=, > and >=, == and !=, is and is not, in and not in exchanged; < and >, <= and >= too
    logic       "and" and "or" exchanged, not x, -x and ~x become x
    function    a ufunc becomes its neighbour (FUNCTIONS)
    transpose   .T, transpose, swapaxes and copy are left out
    branch      of "a if c else b" only a, only b; "if c" always, never
    slice       starts one later, ends one earlier, where it says nothing
    arguments   two neighbours exchanged, in calls and in tuples (gates, for one), but the two of a ufunc that commutes
    option      a named argument left out
    statement   left out: an assignment, a call, a loop

Each change is run in a child of its own, two at a time, with a limit on CPU time and memory; what exceeds one counts as seen. A file named
in MUTANTS_LOG keeps what was seen, and a later run goes on from there, module by module as long as its source is the same.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import importlib
import importlib.abc
import importlib.util
import inspect
import itertools
import json
import os
import resource
import signal
import sys
import time
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import pytest

from harness.worker.conformance import all_items
from harness.worker.conformance import cases as all_cases

ROOT = Path(__file__).parents[1]
PACKAGE = "backends.numpy"
MODULES = (
    "core", "merging", "noise", "activations", "special", "windows", "convolution", "pooling", "resizing", "normalization", "recurrent",
    "attention", "losses", "optimizers",
)  # fmt: skip
#: what else changes when a module does
READERS = {
    "special": ("activations",),
    "windows": ("convolution", "pooling", "resizing"),
    "activations": ("recurrent", "attention"),
}
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
SECONDS, BYTES, JOBS = 90, 6 * 2**30, 2
#: signals that a change itself may bring about: too much time, bad memory
OWN = (signal.SIGXCPU, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE)

FUNCTIONS = {
    "add": "subtract", "subtract": "add", "multiply": "divide", "divide": "multiply", "maximum": "minimum", "minimum": "maximum",
    "exp": "expm1", "expm1": "exp", "log": "log1p", "log1p": "log", "tanh": "arctan", "sqrt": "square", "reciprocal": "negative",
    "negative": "positive", "sign": "positive", "absolute": "positive", "greater": "greater_equal", "equal": "not_equal",
    "logical_and": "logical_or", "logical_or": "logical_and", "zeros_like": "ones_like", "ones_like": "zeros_like", "zeros": "ones",
    "ones": "zeros", "cos": "sin", "sin": "cos", "max": "min", "sum": "max", "argmax": "argmin", "power": "multiply",
}  # fmt: skip
#: ufuncs whose first two arguments may be exchanged
COMMUTATIVE = ("add", "multiply", "maximum", "minimum", "logical_and", "logical_or", "equal", "not_equal")
OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.Pow: (ast.Mult,), ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.FloorDiv,), ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,), ast.And: (ast.Or,), ast.Or: (ast.And,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
}  # fmt: skip

Change = tuple[str, Callable[[Any], ast.AST]]


class Mutant(NamedTuple):
    """One change.

    Attributes:
        name: function, kind of change, what it is made of and what it becomes; unique in its module.
        place: number of the changed node, in the order of `ast.walk`.
        turn: which of its changes.
    """

    name: str
    place: int
    turn: int


# what is changed ------------------------------------------------------------------------------------------------------------


def put(name: str, value: Any) -> Callable[[Any], ast.AST]:
    """A change of one field."""

    def change(node: Any) -> Any:
        setattr(node, name, value)
        return node

    return change


def constants(node: ast.Constant) -> Iterator[Change]:
    """Other numbers."""
    value = node.value
    if isinstance(value, bool):
        yield "constant", lambda node: ast.Constant(not value)
    elif isinstance(value, int):
        yield "constant", lambda node: ast.Constant(value + 1)
        yield "constant", lambda node: ast.Constant(value - 1)
    elif isinstance(value, float):
        yield "constant", lambda node: ast.Constant(value * 1.01 if value else 0.01)


def operations(node: ast.BinOp) -> Iterator[Change]:
    """Other operations, or one side alone."""
    for other in OPERATORS.get(type(node.op), ()):
        yield "arithmetic", put("op", other())
    if isinstance(node.op, ast.MatMult):
        yield "arithmetic", lambda node: ast.BinOp(node, ast.Mult(), ast.Constant(1 + 1e-6))
    if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
        yield "term", lambda node: node.left
    if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
        yield "term", lambda node: node.right


def in_place(node: ast.AugAssign) -> Iterator[Change]:
    """Other operations, or a mere assignment."""
    for other in OPERATORS.get(type(node.op), ()):
        yield "in place", put("op", other())
    yield "in place", lambda node: ast.Assign([node.target], node.value)


def comparisons(node: ast.Compare) -> Iterator[Change]:
    """Other comparisons."""
    for other in OPERATORS.get(type(node.ops[0]), ()):
        yield "comparison", put("ops", [other(), *node.ops[1:]])


def logic(node: ast.BoolOp | ast.UnaryOp) -> Iterator[Change]:
    """Other connections, no negation."""
    if isinstance(node, ast.BoolOp):
        yield "logic", put("op", OPERATORS[type(node.op)][0]())
    elif isinstance(node.operand, ast.Constant):
        return  # a negative number is a constant
    else:
        yield "logic", lambda node: node.operand


def calls(node: ast.Call) -> Iterator[Change]:
    """Other functions, no transposes, exchanged arguments, options left out."""
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in FUNCTIONS:
            yield "function", put("func", ast.Attribute(node.func.value, FUNCTIONS[node.func.attr], ast.Load()))
        if isinstance(node.func.value, ast.Attribute) and node.func.value.attr in FUNCTIONS:
            yield "function", put("func", of_neighbour(node.func))
        if node.func.attr in ("transpose", "swapaxes", "copy"):
            yield "transpose", lambda node: node.func.value
    commutes = isinstance(node.func, ast.Attribute) and node.func.attr in COMMUTATIVE
    for index in range(commutes, len(node.args) - 1):
        pair = node.args[index : index + 2]
        if not any(isinstance(argument, ast.Starred) for argument in pair) and ast.unparse(pair[0]) != ast.unparse(pair[1]):
            yield "arguments", put("args", exchanged(node.args, index))
    for index in range(len(node.keywords)):
        yield "option", put("keywords", node.keywords[:index] + node.keywords[index + 1 :])


def of_neighbour(function: Any) -> ast.AST:
    """numpy.add.reduce -> numpy.subtract.reduce."""
    inner = function.value
    return ast.Attribute(ast.Attribute(inner.value, FUNCTIONS[inner.attr], ast.Load()), function.attr, ast.Load())


def exchanged(parts: list[Any], index: int) -> list[Any]:
    """Two neighbours exchanged."""
    return [*parts[:index], parts[index + 1], parts[index], *parts[index + 2 :]]


def tuples(node: ast.Tuple) -> Iterator[Change]:
    """Neighbours exchanged."""
    for index in range(len(node.elts) - 1):
        if ast.unparse(node.elts[index]) != ast.unparse(node.elts[index + 1]):
            yield "arguments", put("elts", exchanged(node.elts, index))


def branches(node: ast.IfExp | ast.If) -> Iterator[Change]:
    """One branch alone."""
    for always in (True, False):
        yield "branch", put("test", ast.Constant(always))


def slices(node: ast.Slice) -> Iterator[Change]:
    """Shorter ones, where an end is open."""
    if node.lower is None and node.step is None:
        yield "slice", put("lower", ast.Constant(1))
    if node.upper is None and node.step is None:
        yield "slice", put("upper", ast.UnaryOp(ast.USub(), ast.Constant(1)))


def attributes(node: ast.Attribute) -> Iterator[Change]:
    """No transposes."""
    if node.attr == "T" and isinstance(node.ctx, ast.Load):
        yield "transpose", lambda node: node.value


KINDS: dict[type[ast.AST], Callable[[Any], Iterator[Change]]] = {
    ast.Constant: constants, ast.BinOp: operations, ast.AugAssign: in_place, ast.Compare: comparisons, ast.BoolOp: logic,
    ast.UnaryOp: logic,
    ast.Call: calls, ast.Tuple: tuples, ast.IfExp: branches, ast.If: branches, ast.Slice: slices, ast.Attribute: attributes,
}  # fmt: skip


def changes(node: ast.AST) -> list[Change]:
    """All changes of one node."""
    found = list(KINDS[type(node)](node)) if type(node) in KINDS else []
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.For)):
        found.append(("statement", lambda node: ast.Pass()))
    return found


def left_alone(tree: ast.Module) -> set[int]:
    """What is no computation: docstrings, annotations, decorators, imports, tables of classes, and what only raises."""
    parts: list[ast.AST | None] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            parts += [*node.decorator_list, getattr(node, "returns", None)]
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            parts.append(node.annotation)
        elif isinstance(node, (ast.Raise, ast.Import, ast.ImportFrom)) or is_text(node):
            parts.append(node)
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            parts.append(node)
    return {id(inner) for part in parts if part is not None for inner in ast.walk(part)}


def is_text(node: ast.AST) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def mutants(module: str) -> list[Mutant]:
    """All changes of a module."""
    tree = ast.parse(source(module).read_text())
    without, inside, wholes = left_alone(tree), scopes(tree), expressions(tree)
    found, seen = [], Counter[str]()
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in without:
            continue
        for turn, (kind, change) in enumerate(changes(node)):
            text = f"{inside.get(id(node), '')}: {kind}: {short(node)} -> {short(change(copy.deepcopy(node)))}"
            text += f" in {short(wholes[id(node)])}" if kind in ("constant", "slice") else ""
            seen[text] += 1
            found.append(Mutant(text if seen[text] == 1 else f"{text} ({seen[text]})", place, turn))
    return found


def short(node: ast.AST) -> str:
    """A node in a few words."""
    text = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return text if len(text) < 90 else f"{text[:40]}...{text[-40:]}"


def scopes(tree: ast.Module) -> dict[int, str]:
    """The class and function that each node stands in."""
    found: dict[int, str] = {}

    def walk(node: ast.AST, name: str) -> None:
        found[id(node)] = name
        inner = f"{name}.{node.name}".strip(".") if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else name
        for child in ast.iter_child_nodes(node):
            walk(child, inner)

    walk(tree, "")
    return found


def expressions(tree: ast.Module) -> dict[int, ast.AST]:
    """The call, operation or statement that each node stands in."""
    found: dict[int, ast.AST] = {}

    def walk(node: ast.AST, whole: ast.AST) -> None:
        found[id(node)] = whole
        inner = node if isinstance(node, (ast.Call, ast.BinOp, ast.Compare, ast.Subscript, ast.stmt)) else whole
        for child in ast.iter_child_nodes(node):
            walk(child, inner)

    walk(tree, tree)
    return found


def source(module: str) -> Path:
    """A module's file."""
    return ROOT / PACKAGE.replace(".", "/") / f"{module}.py"


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module with one change, and no other."""

    def __init__(self, module: str, mutant: Mutant) -> None:
        self.name, self.path = f"{PACKAGE}.{module}", source(module)
        tree = ast.parse(self.path.read_text())
        target = list(ast.walk(tree))[mutant.place]
        change = changes(target)[mutant.turn][1]

        class Change(ast.NodeTransformer):
            def visit(self, node: ast.AST) -> Any:
                """The target, changed."""
                return change(node) if node is target else self.generic_visit(node)

        self.code = compile(ast.fix_missing_locations(Change().visit(tree)), str(self.path), "exec")

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        """See above."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module: Any) -> None:
        """Run the changed code."""
        exec(self.code, module.__dict__)


# which tests are run --------------------------------------------------------------------------------------------------------


def items(module: str, scope: str = "") -> set[str]:
    """What a module computes, or a class of it alone, as conformance cases name it: `layer/dense`."""
    layers, losses, optimizers = (importlib.import_module(f"{PACKAGE}.{name}") for name in ("layers", "losses", "optimizers"))
    names = {f"{PACKAGE}.{name}" for name in (module, *READERS.get(module, ()))}
    tables = {"layer": layers.LAYERS, "activation": layers.ACTIVATIONS, "loss": losses.LOSSES, "optimizer": optimizers.OPTIMIZERS}
    found = {f"{word}/{name}": kind for word, table in tables.items() for name, kind in table.items() if kind.__module__ in names}
    return {item for item, kind in found.items() if not scope or any(parent.__name__ == scope for parent in kind.__mro__)}


#: of each module, the files of tests in the order in which they are run
FILES = {
    "special": ("test_kinks", "test_cases", "test_layers", "test_replicas"),
    "losses": ("test_cases", "test_kinks", "test_replicas"),
    "optimizers": ("test_optimizers", "test_cases", "test_replicas"),
    **dict.fromkeys(
        ("windows", "convolution", "pooling", "resizing"), ("test_cases", "test_linear", "test_layers", "test_replicas")
    ),
}
OTHERS = ("test_cases", "test_kinks", "test_layers", "test_linear", "test_replicas")


def tests(module: str, scope: str = "") -> Iterator[tuple[str, Callable[..., Any], dict[str, Any]]]:
    """Tests about a module: name, function, arguments. File by file, first those about the class that is changed; some of each test before
    all others of the first."""
    about, most = items(module), items(module, scope)
    for file in FILES.get(module, OTHERS):
        found = [
            ((not concerns(most, arguments), index // 5), f"{file}.{function.__name__}", function, arguments)
            for function in functions(importlib.import_module(f"tests.reference.{file}"))
            for index, arguments in enumerate(arguments for arguments in parametrised(function) if concerns(about, arguments))
        ]
        for _, name, function, arguments in sorted(found, key=lambda one: one[0]):
            yield name, function, arguments


def functions(module: Any) -> list[Callable[..., Any]]:
    """A module's tests in their order."""
    return [value for name, value in vars(module).items() if name.startswith("test_") and callable(value)]


def parametrised(function: Any) -> Iterator[dict[str, Any]]:
    """Every set of arguments of a test."""
    marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    for row in itertools.product(*(mark.args[1] for mark in marks)):
        arguments: dict[str, Any] = {}
        for mark, value in zip(marks, row, strict=True):
            names = [name.strip() for name in mark.args[0].split(",")] if isinstance(mark.args[0], str) else mark.args[0]
            arguments.update(zip(names, value if len(names) > 1 else (value,), strict=True))
        yield arguments


def concerns(about: set[str], arguments: dict[str, Any]) -> bool:
    """Whether a test is about one of some items; one without a case or a layer's type in its arguments is about all."""
    case = str(arguments.get("name"))
    if case in all_cases():
        return bool(about.intersection(all_cases()[case].about if about & {"loss/mse", "optimizer/sgd"} else uses()[case]))
    types = {f"{word}/{getattr(value, 'type', value)}" for value in arguments.values() for word in ("layer", "activation")}
    types &= types_known()
    return not types or bool(types & about)


@cache
def uses() -> dict[str, frozenset[str]]:
    """What each case uses."""
    return {name: case.uses for name, case in all_cases().items()}


@cache
def types_known() -> frozenset[str]:
    """All types, as `layer/dense`."""
    return frozenset(all_items())


def attempt(module: str, mutant: Mutant | None) -> str:
    """Run the tests about a module, with a change or without; the first that fails, or ""."""
    if mutant is not None:
        sys.meta_path.insert(0, Changed(module, mutant))
    name = "import"
    try:
        for name, function, arguments in tests(module, mutant.name.partition(".")[0] if mutant else ""):  # noqa: B007
            if "monkeypatch" in inspect.signature(function).parameters:
                with pytest.MonkeyPatch.context() as patch:
                    function(**arguments, monkeypatch=patch)
            else:
                function(**arguments)
    except BaseException as problem:
        return f"{name}: {type(problem).__name__}"
    return ""


# many of them ---------------------------------------------------------------------------------------------------------------


class Child:
    """One change, tried in a process of its own."""

    def __init__(self, module: str, mutant: Mutant | None) -> None:
        self.module, self.mutant = module, mutant
        self.end, end = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
                resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, 2 * SECONDS))
                silent = os.open(os.devnull, os.O_WRONLY)
                os.dup2(silent, 1)
                os.dup2(silent, 2)
                os.write(end, attempt(module, mutant).encode()[:2000])
            finally:
                os._exit(0)
        os.close(end)

    def finished(self) -> str | None:
        """What failed; None while it runs.

        Raises:
            InterruptedError: somebody else ended it.
        """
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        found = os.read(self.end, 4000).decode()
        os.close(self.end)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) not in OWN:
            raise InterruptedError(f"signal {os.WTERMSIG(status)}")
        return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else found

    def wait(self) -> str:
        """What failed, at the end."""
        while (found := self.finished()) is None:
            time.sleep(0.01)
        return found


def tried(work: list[tuple[str, Mutant]]) -> Iterator[tuple[str, Mutant, str]]:
    """Module, change and the test that saw it, or "", as they end."""
    running: list[Child] = []
    left = iter(work)
    while True:
        for module, mutant in itertools.islice(left, JOBS - len(running)):
            running.append(Child(module, mutant))
        if not running:
            return
        time.sleep(0.005)
        for child in list(running):
            outcome = child.finished()
            if outcome is not None:
                running.remove(child)
                assert child.mutant
                yield child.module, child.mutant, outcome


def prepare() -> None:
    """Import what every child needs, but nothing that is changed."""
    for name in ("hypothesis.strategies", "scipy.special", "scipy.stats", "harness.worker.conformance.laws"):
        importlib.import_module(name)
    uses(), types_known()
    warnings.simplefilter("ignore")
    numpy.seterr(all="ignore")
    assert not any(name.startswith((PACKAGE, "tests")) for name in sys.modules)


def equivalents() -> dict[str, str]:
    """Changes that compute the same, `module.name`, with the reason."""
    if not EQUIVALENT.exists():
        return {}
    groups = tomllib.loads(EQUIVALENT.read_text()).get("equivalent", [])
    return {name: group["reason"] for group in groups for name in group["mutants"]}


class Log:
    """What was seen before, in a file, or nowhere."""

    def __init__(self, path: str) -> None:
        self.path = Path(path) if path else None
        lines = self.path.read_text().splitlines() if self.path and self.path.exists() else []
        self.seen: dict[tuple[str, ...], str] = {tuple(key): outcome for *key, outcome in map(json.loads, lines) if outcome}

    def key(self, module: str, mutant: Mutant) -> tuple[str, ...]:
        """A module, what it is now, and a change."""
        return module, hashlib.sha256(source(module).read_bytes()).hexdigest()[:12], mutant.name

    def outcome(self, module: str, mutant: Mutant) -> str:
        """The test that saw a change before, or ""."""
        return self.seen.get(self.key(module, mutant), "")

    def keep(self, module: str, mutant: Mutant, outcome: str) -> None:
        """Write down an outcome."""
        if self.path:
            with self.path.open("a") as file:
                print(json.dumps([*self.key(module, mutant), outcome]), file=file)


def main(words: list[str]) -> bool:
    """Try all changes of some modules, or of all; print the score; whether nothing is overlooked."""
    known, log = equivalents(), Log(os.environ.get("MUTANTS_LOG", ""))
    every = {module: mutants(module) for module in words or MODULES}
    prepare()
    outcomes, work = {}, []
    for module, found in every.items():
        if (failed := Child(module, None).wait()) != "":
            sys.exit(f"the tests about {module} fail as it is: {failed}")
        for mutant in found:
            outcomes[f"{module}.{mutant.name}"] = (
                "equivalent" if f"{module}.{mutant.name}" in known else log.outcome(module, mutant)
            )
        work += [(module, mutant) for mutant in found if not outcomes[f"{module}.{mutant.name}"]]
    for module, mutant, outcome in tried(work):
        outcomes[f"{module}.{mutant.name}"] = outcome
        log.keep(module, mutant, outcome)
        if not outcome:
            print(f"overlooked  {module}.{mutant.name}", flush=True)
    report(list(every), outcomes)
    stale = [name for name in known if name.partition(".")[0] in every and name not in outcomes]
    for name in stale:
        print(f"no such change any more: {name}")
    return all(outcomes.values()) and not stale


def report(modules: list[str], outcomes: dict[str, str]) -> None:
    """Print a line a module, the score, and which tests saw how many."""
    totals: Counter[str] = Counter()
    print("| module | changes | equivalent | seen | overlooked |\n|---|---:|---:|---:|---:|")
    for module in modules:
        own = [outcome for name, outcome in outcomes.items() if name.startswith(f"{module}.")]
        row = {"changes": len(own), "equivalent": own.count("equivalent"), "overlooked": own.count("")}
        row["seen"] = row["changes"] - row["equivalent"] - row["overlooked"]
        totals.update(row)
        print(f"| {module} | {row['changes']} | {row['equivalent']} | {row['seen']} | {row['overlooked']} |")
    real = totals["changes"] - totals["equivalent"]
    print(f"| all | {totals['changes']} | {totals['equivalent']} | {totals['seen']} | {totals['overlooked']} |")
    print(f"score {totals['seen']} / {real} = {totals['seen'] / max(real, 1):.2%}")
    print(
        ", ".join(
            f"{name or 'none'} {count}" for name, count in Counter(o.split(":")[0] for o in outcomes.values()).most_common()
        )
    )


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
