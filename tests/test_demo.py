"""The demo on little data: what it writes, that the emitted module stands alone and learns, and how it refuses.

The whole run with its goal for the accuracy is `make demo`.
"""

import ast
import importlib.util
import io
import subprocess
import sys

import numpy as np
import pytest

import demo

pytestmark = pytest.mark.needs("sklearn", "matplotlib")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(exit code, directory) of a short run."""
    out = tmp_path_factory.mktemp("demo") / "not yet there"
    return demo.main(["-o", str(out), "--folds", "2", "--epochs", "4"]), out


def test_it_reaches_the_goal_and_writes_four_files(run):
    code, out = run
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == ["learning_curve.png", "mlp.md", "mlp.py", "mlp.tex"]


def test_documents_hold_the_derivation(run):
    _, out = run
    latex, markdown = (out / "mlp.tex").read_text("utf-8"), (out / "mlp.md").read_text("utf-8")
    assert latex.startswith("\\documentclass") and latex.rstrip().endswith("\\end{document}")
    for text in (latex, markdown):
        assert r"\frac{\partial L}{\partial w^{(1)}_{i o_1}} &= \sum_{b} x_{b i}" in text


@pytest.mark.needs("pdflatex")
def test_the_article_compiles(run, tmp_path):
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={tmp_path}", "mlp.tex"]
    done = subprocess.run(command, cwd=run[1], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def test_the_picture_is_a_picture(run):
    from matplotlib.image import imread

    picture = imread(io.BytesIO((run[1] / "learning_curve.png").read_bytes()))
    assert min(picture.shape[:2]) > 300 and picture[..., :3].std() > 0.05


def test_the_emitted_module_needs_numpy_only(run):
    tree = ast.parse((run[1] / "mlp.py").read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} - sys.stdlib_module_names == {"numpy"}


def test_the_emitted_module_learns(run):
    fold = next(demo.breast_cancer(5))
    curve = demo.train(demo.load(run[1] / "mlp.py"), fold, epochs=5, seed=0, tick=lambda: None)
    assert curve.loss[-1] < curve.loss[0] / 2
    assert all(np.diff(curve.loss) < 0)
    assert curve.accuracy[-1] > 0.9


def test_a_fold_is_standardised_by_its_training_rows():
    for fold in demo.breast_cancer(5):
        assert np.allclose(fold.x.mean(axis=0), 0, atol=1e-4) and np.allclose(fold.x.std(axis=0), 1, atol=1e-4)
        assert not np.allclose(fold.held_x.mean(axis=0), 0, atol=1e-2)
        assert np.array_equal(fold.t.sum(axis=1), np.ones(len(fold.x)))
        assert len(fold.x) + len(fold.held_x) == 569


def test_the_same_seed_gives_the_same_curve(run):
    module, fold = demo.load(run[1] / "mlp.py"), next(demo.breast_cancer(5))
    one, two = (demo.train(module, fold, epochs=2, seed=3, tick=lambda: None) for _ in range(2))
    assert one == two


def test_a_missed_goal_is_a_failure(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "derive_network", lambda out: True)
    monkeypatch.setattr(demo, "load", lambda path: None)
    monkeypatch.setattr(demo, "cross_validate", lambda *given: [demo.Curve([1.0], [0.94]), demo.Curve([1.0], [0.95])])
    assert demo.main(["-o", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "missed: a mean accuracy of at least 95 % was expected\n"


def test_a_failed_check_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "passed", lambda what, checked: False)
    assert demo.main(["-o", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package, distribution", [("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")])
def test_a_missing_package_is_named(package, distribution, tmp_path, monkeypatch, capsys):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else there(name))
    assert demo.main(["-o", str(tmp_path / "out")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert f"needs {distribution}" in line and "pip install 'derive-math[demo]'" in line
    assert not (tmp_path / "out").exists()


def test_nothing_half_written_is_left(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        demo.write(tmp_path / "taken", "a file cannot replace a directory")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("given", [["--folds", "1"], ["--epochs", "0"], ["--epochs", "many"]])
def test_options_are_checked(given, capsys):
    with pytest.raises(SystemExit) as stop:
        demo.main(given)
    assert stop.value.code == 2 and "error:" in capsys.readouterr().err
