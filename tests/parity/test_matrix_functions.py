"""Functions of matrices against torch.linalg and torch.distributions, in float64: values and gradients.

torch reads one triangle of a symmetric matrix, we read (A + Aᵀ)/2; so the references are given that.
"""

import numpy as np
import pytest

from derive import catalogue, to_numpy
from derive.verify.sample import Sampler
from tests.parity.harness import torch

SHAPES = ("distinct", "ones", "equal", "random", "random")
TOLERANCE = 1e-8  # over 1 + the largest reference


def sym(A):
    return (A + A.mT) / 2


def eigenvectors(A):
    """Of each, the entry of largest magnitude is positive."""
    V = torch.linalg.eigh(sym(A)).eigenvectors
    return V * V.gather(-2, V.abs().argmax(-2, keepdim=True)).sign()


def singular(A):
    """U and V; of each column of V, the entry of largest magnitude is positive."""
    U, _, V = torch.linalg.svd(A, full_matrices=False)
    signs = V.mT.gather(-2, V.mT.abs().argmax(-2, keepdim=True)).sign()
    return U * signs, V.mT * signs


def factored(A):
    """Q and R, the diagonal of R positive."""
    Q, R = torch.linalg.qr(A)
    signs = R.diagonal().sign()
    return Q * signs, R * signs[:, None]


def general(A):
    """λ, ascending, and X; of each column of X, the entry of largest magnitude is positive."""
    values, X = (part.real for part in torch.linalg.eig(A))
    order = values.argsort()
    X = X[:, order]
    return values[order], X * X.gather(-2, X.abs().argmax(-2, keepdim=True)).sign()


def of_spectrum(A, function):
    values, V = torch.linalg.eigh(sym(A))
    return (V * function(values)) @ V.mT


def gaussian(x, mu, Sigma):
    return torch.distributions.MultivariateNormal(mu, Sigma).log_prob(x)


def normal_equations(X, y, A):
    return torch.linalg.solve(X.mT @ A @ X, X.mT @ A @ y)


def residual(X, y):
    return ((X @ torch.linalg.lstsq(X, y[:, None]).solution[:, 0] - y) ** 2).sum()


def gaussian_process(X, y, scale, length, noise):
    apart = ((X[:, None] - X) ** 2).sum(-1)
    K = scale**2 * torch.exp(-apart / (2 * length**2)) + noise**2 * torch.eye(len(X))
    return gaussian(y, torch.zeros_like(y), K)


def kl(mu_0, Sigma_0, mu_1, Sigma_1):
    one, two = (torch.distributions.MultivariateNormal(*p) for p in ((mu_0, Sigma_0), (mu_1, Sigma_1)))
    return torch.distributions.kl_divergence(one, two)


def wishart(X, V, nu):
    """torch.distributions.Wishart's, without the terms of ν alone: it wants ν > I − 1."""
    return ((nu - len(X) - 1) * torch.logdet(X) - torch.trace(torch.linalg.inv(V) @ X) - nu * torch.logdet(V)) / 2


def bures(A, B):
    root = of_spectrum(A, torch.sqrt)
    return torch.trace(A) + torch.trace(B) - 2 * torch.trace(of_spectrum(root @ B @ root, torch.sqrt))


def matrix_normal(X, M, U, V):
    """By vec: the rows of X one after the other have the covariance U ⊗ V."""
    return gaussian((X - M).reshape(-1), torch.zeros(X.numel()), torch.kron(U.contiguous(), V.contiguous()))


def poincare(u, v):
    apart, room = ((u - v) ** 2).sum(-1), (1 - (u**2).sum(-1)) * (1 - (v**2).sum(-1))
    return torch.acosh(1 + 2 * apart / room)


def kalman(x, P, z, F, H, Q, R):
    """By the gain; where covariances are not symmetric, other forms are other functions."""
    ahead, spread = F @ x, F @ P @ F.mT + Q
    seen = spread @ H.mT
    gain = seen @ torch.linalg.inv((H @ seen).mT + R)
    return ahead + gain @ (z - H @ ahead), spread - gain @ seen.mT


