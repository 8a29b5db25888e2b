"""What is to be computed, in index expressions: the input of `lower`."""

from __future__ import annotations

from dataclasses import dataclass

from sympy.core.basic import Basic

from derive.axes import Scalar, Size, Tensor


@dataclass(frozen=True)
class Task:
    """Outputs and gradients of a formula, as tensors whose bodies are index expressions over inputs and definitions.

    `upstreams` has one tensor for each output; it is () for a single scalar output, whose upstream is then 1 unless a
    scalar is given at run time. The `of` of a gradient names its input. With `elementwise`, tensors without axes stand
    for arrays of any one shape. Without gradients there is only a forward function. Of the assumptions, those about
    sizes alone are checked in every call. `straight`: no array is written to and no loop goes over rows, so that each
    statement names the value of pure operations.
    """

    name: str
    doc: str
    inputs: tuple[Tensor, ...]
    scalars: tuple[Scalar, ...]
    outputs: tuple[Tensor, ...]
    upstreams: tuple[Tensor, ...] = ()
    gradients: tuple[Tensor, ...] = ()
    sizes: tuple[Size, ...] = ()
    elementwise: bool = False
    assumptions: tuple[Basic, ...] = ()
    straight: bool = False

    @property
    def parameters(self) -> tuple[Scalar | Size, ...]:
        """What is given by keyword: scalars, then sizes."""
        return (*self.scalars, *self.sizes)

    @property
    def scalar_loss(self) -> bool:
        """One scalar output: its value and gradient can be had in one go."""
        return len(self.outputs) == 1 and not self.outputs[0].axes and not self.elementwise
