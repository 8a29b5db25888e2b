"""What is told of checks: how many points, from which seed, and the largest errors."""

from __future__ import annotations

from dataclasses import dataclass

TRIALS, SEED = 3, 0


@dataclass(frozen=True)
class Checked:
    """What a check report came to: every statement with its largest error, and the largest of all."""

    passed: bool
    worst: float
    statements: tuple[tuple[str, float], ...] = ()

    @property
    def words(self) -> str:
        """The statement on the page."""
        verdict = "All passed" if self.passed else "Not all passed"
        return (
            f"{verdict}: {len(self.statements)} statements at {TRIALS} random points each, seed {SEED}; the largest "
            f"relative error is {self.worst:.0e}."
        )