def leave_one_out(X, y, strength):
    H = X @ torch.linalg.inv(X.mT @ X + strength * torch.eye(X.shape[1])) @ X.mT
    return (((y - H @ y) / (1 - H.diagonal())) ** 2).sum()


def kalman_likelihood(x, P, z, F, H, Q, R):
    return gaussian(z, H @ (F @ x), H @ (F @ P @ F.mT + Q) @ H.mT + R)


REFERENCES = {
    "matrix_inverse": lambda A: torch.linalg.inv(A),
    "determinant": lambda A: torch.linalg.det(A),
    "log_determinant": lambda A: torch.linalg.slogdet(A).logabsdet,
    "matrix_trace": lambda A: torch.trace(A),
    "linear_system": lambda A, b: torch.linalg.solve(A, b),
    "cholesky_factor": lambda A: torch.linalg.cholesky(sym(A)),
    "symmetric_eigenvalues": lambda A: torch.linalg.eigvalsh(sym(A)),
    "symmetric_eigenvectors": eigenvectors,
    "singular_values": lambda A: torch.linalg.svdvals(A),
    "left_singular_vectors": lambda A: singular(A)[0],
    "right_singular_vectors": lambda A: singular(A)[1],
    "orthonormal_factor": lambda A: factored(A)[0],
    "triangular_factor": lambda A: factored(A)[1],
    "real_eigenvalues": lambda A: general(A)[0],
    "real_eigenvectors": lambda A: general(A)[1],
    "matrix_exponential": lambda A: torch.linalg.matrix_exp(A),
    "matrix_square_root": lambda A: of_spectrum(A, torch.sqrt),
    "matrix_logarithm": lambda A: of_spectrum(A, torch.log),
    "frobenius_norm": lambda A: torch.linalg.matrix_norm(A),
    "nuclear_norm": lambda A: torch.linalg.matrix_norm(A, "nuc"),
    "largest_singular_value": lambda A: torch.linalg.matrix_norm(A, 2),
    "pseudo_inverse": lambda A: torch.linalg.pinv(A),
    "matrix_cube": lambda A: torch.linalg.matrix_power(A, 3),
    "kronecker_product": lambda A, B: torch.kron(A, B),
    "least_squares": lambda X, y: torch.linalg.lstsq(X, y[:, None]).solution[:, 0],
    "least_squares_residual": residual,
    "ridge_regression": lambda X, y, strength: torch.linalg.solve(
        X.mT @ X + strength * torch.eye(X.shape[1]), X.mT @ y
    ),
    "weighted_least_squares": lambda X, y, weight: normal_equations(X, y, torch.diag(weight)),
    "generalised_least_squares": lambda X, y, Sigma: normal_equations(X, y, torch.linalg.inv(Sigma)),
    "gaussian_log_likelihood": lambda x, mu, Sigma: gaussian(x, mu, sym(Sigma)).sum(),
    "mahalanobis_distance": lambda x, mu, Sigma: (((x - mu) @ torch.linalg.inv(Sigma)) * (x - mu)).sum(-1).sqrt(),
    "gaussian_kl": lambda mu_0, Sigma_0, mu_1, Sigma_1: kl(mu_0, sym(Sigma_0), mu_1, sym(Sigma_1)),
    "gaussian_process": gaussian_process,
    "wishart_log_density": wishart,
    "stein_loss": lambda A, B: torch.trace(A @ torch.linalg.inv(B)) - torch.logdet(A @ torch.linalg.inv(B)) - len(A),
    "factor_analysis": lambda x, W, psi: gaussian(x, torch.zeros_like(psi), W @ W.mT + torch.diag(psi)).sum(),
    "woodbury_inverse": lambda W, psi: torch.linalg.inv(W @ W.mT + torch.diag(psi)),
    "low_rank_log_determinant": lambda W, psi: torch.logdet(W @ W.mT + torch.diag(psi)),
    "pca_reconstruction": lambda X, W: ((X - X @ W @ W.mT) ** 2).sum(),
    "pca_variance": lambda X, W: torch.trace(torch.linalg.inv(W.mT @ W) @ W.mT @ X.mT @ X @ W) / len(X),
    "cca_correlation": lambda X, Y, u, v: torch.nn.functional.cosine_similarity(X @ u, Y @ v, dim=0, eps=0),
    "fisher_ratio": lambda W, between, within: torch.trace(torch.linalg.inv(W.mT @ within @ W) @ W.mT @ between @ W),
    "stiefel_projection": lambda W, G: G - W @ sym(W.mT @ G),
    "poincare_distance": poincare,
    "bures_distance": bures,
    "acyclicity": lambda W: torch.trace(torch.linalg.matrix_exp(W * W)) - len(W),
    "determinantal_point_process": lambda L, S: torch.logdet(S @ L @ S.mT) - torch.logdet(L + torch.eye(len(L))),
    "inverse_wishart_log_density": lambda X, Psi, nu: (
        (nu * torch.logdet(Psi) - (nu + len(X) + 1) * torch.logdet(X) - torch.trace(Psi @ torch.linalg.inv(X))) / 2
    ),
    "matrix_normal_log_density": matrix_normal,
    "ridge_validation_loss": lambda X, y, Z, t, strength: (
        (Z @ torch.linalg.solve(X.mT @ X + strength * torch.eye(X.shape[1]), X.mT @ y) - t).square().sum() / 2
    ),
    "kalman_step": kalman,
    "kalman_log_likelihood": kalman_likelihood,
    "rts_smoother": lambda x, P, ahead, F, Q: x + P @ F.mT @ torch.linalg.solve(F @ P @ F.mT + Q, ahead - F @ x),
    "lqr_gain": lambda A, B, P, R: torch.linalg.inv(R + B.mT @ P @ B) @ (A.mT @ P @ B).mT,
    "ridge_leave_one_out": leave_one_out,
    "linear_fixed_point": lambda A, b: torch.linalg.solve(torch.eye(len(b)) - A, b),
    "quadratic_minimiser": lambda Q, c: -torch.linalg.solve(Q, c),
}


