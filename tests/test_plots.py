"""Pictures: the curves are the function and its derivatives, and the file is the same every time."""

import subprocess
import sys

import numpy as np
import pytest

from derive import T, Unsupported, catalogue, formula, plot

pytestmark = pytest.mark.needs("matplotlib")


def lines(picture):
    """x and y of every curve, by its place."""
    return [line.get_xydata().T for line in picture.figure.axes[0].get_lines() if line.get_label()[0] != "_"]


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "softplus", "silu"])
def test_a_function_with_its_derivatives(name):
    (x, y), (_, slope), (_, bent) = lines(plot(catalogue[name]))
    step = x[1] - x[0]
    inner = slice(2, -2)
    assert np.allclose(np.gradient(y, step)[inner], slope[inner], atol=2e-3)
    assert np.allclose(np.gradient(slope, step)[inner], bent[inner], atol=5e-3)


def test_a_loss_along_one_entry():
    (x, y), (_, slope), (_, bent) = lines(plot(catalogue["mse_loss"]))
    target = x[np.nanargmin(y)]
    near = np.isfinite(y) & np.isfinite(slope)
    assert np.allclose(slope[near], 2 * (x[near] - target), atol=0.05) and np.allclose(bent, 2)


def test_a_loss_is_drawn_where_its_assumptions_hold():
    (x, *_), *_ = lines(plot(catalogue["binary_cross_entropy"]))
    assert 0 < x.min() < x.max() < 1


def test_a_layer_by_its_jacobian():
    image = plot(catalogue["softmax"]).figure.axes[0].get_images()[0].get_array()
    assert image.shape[0] == image.shape[1]
    assert np.allclose(image, image.T) and np.allclose(image.sum(axis=0), 0)  # P − ppᵀ, block by block


def test_without_a_real_input_there_is_no_picture():
    with pytest.raises(Unsupported, match="one_hot"):
        plot(catalogue["one_hot"])


def test_a_scalar_without_a_default_is_drawn():
    assert len(lines(plot(catalogue["threshold"]))) == 3


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_the_command_writes_the_same_bytes(suffix, tmp_path):
    written = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.{suffix}"
        command = [sys.executable, "-m", "derive", "plot", "relu", "-o", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, env={**_environment(), "PYTHONHASHSEED": seed})
        assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert suffix != "svg" or b"<dc:date" not in written[0]


def _environment():
    import os

    return dict(os.environ)


def test_what_is_no_picture_is_refused(tmp_path):
    command = [sys.executable, "-m", "derive", "plot", "relu", "-o", str(tmp_path / "relu.gif")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "svg" in done.stderr and not list(tmp_path.iterdir())


def test_a_formula_of_ones_own():
    @formula
    def cubed(x: T[...]) -> T[...]:
        """x³."""
        return x**3

    (x, y), (_, slope), (_, bent) = lines(plot(cubed))
    shown = np.isfinite(y) & np.isfinite(slope) & np.isfinite(bent)
    assert np.allclose(y[shown], x[shown] ** 3)
    assert np.allclose(slope[shown], 3 * x[shown] ** 2) and np.allclose(bent[shown], 6 * x[shown])
