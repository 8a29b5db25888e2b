"""What every test shares: a headless plotter, Hypothesis profiles, and tests that need something optional."""

import importlib.util
import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MPLBACKEND", "Agg")

# Expressions are built by the hundred: no deadline, and slow generation is no fault.
settings.register_profile("default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), max_examples=200, derandomize=True)
if examples := os.environ.get("DERIVE_EXAMPLES"):
    settings.register_profile("thorough", settings.get_profile("default"), max_examples=int(examples))
    settings.load_profile("thorough")
else:
    settings.load_profile("ci" if os.environ.get("DERIVE_CI") or os.environ.get("CI") else "default")


def require(*names: str) -> None:
    """Skip unless each name is a program or a package here; fail instead of skipping under DERIVE_REQUIRE_ALL=1."""
    missing = [name for name in names if not shutil.which(name) and not importlib.util.find_spec(name)]
    if not missing:
        return
    reason = f"needs {', '.join(missing)}, not installed here"
    if os.environ.get("DERIVE_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason}, and DERIVE_REQUIRE_ALL=1 forbids skipping", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(name="needs")
def _needs():
    """`needs("pdflatex")`, for a test that learns what it needs while it runs; else mark it `needs("pdflatex")`."""
    return require


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        require(*mark.args)