def differs(ours, theirs):
    return np.max(np.abs(ours - theirs), initial=0.0) > TOLERANCE * (1 + np.max(np.abs(theirs), initial=0.0))


def in_double(function, **given):
    """The function where new arrays, such as torch.eye, have 64 bits."""
    torch.set_default_dtype(torch.float64)
    try:
        return function(**given)
    finally:
        torch.set_default_dtype(torch.float32)


def compared(name, shape, seed):
    """Names of what differs from torch: outputs by number, gradients by input."""
    module = to_numpy(catalogue[name])
    point = Sampler(module.traced, ()).point(np.random.default_rng(seed), shape)
    arrays = {t.name: point.arrays[t.name] for t in module.traced.inputs}
    options = {s.name: point.scalars[s.name] for s in module.traced.scalars}
    y, saved = module.forward(**arrays, **options)
    ys = y if isinstance(y, tuple) else (y,)
    rng = np.random.default_rng(seed + 1)
    gs = [rng.normal(size=np.shape(part)) for part in ys]
    grads = module.backward(tuple(gs) if len(gs) > 1 else gs[0], saved)

    tensors = {n: torch.tensor(a, requires_grad=True) for n, a in arrays.items()}
    options = {n: torch.tensor(float(s), dtype=torch.float64) for n, s in options.items()}
    found = in_double(REFERENCES[name], **tensors, **options)
    found = found if isinstance(found, tuple) else (found,)
    wrong = [str(k) for k, (a, e) in enumerate(zip(ys, found, strict=True)) if differs(a, e.detach().numpy())]
    theirs = torch.autograd.grad(found, list(tensors.values()), [torch.tensor(g) for g in gs])
    return wrong + [n for n, t in zip(tensors, theirs, strict=True) if differs(grads[n], t.numpy())]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name", REFERENCES)
def test_values_and_gradients(name):
    assert [wrong for seed, shape in enumerate(SHAPES) for wrong in compared(name, shape, seed)] == []


def test_every_formula_of_the_chapter_is_compared():
    from formulas import linear_models, matrices

    assert {*matrices.__all__, *linear_models.__all__} == set(REFERENCES)
