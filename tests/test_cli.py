"""The command line, as a newcomer meets it: in an empty directory, with good input and with every kind of bad input."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

from derive.cli import main
from derive.cli.problems import BadInput
from derive.cli.target import Item, parse

ROOT = Path(__file__).parent.parent

FILES = {
    "my.py": '''
from __future__ import annotations
from typing import Literal
from formulas import dense, softmax_cross_entropy
from derive import T, axes, chain, formula, sum_over, tanh

b, i, o = axes("b i o")
print("printed by the file")

@formula
def softmax(x: T[b, i], w: T[i, o], *, scale: Literal["one", "two"] = "one") -> T[b, o]:
    """My own, under a name of the catalogue."""
    return (2 if scale == "two" else 1) * sum_over(i, x[b, i] * w[i, o])

net = chain(dense, tanh, dense, softmax_cross_entropy)
named = chain(dense, tanh, name="named")
number = 3
if __name__ == "__main__":
    raise RuntimeError("not run as a script")
''',
    "wrong.py": '''
import derive
from derive.differentiate.partial import DERIVATIVES

DERIVATIVES["tanh"] = lambda reader, y, u: y  # a law that is wrong
b, = derive.axes("b")

@derive.formula
def right(x: derive.T[b]) -> derive.T[b]:
    """No hyperbolic tangent."""
    return 2 * x[b]

@derive.formula
def bad(x: derive.T[b]) -> derive.T[b]:
    """The law does not hold for it."""
    return derive.tanh(x[b])
''',
    "variant.py": '''
from derive import T, axes, formula
b, = axes("b")

@formula
def f(x: T[b], *, fail: bool = False) -> T[b]:
    return {False: x[b]}[fail]
''',
    "bare.py": "from derive import *\nb, = axes('b')\n\n@formula\ndef f(x: T[b]) -> T[b]:\n    return x[b]\n",
    "syntax.py": "x = 1\ndef f(:\n",
    "raises.py": "x = 1\n\ny = [][0]\n",
    "ends.py": "import sys\nsys.exit(3)\n",
    "needs.py": "import no_such_package\n",
    "nothing.py": "x = 1\n",
    "windows.py": '''
from derive import Int, Size, T, axes, axis, formula, padded, sum_over

c, d, n, r, y = axes("c d n r y")
s, p = Size("s", default=1), Size("p", min=0, default=0)
h = axis("h", (y.size + 2 * p - r.size) // s + 1)

@formula
def conv(x: T[n, y], w: T[r]) -> T[n, h]:
    """Every strided window against one kernel."""
    return sum_over(r, padded(x)[n, s * h + r - p] * w[r])

@formula
def rows(idx: Int[n].below(c), e: T[c, d]) -> T[n, d]:
    """Rows of a table."""
    return e[idx[n], d]
''',
    "letter.py": "from derive import *\nb, i = axes('b i')\n@formula\ndef f(x: T[b]) -> T[b]:\n    return x[i]\n",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(name="files")
def _files(tmp_path):
    for name, source in FILES.items():
        (tmp_path / name).write_text(source.lstrip("\n"), encoding="utf-8")
    (tmp_path / "latin.py").write_bytes(b"x = '\xff'\n")
    (tmp_path / "nul.py").write_bytes(b"x = 1\0\n")
    (tmp_path / "folder.py").mkdir()


@pytest.fixture(name="derive")
def _derive(capfd):
    """`code, out, err = derive("list", "--json")`, in this process."""

    def run(*arguments):
        code = main(list(arguments))
        return code, *capfd.readouterr()

    return run


def command(*arguments):
    return [sys.executable, "-m", "derive", *arguments]


def spawned(*arguments, **settings):
    """The command in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **settings.pop("env", {})}
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=env, timeout=300, **settings)


