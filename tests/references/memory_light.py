"""Methods that keep less than one number for each parameter; each with the paper it is from."""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded


def rms(x: np.ndarray) -> float:
    return np.sqrt(np.mean(x**2))


def matrix_axes(shape: tuple[int, ...], axes: str, least: int) -> tuple[int, int] | None:
    """The two axes whose margins are kept, the shorter first if they are the longest ones."""
    if len(shape) < 2:
        return None
    pair = tuple(np.argsort(shape, kind="stable")[-2:]) if axes == "largest" else (-2, -1)
    return pair if min(shape[i] for i in pair) >= least else None


class Factored:
    """Averages of row and column means, or of all elements where there are no two long axes."""

    def __init__(self, shape, axes, least):
        self.pair = matrix_axes(shape, axes, least)
        self.R = self.C = self.V = 0.0

    def average(self, X, beta):
        if self.pair is None:
            self.V = beta * self.V + (1 - beta) * X
            return self.V
        i, j = self.pair
        self.R = beta * self.R + (1 - beta) * X.mean(axis=j, keepdims=True)
        self.C = beta * self.C + (1 - beta) * X.mean(axis=i, keepdims=True)
        return self.R * self.C / self.R.mean(axis=i, keepdims=True)


@recorded
def adafactor(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    eps1: float = 1e-30,
    eps2: float = 1e-3,
    d: float = 1.0,
    decay_rate: float = 0.8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    relative: bool = True,
    axes: str = "largest",
    least: int = 128,
) -> Iterator[np.ndarray]:
    """Shazeer and Stern 2018, arXiv:1804.04235, Algorithms 4 and 5, without β₁ and λ.

    R ← β₂R + (1 − β₂)(G² + ε₁)1/m, V = RC/mean(R), U = G/√V, Û = U/max(1, RMS(U)/d),
    X ← X − ρ max(ε₂, RMS(X)) Û. ``momentum`` averages the steps, and ``weight_decay`` takes ρλX.
    """
    theta, m = params0, np.zeros_like(params0)
    v = Factored(params0.shape, axes, least)
    for t, (rho,) in each_step(learning_rate):
        g = grads(t, theta)
        V = v.average(g**2 + eps1, 1 - t**-decay_rate)
        U = quotient(g, np.sqrt(V))
        U = U / max(1.0, rms(U) / d)
        alpha = rho * max(eps2, rms(theta)) if relative else rho
        m = momentum * m + (1 - momentum) * alpha * U
        theta = theta - m - rho * weight_decay * theta
        yield theta


@recorded
def sm3(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    momentum: Numbers = 0.9,
    eps: float = 1e-8,
    beta: float = 1.0,
) -> Iterator[np.ndarray]:
    """Anil et al. 2019, arXiv:1901.11150, Algorithm SM3-II, element by element.

    ν(i) = min μ'(r) + g(i)², μ(r) = max ν over the cover r: the slices along each axis.
    ``momentum`` averages g/√(ν + ε); ``beta`` below 1 averages the squares.
    """
    theta, m = params0, np.zeros_like(params0)
    shape = params0.shape or (1,)
    mu = [np.zeros(n) for n in shape]
    a, b = (1.0, 1.0) if beta == 1 else (1 - beta, beta)
    for t, (eta, rho) in each_step(learning_rate, momentum):
        g = grads(t, theta).reshape(shape)
        nu, new = np.zeros(shape), [np.zeros(n) for n in shape]
        for index in np.ndindex(*shape):
            nu[index] = (
                b * min(own[i] for own, i in zip(mu, index, strict=True)) + a * g[index] ** 2
            )
            for own, i in zip(new, index, strict=True):
                own[i] = max(own[i], nu[index])
        mu = new
        m = rho * m + (1 - rho) * (g / np.sqrt(nu + eps)).reshape(params0.shape)
        theta = theta - eta * m
        yield theta


@recorded
def came(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    b3: float = 0.9999,
    eps1: float = 1e-30,
    eps2: float = 1e-16,
    d: float = 1.0,
    weight_decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """Luo et al. 2023, arXiv:2307.02047, Algorithm 2: θ ← θ − η m/√S, S from (û − m)².

    Averages start at zero and are not corrected. Vectors have no S, as in the authors' code.
    """
    theta, m = params0, np.zeros_like(params0)
    v, s = (Factored(params0.shape, "last", 1) for _ in range(2))
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, theta)
        u = quotient(g, np.sqrt(v.average(g**2 + eps1, b2)))
        u = u / max(1.0, rms(u) / d)
        m = b1 * m + (1 - b1) * u
        S = s.average((u - m) ** 2 + eps2, b3)
        theta = theta - eta * ((m if s.pair is None else m / np.sqrt(S)) + weight_decay * theta)
        yield theta


