"""Emitted code is laid out as the usual formatters lay it out, and a long line means what the short one means."""

import ast
import subprocess
import sys

import pytest

from derive import catalogue, to_numpy
from derive.backends.layout import WIDTH, wrapped

LONG = (
    "adaptive_max_pool3d", "alibi_attention", "alpha_dropout", "conv3d", "crop", "cross_entropy", "dpo", "embedding",
    "grouped_conv_transpose2d", "layer_norm", "lenet", "max_pool2d", "multi_head_attention", "mlp", "stack",
    "transformer_block", "unet_block", "unfold",
)  # fmt: skip


def test_emitted_modules_are_formatted(tmp_path):
    """`ruff format` leaves them as they are; no line of code is longer than WIDTH."""
    pytest.importorskip("ruff")
    for name in LONG:
        formula = catalogue[name]
        source = to_numpy(formula, **next(iter(formula.variants()))).source
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", f"--line-length={WIDTH}", "--diff", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


LINES = {
    "y = f(x)": 1,
    f"y = {'a' * 50}({'b' * 40}, {'c' * 40})": 3,  # what is called fits on a line of its own
    f"y = {'a' * 50}({'b' * 70}, {'c' * 70})": 4,  # an argument a line
    f"t = {'a' * 60} & {'b' * 60} & c[0]": 5,
    f"t = u[k] = {'a' * 60} + {'b' * 30} - {'c' * 40}": 5,
    f"y = {'a' * 45}(1).reshape({'b' * 50}, -1).sum(axis=-1).max()": 5,
    f"({', '.join(c * 30 for c in 'abcdef')}) = saved": 8,
    f"def f({', '.join(c * 30 for c in 'abcdef')}) -> int: ...": 8,
    f"saved = ({', '.join(c * 30 for c in 'abcdef')})": 8,
    f'raise refused("{"a = b, (" * 10}", {"b" * 30}=1)': 3,
}


@pytest.mark.parametrize("line", LINES)
def test_a_long_line_means_what_the_short_one_means(line):
    lines = wrapped(line)
    assert len(lines) == LINES[line]
    assert all(len(part) <= WIDTH for part in lines)
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(line))


def test_emitted_modules_check_themselves(tmp_path):
    """`python mlp.py` compares gradients with differences; one that is wrong is found."""
    source = to_numpy(catalogue["softmax_cross_entropy"]).source
    wrong = source.replace("g / B", "1.01 * g / B")
    assert wrong != source
    for text, code in ((source, 0), (wrong, 1)):
        (tmp_path / "module.py").write_text(text, encoding="utf-8")
        command = [sys.executable, "-W", "error", str(tmp_path / "module.py")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code and done.stdout.startswith("z: gradient and differences are"), done