# What works.


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["gradient", "--help"], ["verify", "-h"], [], ["oops"]]
)
def test_help_loads_neither_sympy_nor_numpy(arguments):
    script = (
        f"import sys; from derive.cli import main; main({arguments})\n"
        "assert not {'sympy', 'numpy', 'rich'} & set(sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], check=True, env=env, stdout=subprocess.DEVNULL, timeout=60)


def test_version_and_help(derive):
    import derive as package

    assert derive("--version") == (0, f"derive {package.__version__}\n", "")
    code, out, err = derive("--help")
    assert (code, err) == (0, "") and all(len(line) <= 80 for line in out.splitlines())
    assert {"list", "show", "gradient", "explain", "code", "verify"} <= set(out.split()) and "executed" in out
    assert derive() == (0, out, "")


def test_list(derive):
    code, out, _ = derive("list")
    assert code == 0 and "losses\n  mse_loss" in out and max(map(len, out.splitlines())) <= 80
    code, out, _ = derive("list", "--kind", "losses", "--json")
    rows = json.loads(out)
    assert code == 0 and {row["kind"] for row in rows} == {"losses"}
    assert rows[0] == {"name": "mse_loss", "kind": "losses", "inputs": ["input", "target"],
                       "summary": "Squared error of each entry, averaged."}  # fmt: skip


def test_show(derive):
    code, out, _ = derive("show", "softmax_cross_entropy")
    assert code == 0 and "z_bc: B × C" in out and "It is assumed that Σ_c t_bc = 1." in out
    _, out, _ = derive("show", "mse_loss")
    assert "reduction: mean or sum or none (mean by default)" in out and "mse_loss(reduction=none): B × D" in out
    assert "eps: a number (1e-05 by default)" in derive("show", "layer_norm")[1]
    assert "bias_o: O" in derive("show", "linear(bias=true)")[1] and "bias=true" in derive("show", "linear")[1]


def test_gradient(derive):
    code, out, err = derive("gradient", "dense", "--wrt", "w")
    assert (code, err) == (0, "")
    assert out == "∂L/∂w_io = Σ_b x_bi g_bo\nwhere g_bo = ∂L/∂y_bo, the upstream gradient\n"
    assert "∂L/∂W = Xᵀ G\n" in derive("gradient", "dense", "--notation", "matrix")[1]
    written = ["--notation", "matrix", "--layout", "numerator", "--samples", "columns", "--symbol", "x=U"]
    assert "∂L/∂W = G Uᵀ\n" in derive("gradient", "dense", *written)[1]
    assert "Σ_{b=1…B} x_bi g_bo\n" in derive("gradient", "dense", "--ranges", "--from-one")[1]
    assert "dL = tr(Gᵀ X dW)\n" in derive("explain", "dense", "--notation", "differential")[1]
    assert "∂L/∂W = X ⊙_b G\n" in derive("explain", "dense", "--notation", "named")[1]
    closed = derive("gradient", "softmax")[1]
    assert closed.startswith("∂L/∂z_bc = y_bc (g_bc − Σ_c′ y_bc′ g_bc′)\nwhere y_bc = exp(z_bc) / Σ_c′ exp(z_bc′)\n")
    assert derive("gradient", "softmax", "--form", "staged")[1] != closed


def test_gradient_as_json(derive):
    one = json.loads(derive("gradient", "dense", "--wrt", "w", "--json")[1])
    assert one == {
        "name": "dense", "wrt": "w", "axes": ["i", "o"], "result": "sum_over(b, g[b, o]*x[b, i])",
        "latex": r"\frac{\partial L}{\partial w_{i o}} = \sum_{b} x_{b i}\, g_{b o}", "terms": 1,
        "laws": ["chain rule", "contract δ"],
    }  # fmt: skip
    several = json.loads(derive("gradient", "dense", "--wrt", "x,beta", "--json")[1])
    assert [d["wrt"] for d in several] == ["x", "beta"] and several[0].keys() == one.keys()
    assert [d["wrt"] for d in json.loads(derive("gradient", "dense", "--json")[1])] == ["x", "w", "beta"]
    assert several == json.loads(derive("gradient", "dense", "--wrt", "x", "--wrt", "beta", "--json")[1])


@pytest.mark.parametrize(
    "target, line",
    [
        ("layer_norm(eps=1e-6)", "x̂_bd = (x_bd − μ_b) / √(v_b + 10⁻⁶)"),
        ("mse_loss(reduction=sum)", "∂L/∂input_bd = 2 (input_bd − target_bd)"),
        ("mse_loss(reduction='none')", "the upstream gradient"),
        ("linear(bias=true)", "∂L/∂bias_o = Σ_b g_bo"),
        ("linear( bias = True , )", "∂L/∂bias_o = Σ_b g_bo"),
        ("softmax_cross_entropy(B=4)", "∂L/∂z_bc = (p_bc − t_bc) / 4"),
        ("dense >> tanh", "y₂_bo = tanh(y₁_bo)"),
        ("linear(bias=true)>>softmax", "∂L/∂bias_o"),
    ],
)
def test_targets(derive, target, line):
    code, out, err = derive("gradient", target)
    assert (code, err) == (0, "") and line in out


WINDOWS = [  # arguments, what the output says
    ("show windows.py:conv", "  s: a whole number, 1 by default\n"),
    ("show windows.py:conv", "  p: a whole number of at least 0, 0 by default\n"),
    ("show windows.py:conv", "  H = ⌊(Y + 2 p − R)/s⌋ + 1\n"),
    ("show windows.py:conv", "  y_nh = Σ_r x̃[n, s h + r − p] w_r"),
    ("show windows.py:conv", "Options\n-------\n\n  "),
    ("show windows.py:conv(s=2,p=0)", "  H = ⌊(Y − R)/2⌋ + 1\n"),
    ("gradient windows.py:conv --wrt w", "x̃[n, s h + r − p]"),
    ("gradient windows.py:conv(s=2,p=1) --wrt x", "2 h + r − 1 = y"),
    ("gradient windows.py:conv(s=2)>>tanh --wrt w", "2 h + r − p"),
    ("gradient windows.py:conv --notation matrix --wrt w", "(no matrix form; in indices)"),
    ("gradient windows.py:rows", "∂L/∂e_cd = Σ_{n : idx_n = c} g_nd"),
    ("show windows.py:rows", "  idx_n: N, integers below C\n"),
    ("code windows.py:conv", "def forward("),
]


@pytest.mark.parametrize("arguments, said", WINDOWS)
def test_windows_and_gathers(derive, files, arguments, said):
    code, out, err = derive(*arguments.split())
    assert (code, err) == (0, "") and unicodedata.normalize("NFC", said) in out


def test_explain(derive):
    assert derive("explain", "dense")[1].startswith("dense\n=====\n")
    brief, full = (derive("explain", "softmax", "--detail", d)[1] for d in ("brief", "full"))
    assert "Laws used" in brief and "contract δ" in full and len(full.splitlines()) > len(brief.splitlines())
    assert (
        r"\frac{\partial L}{\partial W}" in derive("explain", "dense", "--format", "latex", "--notation", "matrix")[1]
    )
    assert derive("explain", "dense", "--format", "article")[1].startswith(r"\documentclass")
    assert derive("explain", "dense", "--format", "markdown")[1].startswith("# dense")


@pytest.mark.parametrize("name, start", [("a.tex", r"\documentclass"), ("a.md", "# dense"), ("a.txt", "dense\n=")])
def test_explain_to_a_file(derive, tmp_path, name, start):
    (tmp_path / name).write_text("old")
    assert derive("explain", "dense", "-o", name) == (0, "", "")
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert os.listdir(tmp_path) == [name]


def test_code_runs_by_itself(derive, tmp_path):
    assert derive("code", "dense >> tanh >> mse_loss", "-o", "net.py") == (0, "", "")
    script = (
        "import sys, net, numpy as np\n"
        "y, saved = net.forward(np.ones((2, 3)), np.ones((3, 4)), np.ones(4), np.ones((2, 4)))\n"
        "assert 'derive' not in sys.modules and 'sympy' not in sys.modules and np.isfinite(y)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, timeout=60)
    assert "import numpy as np" in derive("code", "dense")[1]


def test_formula_files(derive, files):
    code, out, err = derive("gradient", "my.py:softmax", "--wrt", "w")
    assert code == 0 and out.startswith("∂L/∂w_io = Σ_b x_bi g_bo\n") and err == "printed by the file\n"
    assert "2 Σ_b x_bi g_bo" in derive("gradient", "my.py:softmax(scale=two)", "--wrt", "w")[1]
    assert "∂L/∂w₁" in derive("gradient", "my.py:net")[1] and "tanh" in derive("show", "my.py:named")[1]
    assert "y_bc = exp(z_bc)" in derive("gradient", "softmax")[1]  # the catalogue is as it was
    code, out, _ = derive("gradient", "my.py:softmax >> relu >> my.py:softmax", "--wrt", "w_2", "--json")
    assert code == 0 and json.loads(out)["wrt"] == "w_2"


def test_verify(derive, files):
    code, out, err = derive("verify", "dense", "mse_loss(reduction=sum)", "linear", "--trials", "2")
    assert (code, err) == (0, "")
    assert [line.split("  ")[:2] for line in out.splitlines()[:-1]] == [
        ["ok", ""], ["ok", ""], ["ok", ""], ["ok", ""]
    ]  # fmt: skip
    assert "linear(bias=true)" in out and "mse_loss(reduction=mean)" not in out and out.endswith(": all passed\n")
    assert "ok    linear(bias=true) >> relu  " in derive("verify", "linear(bias=true)  >> relu", "--trials", "2")[1]
    code, out, err = derive("verify", "my.py", "--trials", "2", "--json")
    report = json.loads(out)
    assert code == 0 and report["passed"] and err == "printed by the file\n"
    assert [(row["name"], row["variant"]) for row in report["checked"]] == [
        ("softmax", {"scale": "one"}), ("softmax", {"scale": "two"}), ("net", {}), ("named", {})
    ]  # fmt: skip
    assert report["checked"][0].keys() == {"name", "variant", "passed", "worst", "where"}


@pytest.mark.thorough
def test_the_whole_catalogue_is_true(derive):
    code, out, err = derive("verify", "--all", "--json")
    report = json.loads(out)
    assert (code, err, report["passed"]) == (0, "", True), [r for r in report["checked"] if not r["passed"]]
    assert {"name": "linear", "variant": {"bias": True}}.items() <= next(
        row for row in report["checked"] if row["variant"] == {"bias": True}
    ).items()


SMALL = """
from derive import T, axes, formula
b, = axes("b")
DERIVE_CATALOGUE, HOME = True, dict.fromkeys(["twice", "choice", "cube"], "small")

@formula
def twice(x: T[b]) -> T[b]:
    return 2 * x[b]

@formula
def choice(x: T[b], *, square: bool = False) -> T[b]:
    return x[b] ** 2 if square else x[b]

@formula
def cube(x: T[b]) -> T[b]:
    return x[b] ** 3
"""


@pytest.fixture(name="small_catalogue")
def _small_catalogue(tmp_path):
    """A package `formulas` that is found before the catalogue, by processes of this directory."""
    (tmp_path / "formulas").mkdir()
    (tmp_path / "formulas" / "__init__.py").write_text(SMALL)


def test_a_whole_catalogue_in_any_number_of_processes(small_catalogue):
    runs = [spawned("verify", "--all", "--trials", "2", *more) for more in (["--jobs", "1"], ["--jobs", "2"], [])]
    labels = [line.split()[1] for line in runs[0].stdout.splitlines()[:-1]]
    assert labels == ["twice", "choice(square=true)", "choice(square=false)", "cube"]
    assert [(r.returncode, r.stdout, r.stderr) for r in runs] == [(0, runs[0].stdout, "")] * 3
    assert json.loads(spawned("verify", "--all", "--trials", "2", "--jobs", "3", "--json").stdout)["passed"]


def test_a_process_that_dies_is_a_failure_and_hides_nothing(tmp_path):
    (tmp_path / "dies.py").write_text(
        "import os\nfrom derive import *\nb, = axes('b')\nprint('heard')\n@formula\n"
        "def f(x: T[b], *, die: bool = False, fail: bool = False) -> T[b]:\n"
        "    return os._exit(3) if die else {False: x[b]}[fail]\n"
    )
    run = spawned("verify", "dies.py", "--trials", "2", "--jobs", "2")
    died = "the process that checked it died"
    assert run.returncode == 1 and run.stderr.splitlines() == [
        "heard", *(f"derive: f(die=true, fail={fail}): {died}" for fail in ("true", "false")),
        "derive: f(die=false, fail=true): formula f: KeyError: True",
    ]  # fmt: skip
    assert [line.split()[0] for line in run.stdout.splitlines()] == ["FAIL", "FAIL", "----", "ok", "4"]
    assert run.stdout.count(died) == 2


def test_a_fault_of_ours_in_a_process_is_told_as_one(files):
    (Path("formulas")).mkdir()
    Path("formulas/__init__.py").write_text(SMALL + "\nimport derive.oracle\nderive.oracle.evaluate_at = None\n")
    run = spawned("verify", "--all", "--jobs", "2")
    assert run.returncode == 70 and "TypeError" in run.stderr and "fault in derive" in run.stderr


def test_what_is_not_true_is_shown_with_its_counterexample(files):
    run = spawned("verify", "wrong.py")
    assert run.returncode == 1 and run.stderr == ""
    assert re.search(r"FAIL +bad +\d+ of \d+ checks failed", run.stdout) and re.search(r"ok +right", run.stdout)
    assert re.search(r"at B=\d \(trial \d+ of seed 0\): -?\d\.\d+, expected -?\d\.\d+", run.stdout)
    report = json.loads(spawned("verify", "wrong.py:bad", "--json", "--seed", "7").stdout)
    assert not report["passed"] and "seed 7" in report["checked"][0]["where"]


def test_a_variant_that_is_an_error_does_not_hide_the_others(derive, files):
    code, out, err = derive("verify", "variant.py", "--json", "--trials", "2")
    assert code == 2 and err == "derive: f(fail=true): formula f: KeyError: True\n"
    good, bad = sorted(json.loads(out)["checked"], key=lambda row: row["variant"]["fail"])
    assert good["passed"] and not bad["passed"] and bad["worst"] is None


# What is wrong: one line, an exit code, no traceback.

BAD_INPUT = [
    (["gradient", "sofmax"], "no formula 'sofmax' in the catalogue; did you mean 'softmax'?"),
    (["show", "sofmax"], "did you mean 'softmax'?"),
    (["code", "sofmax"], "did you mean 'softmax'?"),
    (["explain", "dense >> sofmax"], "did you mean 'softmax'?"),
    (["verify", "dense", "sofmax"], "did you mean 'softmax'?"),
    (["gradient", "dense", "--wrt", "q"], "dense has no such input; it has x, w, beta"),
    (["gradient", "dense", "--wrt", "bta"], "did you mean 'beta'?"),
    (["gradient", "dense", "--wrt", "x,x"], "--wrt x,x: a name is given twice"),
    (["gradient", "dense", "--wrt", ""], "wrt=''"),
    (["gradient", "layer_norm", "--wrt", "eps"], "eps is a parameter of layer_norm"),
    (
        ["gradient", "dense", "--form", "closd"],
        "--form: expected closed or staged, given 'closd'; did you mean 'closed'?",
    ),
    (["gradient", "dense", "--notation", "matrx"], "did you mean 'matrix'?"),
    (["explain", "dense", "--layout", "numerater"], "did you mean 'numerator'?"),
    (["explain", "dense", "--symbol", "beta"], "--symbol beta: expected NAME=LATEX"),
    (["explain", "dense", "--symbol", "bta=b"], "symbols: no 'bta' here; did you mean 'beta'?"),
    (["gradient", "dense", "--symbol", "beta=\\input{x}"], "the command \\input is not allowed in a symbol"),
    (["explain", "dense", "--detail", "ful"], "did you mean 'full'?"),
    (["explain", "dense", "--format", "latx"], "did you mean 'latex'?"),
    (["list", "--kind", "lossses"], "did you mean 'losses'?"),
    (["gradient"], "TARGET"),
    (["gradient", "dense", "tanh"], "unexpected extra argument"),
    (["gradient", "dense", "--jsn"], "--jsn"),
    (["grdient", "dense"], "grdient"),
    (["verify"], "verify: expected a TARGET, a FILE.py or --all"),
    (["verify", "--all", "dense"], "not both"),
    (["verify", "dense", "--trials", "0"], "--trials"),
    (["verify", "dense", "--trials", "many"], "--trials"),
    (["verify", "dense", "--seed", "-1"], "--seed"),
    (["verify", "dense", "--jobs", "0"], "--jobs"),
    (["gradient", ""], "target '': expected NAME or FILE.py:NAME"),
    (["gradient", "dense >> "], "expected NAME or FILE.py:NAME around >>"),
    (["gradient", "dense("], "target 'dense(': expected another )"),
    (["gradient", "dense)"], "expected another ("),
    (["gradient", "mse_loss(reduction='sum)"], "expected another '"),
    (["gradient", "dense(B=4) tanh"], "expected nothing after the options of dense"),
    (["gradient", "a b"], "expected the name of a formula, given 'a b'"),
    (["gradient", "dense(B)"], "options of dense: expected option=value, given 'B'"),
    (["gradient", "dense(B=)"], "expected option=value, given 'B='"),
    (["gradient", "dense(B=2, B=3)"], "options of dense: B is given twice"),
    (["gradient", "dense(B=1/2)"], "expected a number, true, false, a word or a quoted string, given '1/2'"),
    (["gradient", "dense(B=1.5)"], "dense: B=1.5: expected a whole number of at least 1"),
    (["gradient", "dense(B=0)"], "at least 1"),
    (["gradient", "dense(B=true)"], "expected a whole number"),
    (["gradient", f"dense(B={'9' * 5000})"], "the number is too long"),
    (["gradient", "dense(x=1)"], "x is an input"),
    (["gradient", "layer_norm(ep=1)"], "layer_norm: no option 'ep'; it has eps, B, D; did you mean 'eps'?"),
    (["gradient", "layer_norm(eps=small)"], "layer_norm: eps=small: expected a number"),
    (["gradient", "layer_norm(eps=1e999)"], "expected a number"),
    (["gradient", "mse_loss(reduction=summ)"], "expected mean or sum or none; did you mean 'sum'?"),
    (["gradient", "linear(bias=1)"], "linear: bias=1: expected true or false"),
    (["gradient", "softmax >> dense(I=3)"], "within a chain, lengths cannot be fixed"),
    (["gradient", "softmax_cross_entropy >> dense"], "given L[()]"),
    (["gradient", "windows.py:conv(s=0)"], "conv: s=0: expected a whole number of at least 1"),
    (["verify", "windows.py:conv(p=-1)"], "conv: p=-1: expected a whole number of at least 0"),
    (["code", "windows.py:conv(s=1.5)"], "conv: s=1.5: expected a whole number of at least 1"),
    (["explain", "windows.py:conv(s=two)"], "conv: s=two: expected a whole number of at least 1"),
    (["show", "windows.py:conv(stride=2)"], "conv: no option 'stride'; it has "),
    (["gradient", "windows.py:conv(H=3)"], "conv: no option 'H'; it has "),
    (["gradient", "windows.py:rows", "--wrt", "idx"], "idx is int-valued and has no gradient"),
    (["gradient", "__import__('os').system('touch evaluated')"], "expected"),
    (["gradient", "dense(B=__import__('os'))"], "expected option=value"),
    (["verify", "no.py"], "no.py: no such file"),
    (["verify", "mu.py"], "mu.py: no such file; did you mean 'my.py'?"),
    (["gradient", "no.py:f"], "no.py: no such file"),
    (["gradient", "nowhere/no.py:f"], "nowhere/no.py: no such file"),
    (["gradient", "my.py"], "name the formula in the file, as in my.py:NAME"),
    (["gradient", "./my"], "as in ./my:NAME"),
    (["gradient", "my.py:"], "expected the name of a formula, given none"),
    (["gradient", "my.py:sofmax"], "no formula 'sofmax'; it defines softmax, net, named; did you mean 'softmax'?"),
    (["gradient", "my.py:number"], "my.py: no formula 'number'"),
    (["gradient", "variant.py:f(fail=true)"], "formula f: KeyError: True"),
    (["show", "variant.py:f"], "formula f: KeyError: True"),
    (["verify", "folder.py"], "folder.py: is a directory"),
    (["verify", "syntax.py"], "syntax.py, line 2: invalid syntax"),
    (["gradient", "syntax.py:f"], "syntax.py, line 2: invalid syntax"),
    (["verify", "raises.py"], "raises.py, line 3: IndexError: list index out of range"),
    (["verify", "ends.py"], "ends.py, line 2: the file ended Python"),
    (["verify", "needs.py"], "needs.py, line 1: ModuleNotFoundError: No module named 'no_such_package'"),
    (["verify", "nothing.py"], "nothing.py: it defines no formula"),
    (["gradient", "nothing.py:f"], "nothing.py: no formula 'f'; it defines none"),
    (["verify", "letter.py"], "letter.py, line 3: formula f: tensor x: expected x[b], given [i]"),
    (["verify", "latin.py"], "latin.py, line 1:"),
    (["verify", "nul.py"], "nul.py: SyntaxError:"),
    (["code", "dense", "-o", "no/such/folder/x.py"], "-o no/such/folder/x.py: cannot be written: there is no folder"),
    (["code", "dense", "-o", "folder.py"], "-o folder.py: cannot be written: it is a directory"),
    (["explain", "dense", "-o", "bare.py/x.tex"], "cannot be written"),
]
UNSUPPORTED = [
    (["plot", "one_hot"], "plot of one_hot: it has no real input"),
    (["explain", "layer_norm(eps=1e-6)", "--format", "notebook", "-o", "x.ipynb"], "layer_norm with options fixed"),
]


def shortened(value):
    return " ".join(value)[:60] if isinstance(value, list) else ""


@pytest.mark.parametrize("arguments, said", BAD_INPUT, ids=shortened)
def test_bad_input(derive, files, tmp_path, arguments, said):
    before = sorted(os.listdir(tmp_path))
    code, out, err = derive(*arguments)
    *printed, line = err.splitlines()
    assert (code, out) == (2, "") and line.startswith("derive: ") and said in line
    assert printed in ([], ["printed by the file"]) and err.endswith("\n")
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("arguments, said", UNSUPPORTED, ids=shortened)
def test_unsupported(derive, tmp_path, arguments, said):
    code, out, err = derive(*arguments)
    assert (code, out, err.count("\n")) == (3, "", 1) and said in err and not os.listdir(tmp_path)


def test_a_missing_package_is_named(files, tmp_path):
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError('No module named numpy', name='numpy')")
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    run = spawned("verify", "dense", env=env)
    assert run.returncode == 3 and run.stderr == (
        "derive: the package numpy is missing: install it with `pip install numpy`\n"
    )


def test_a_fault_of_ours_is_not_taken_for_an_answer(derive, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("derive.cli.listing.run_list", broken)
    code, out, err = derive("list")
    assert (code, out) == (70, "") and "ZeroDivisionError: inside" in err and "fault in derive" in err


@pytest.mark.parametrize("exists", [False, True])
def test_a_file_is_whole_or_not_there(derive, tmp_path, monkeypatch, exists):
    def full(*_):
        raise OSError(28, "No space left on device")

    if exists:
        (tmp_path / "x.py").write_text("old")
    monkeypatch.setattr("os.replace", full)
    code, out, err = derive("code", "dense", "-o", "x.py")
    assert (code, out) == (2, "") and err == "derive: -o x.py: cannot be written: No space left on device\n"
    assert [p.read_text() for p in tmp_path.iterdir()] == (["old"] if exists else [])


def test_output_to_a_device_link_and_mode(derive, tmp_path):
    assert derive("code", "dense", "-o", os.devnull)[0] == 0 and not os.path.isfile(os.devnull)
    (tmp_path / "real.py").write_text("old")
    (tmp_path / "real.py").chmod(0o640)
    (tmp_path / "link.py").symlink_to("real.py")
    assert derive("code", "dense", "-o", "link.py")[0] == 0 and (tmp_path / "link.py").is_symlink()
    assert (
        "import numpy" in (tmp_path / "real.py").read_text() and (tmp_path / "real.py").stat().st_mode & 0o777 == 0o640
    )
    assert "import numpy" in derive("code", "dense", "-o", "-")[1]


# Pipes, terminals, signals.


@pytest.mark.parametrize("arguments", [["list"], ["explain", "mlp", "--detail", "full"], ["code", "mlp"], ["--help"]])
def test_a_closed_pipe_is_no_error(arguments):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(command(*arguments), stdout=write, stderr=subprocess.PIPE, env=env, timeout=60)
    os.close(write)
    assert (run.returncode, run.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", [["list"], ["--help"]])
def test_a_full_disk_is_an_error(arguments):
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full, not here")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open("/dev/full", "w") as full:
        run = subprocess.run(command(*arguments), stdout=full, stderr=subprocess.PIPE, env=env, text=True, timeout=60)
    assert run.returncode == 2 and run.stderr.count("\n") == 1 and "No space left" in run.stderr


@pytest.mark.parametrize(
    "arguments", [["gradient", "softmax"], ["--help"], ["verify", "relu", "--trials", "2"], ["oops"]]
)
def test_what_is_piped_is_plain(arguments):
    run = spawned(*arguments, env={"FORCE_COLOR": "1", "GITHUB_ACTIONS": "true", "TERM": "xterm-256color"})
    assert "\x1b" not in run.stdout + run.stderr and run.stdout + run.stderr


def test_a_terminal_without_greek():
    run = spawned("gradient", "dense", env={"PYTHONIOENCODING": "ascii"})
    assert run.returncode == 0 and "?L/?w_io = ?_b x_bi g_bo" in run.stdout and run.stderr == ""


def interrupted(tmp_path, started, *arguments):
    """Ctrl-C in a terminal, which every process of the group receives, once all of these files are there."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    work = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # ignored in a background shell
    )  # fmt: skip
    while work.poll() is None and not all((tmp_path / name).exists() for name in started):
        time.sleep(0.05)
    os.killpg(work.pid, signal.SIGINT)
    return *work.communicate(timeout=60), work.returncode


def test_an_interruption(tmp_path):
    (tmp_path / "slow.py").write_text("import time\nopen('started', 'w').close()\ntime.sleep(60)\n")
    assert interrupted(tmp_path, ["started"], "verify", "slow.py") == ("", "derive: interrupted\n", 130)


def test_an_interruption_ends_every_process(tmp_path):
    """Its pipes come to an end only when no process is left that could write."""
    (tmp_path / "slow.py").write_text(
        "import time\nfrom derive import *\nb, = axes('b')\n@formula\n"
        "def f(x: T[b], *, slow: bool = False, other: bool = False) -> T[b]:\n"
        "    if slow:\n        open(f'started {other}', 'w').close()\n        time.sleep(60)\n    return x[b]\n"
    )
    found = interrupted(tmp_path, ["started True", "started False"], "verify", "slow.py", "--jobs", "2")
    assert found == ("", "derive: interrupted\n", 130)


def test_a_progress_bar_on_a_terminal_only():
    """stderr a terminal, stdout a pipe: the bar does not reach what machines read."""
    pty = pytest.importorskip("pty", reason="needs a terminal, not here")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"}
    terminal, stderr = pty.openpty()
    work = subprocess.Popen(command("verify", *["mlp"] * 5, "--json"), stdout=subprocess.PIPE, stderr=stderr, env=env)
    os.close(stderr)
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    out, _ = work.communicate(timeout=120)
    os.close(terminal)
    assert "checked" in json.loads(out) and re.search(rb"\d+/\d+", shown)


# The grammar of targets.


@pytest.mark.parametrize(
    "target, items",
    [
        ("dense", [Item("dense", "", ())]),
        (" dense >> tanh ", [Item("dense", "", ()), Item("tanh", "", ())]),
        ("a.py:f", [Item("f", "a.py", ())]),
        ("/home/a b (1)/x.py:f >> g", [Item("f", "/home/a b (1)/x.py", ()), Item("g", "", ())]),
        ("it's/x.py:f", [Item("f", "it's/x.py", ())]),
        ("f()", [Item("f", "", ())]),
        ("f(a=1, b=-2.5e-3, c=.5, d=true, e=False)",
         [Item("f", "", (("a", 1), ("b", -2.5e-3), ("c", 0.5), ("d", True), ("e", False)))]),
        ("f(a=none,b='x, y)>>', c=\"it's\")", [Item("f", "", (("a", "none"), ("b", "x, y)>>"), ("c", "it's")))]),
    ],
)  # fmt: skip
def test_parsing(target, items):
    assert parse(target) == items
    assert [[type(v) for _, v in i.options] for i in parse(target)] == [[type(v) for _, v in i.options] for i in items]


@pytest.mark.parametrize(
    "target", ["", ">>", "f >", "f((a=1))", "f(a=(1))", "f(a==1)", "f(a=1 2)", "f(=1)", "f(1=2=3)", "f]"]
)
def test_parsing_refuses(target):
    with pytest.raises(BadInput):
        parse(target)
