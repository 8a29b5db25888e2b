"""The architecture as data: which room may import which, how long a function may be, what nobody may call."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import derive

ROOT = Path(__file__).parent.parent

# A room is a module or a package of derive/; inside its own room everything may be imported. Data flows one way.
MAY_IMPORT = {
    "axes": "",
    "steps": "",
    "formula": "axes",
    "graph": "axes formula",
    "terms": "axes steps",  # the algebra: flat terms over named definitions; SymPy comes in and goes out at its border
    "rewrite": "axes steps terms",
    "differentiate": "axes graph rewrite terms",
    "simplify": "axes graph rewrite terms",
    "stabilise": "axes graph rewrite terms",
    "lower": "axes graph rewrite",
    "backends": "lower",
    "notation": "axes graph steps",
    "oracle": "axes graph",
    "verify": "axes graph steps oracle",
    "stability": "axes steps oracle verify",  # measures generated code, which it gets as plain callables
    # drives a derivation from start to end: differentiate, simplify, record; stabilise for code
    "engine": "axes formula graph steps rewrite terms differentiate simplify stabilise",
    "parse": "axes formula graph",
}
MAY_IMPORT["api"] = " ".join(MAY_IMPORT)
MAY_IMPORT["__init__"] = MAY_IMPORT["api"] + " api"  # `from derive import ...`, the public names
MAY_IMPORT["train"] = MAY_IMPORT["__init__"]  # optimisers, schedules, the training loop
MAY_IMPORT["book"] = MAY_IMPORT["__init__"] + " statements"  # the catalogue as pages
MAY_IMPORT["statements"] = "axes steps engine"  # what is said about training: scalar mathematics, derived and checked
MAY_IMPORT["cli"] = "api train book statements __init__"
MAY_IMPORT["__main__"] = "cli"

# Everybody may import the standard library and SymPy; besides these:
MAY_IMPORT_PACKAGE = {
    "oracle": "numpy mpmath",
    "verify": "numpy",
    "stability": "numpy mpmath",
    "notation": "latex2mathml matplotlib numpy",
    "book": "numpy formulas rich",
    "backends": "numpy array_api_compat scipy numba",  # scipy: where it is installed, for sums by place
    "parse": "latex2sympy2_extended",
    "statements": "formulas mpmath",  # a statement about a recurrence begins with the formula
    "api": "numpy formulas",  # formulas: for the catalogue, when it is first asked for
    "train": "numpy formulas sklearn matplotlib",
    "cli": "typer rich",
}

# A check must not share the bug it looks for.
ORACLE_NEVER_REACHES = {"terms", "rewrite", "differentiate", "simplify", "stabilise", "lower", "backends"}

LONGEST_MODULE = 400
LONGEST_FUNCTION = 40  # lines from `def` to the end, its docstring not counted
IMPORTERS = {"import_module", "__import__"}
EVALUATES_TEXT = {"eval", "exec", "parse_expr"}
DERIVATIVES = {"diff", "Derivative", "gradient", "vjp", "jvp", "jacobian", "hessian"}

Fault = tuple[int, str]  # line, broken rule


def imports(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str, str]]:
    """(line, module, name) of every import, also inside functions; `package` resolves the relative ones."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name, "") for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                parents = package[: len(package) - level + 1] if level else []
                source = ".".join([*parents, *([module] if module else [])])
                yield from ((node.lineno, source, alias.name) for alias in names)
            case ast.Call(args=[ast.Constant(value=str(module)), *_]) if called(node) in IMPORTERS:
                yield node.lineno, ".".join(package) + module if module.startswith(".") else module, ""