@recorded
def adam_mini(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.1,
    blocks: str = "columns",
) -> Iterator[np.ndarray]:
    """Zhang et al. 2024, arXiv:2406.16793, Algorithm 1: Adam with v = β₂v + (1 − β₂) mean(g_b²).

    The blocks are the "columns" (what shares the last index; a vector is one), or the "whole".
    """
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    of_columns = blocks == "columns" and params0.ndim > 1
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, theta)
        square = np.empty_like(g)
        for block in range(params0.shape[-1]) if of_columns else [...]:
            where = (..., block) if of_columns else ...
            square[where] = np.mean(g[where] ** 2)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * square
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        theta = theta - eta * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * theta)
        yield theta


def projected_axis(shape: tuple[int, ...], rank: int, axis: int | None) -> int | None:
    """The shorter side of a matrix that is longer than the rank."""
    if len(shape) != 2:
        return None
    axis = (0 if shape[0] < shape[1] else 1) if axis is None else axis
    return axis if shape[axis] > rank else None


class Adam:
    """m̂/(√v̂ + ε) of gradients in order: Kingma and Ba 2015, Algorithm 1."""

    def __init__(self, b1=0.9, b2=0.999, eps=1e-8):
        self.b1, self.b2, self.eps = b1, b2, eps
        self.m = self.v = 0.0
        self.t = 0

    def __call__(self, g):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * g**2
        m_hat, v_hat = self.m / (1 - self.b1**self.t), self.v / (1 - self.b2**self.t)
        return quotient(m_hat, np.sqrt(v_hat) + self.eps)


@recorded
def galore(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    rank: int,
    gap: int = 200,
    alpha: float = 0.25,
    weight_decay: float = 0.0,
    axis: int | None = None,
) -> Iterator[np.ndarray]:
    """W ← W − η α P Adam(Pᵀ G): Zhao et al. 2024, arXiv:2403.03507, Algorithm 2.

    P are leading singular vectors of G, found anew after ``gap`` steps, the largest element of each
    positive; the moments stay. The side is the shorter one, as in the authors' code.
    """
    theta, adam = params0, Adam()
    side = projected_axis(params0.shape, rank, axis)
    for t, (eta,) in each_step(learning_rate):
        G = grads(t, theta)
        if side is None:
            N = adam(G)
        else:
            G = G if side == 0 else G.T
            if (t - 1) % gap == 0:
                P = np.linalg.svd(G)[0][:, :rank]
                P = P * np.sign(P[np.argmax(np.abs(P), axis=0), range(rank)])
            N = alpha * P @ adam(P.T @ G)
            N = N if side == 0 else N.T
        theta = theta - eta * (N + weight_decay * theta)
        yield theta


@recorded
def apollo(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    projection: np.ndarray,
    alpha: float = 1.0,
    gamma: float = 1.01,
    weight_decay: float = 0.0,
    tensor: bool = False,
) -> Iterator[np.ndarray]:
    """W ← W − η α G diag(s), s_j = ‖Adam(PG)_j‖/‖(PG)_j‖: Zhu et al. 2024, Algorithm 1.

    arXiv:2412.05270. P is the r by n ``projection`` on the shorter side n, or its first n columns;
    ‖G diag(s)‖ grows by the factor ``gamma`` at most for arrays of two axes and more.
    """
    theta, adam, before = params0, Adam(), 0.0
    rank = len(projection)
    side = projected_axis(params0.shape, rank, None)
    for t, (eta,) in each_step(learning_rate):
        G = grads(t, theta)
        if side is None:
            U = adam(G)
        else:
            G = G if side == 0 else G.T
            R = projection[:, : len(G)] @ G
            N = adam(R)
            axis = None if tensor else 0
            U = alpha * G * (np.linalg.norm(N, axis=axis) / np.linalg.norm(R, axis=axis))
            U = U if side == 0 else U.T
        if params0.ndim > 1:
            length = np.linalg.norm(U)
            if before > 0 and length > gamma * before:
                U = U * (gamma * before / length)
            before = np.linalg.norm(U)
        theta = theta - eta * (U + weight_decay * theta)
        yield theta