def called(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def room_of(module: str, name: str) -> str:
    """The room that `from module import name` enters, for a module within derive."""
    inner = [*module.split(".")[1:], name]
    return inner[0] if len(inner) > 1 or inner[0] in MAY_IMPORT else "__init__"


def wrong_imports(tree: ast.AST, path: Path) -> Iterator[Fault]:
    room = path.parts[1].removesuffix(".py")
    if room not in MAY_IMPORT:
        yield 1, f"{room} is no room of the import table"
        return
    rooms, packages = MAY_IMPORT[room].split(), MAY_IMPORT_PACKAGE.get(room, "").split()
    for line, module, name in imports(tree, list(path.parts[:-1])):
        top = module.split(".")[0]
        if top == "derive":
            if (other := room_of(module, name)) not in {room, *rooms}:
                yield line, f"{room} may not import {other}, only {', '.join(rooms) or 'no other room'}"
        elif top not in sys.stdlib_module_names and top not in {"sympy", *packages}:
            yield line, f"{room} may not import {top}, only {', '.join(['sympy', *packages])}"


def evaluated_text(tree: ast.AST, path: Path) -> Iterator[Fault]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in EVALUATES_TEXT:
                yield node.lineno, f"{name}() evaluates text"
            case ast.Call(func=ast.Attribute(attr="parse_expr")):
                yield node.lineno, "parse_expr() evaluates text"
            case ast.Call(args=[ast.JoinedStr() | ast.Constant(value=str()), *_]) if called(node) in {"sympify", "S"}:
                yield node.lineno, f"{called(node)}() evaluates text"


def stated_derivatives(tree: ast.AST, path: Path) -> Iterator[Fault]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in DERIVATIVES:
            yield node.lineno, f"formulas state definitions, never a derivative: {called(node)}()"


def private_names(tree: ast.AST, path: Path) -> Iterator[Fault]:
    used = [
        (node.lineno, "derive", node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "derive"
    ]
    loading = {"ast", "importlib", "pathlib", "sys", "types"} if path.name == "__init__.py" else set()
    for line, module, name in [*imports(tree, list(path.parts[:-1])), *used]:
        if module in loading:  # the package itself finds its chapters
            continue
        if module.split(".")[0] in {"formulas", "typing", "__future__"} or (module, name) == ("derive", ""):
            continue
        if module == "derive" and name in DERIVATIVES:
            yield line, f"formulas state definitions, never a derivative: {name}"
        elif module != "derive" or name not in derive.__all__:
            yield line, f"formulas use public names of derive, and nothing else: {module}.{name}".rstrip(".")


def too_long(tree: ast.Module, path: Path) -> Iterator[Fault]:
    if path.name == "utils.py":
        yield 1, "a module is named after its one job, not utils"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = node.body[0] if ast.get_docstring(node) is not None else None
            length = node.end_lineno - node.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0)
            if length > LONGEST_FUNCTION:
                yield node.lineno, f"{node.name} has {length} lines without its docstring, over {LONGEST_FUNCTION}"


RULES = {
    "derive": [too_long, wrong_imports, evaluated_text],
    "formulas": [too_long, private_names, stated_derivatives],
    "benchmarks": [too_long],
    "demo.py": [too_long],
}


def faults(path: Path, source: str) -> list[str]:
    """Every broken rule of the module at `path`, relative to the project, as `file:line: rule`."""
    tree = ast.parse(source)
    found = [fault for rule in RULES[path.parts[0]] for fault in rule(tree, path)]
    if (length := len(source.splitlines())) > LONGEST_MODULE:
        found.append((LONGEST_MODULE + 1, f"the module has {length} lines, over {LONGEST_MODULE}"))
    return [f"{path.as_posix()}:{line}: {rule}" for line, rule in sorted(found)]


MODULES = sorted(
    file.relative_to(ROOT)
    for place in RULES
    for file in [ROOT / place, *(ROOT / place).rglob("*.py")]
    if file.is_file()
)


@pytest.mark.parametrize("path", MODULES, ids=Path.as_posix)
def test_module_keeps_the_rules(path):
    broken = faults(path, (ROOT / path).read_text(encoding="utf-8"))
    assert not broken, "\n" + "\n".join(broken)


def test_every_place_is_looked_at():
    assert {path.parts[0] for path in MODULES} == set(RULES)


def test_data_flow_in_one_direction():
    tuple(TopologicalSorter({room: others.split() for room, others in MAY_IMPORT.items()}).static_order())


@pytest.mark.parametrize("checker", ["oracle", "verify", "stability"])
def test_a_check_shares_nothing_with_what_it_checks(checker):
    reached, todo = set(), [checker]
    while todo:
        reached.add(room := todo.pop())
        todo += set(MAY_IMPORT[room].split()) - reached
    assert not reached & ORACLE_NEVER_REACHES


@pytest.mark.parametrize(
    "path, source, fault",
    [
        ("derive/oracle.py", "from .stabilise import laws", "1: oracle may not import stabilise"),
        ("derive/oracle.py", "def f():\n    from derive.terms import flat", "2: oracle may not import terms"),
        ("derive/oracle.py", "import derive.backends.numpy", "1: oracle may not import backends"),
        ("derive/oracle.py", "from importlib import import_module\nimport_module('.lower')", "2: oracle may not"),
        ("derive/graph.py", "from . import terms", "1: graph may not import terms"),
        ("derive/graph.py", "from derive import gradient", "1: graph may not import __init__"),
        ("derive/axes/index.py", "from ..formula import Formula", "1: axes may not import formula"),
        ("derive/axes/index.py", "from .. import api", "1: axes may not import api"),
        ("derive/notation/plot/curve.py", "from ...verify import Report", "1: notation may not import verify"),
        ("derive/api.py", "from .cli import main", "1: api may not import cli"),
        ("derive/lower.py", "import numpy as np", "1: lower may not import numpy"),
        ("derive/simplify/laws.py", "from scipy.linalg import inv", "1: simplify may not import scipy"),
        ("derive/helpers.py", "", "1: helpers is no room"),
        ("derive/graph/utils.py", "", "1: a module is named after its one job"),
        ("derive/graph.py", "x = 0\n" * 401, "401: the module has 401 lines"),
        ("derive/graph.py", "def f():\n    'one'\n" + "    x = 0\n" * 40, "1: f has 41 lines"),
        ("derive/parse/text.py", "\nx = eval(text)", "2: eval() evaluates text"),
        ("derive/parse/text.py", "import sympy\nx = sympy.parse_expr(text)", "2: parse_expr() evaluates text"),
        ("derive/parse/text.py", "from sympy import sympify\nx = sympify(f'{text}')", "2: sympify() evaluates text"),
        ("formulas/losses.py", "from derive.terms import flat", "1: formulas use public names"),
        ("formulas/losses.py", "from derive import _private", "1: formulas use public names"),
        ("formulas/losses.py", "import derive.terms", "1: formulas use public names"),
        ("formulas/losses.py", "import derive\nx = derive.terms", "2: formulas use public names"),
        ("formulas/losses.py", "import sympy", "1: formulas use public names"),
        ("formulas/losses.py", "from derive import gradient", "1: formulas state definitions"),
        ("formulas/losses.py", "x = y.diff(z)", "1: formulas state definitions"),
    ],
)
def test_a_broken_rule_is_found(path, source, fault):
    (found,) = faults(Path(path), source)
    assert found.startswith(f"{path}:{fault}")


@pytest.mark.parametrize(
    "path, source",
    [
        ("derive/axes/tensor.py", "import re\nimport sympy\nfrom .index import Axis\nfrom derive.axes import index"),
        ("derive/verify.py", "import numpy as np\nfrom .oracle import evaluate\nfrom .graph.dag import Graph"),
        ("derive/backends/numpy.py", "import numpy as np\nfrom ..lower import Program"),
        ("derive/cli.py", "import typer\nfrom . import __version__, api"),
        ("derive/graph.py", "def f():\n    '''one\n    two'''\n" + "    x = 0\n" * 39),
        ("derive/parse/text.py", "from sympy import sympify\nx = sympify(value, strict=True)"),
        ("formulas/losses.py", "import derive\nx = derive.T[()]"),
        ("formulas/losses.py", "from typing import Literal\nfrom derive import T, axes\nfrom .layers import dense"),
    ],
)
def test_what_the_rules_allow(path, source):
    assert not faults(Path(path), source)
