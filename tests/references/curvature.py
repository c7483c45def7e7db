"""Second-order methods with steps of given sizes, in dense matrices."""

from collections.abc import Callable, Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, recorded


@recorded
def lbfgs(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    memory_size: int = 10,
    scale_init_precond: bool = True,
) -> Iterator[np.ndarray]:
    """θ ← θ − α H g: Nocedal and Wright 2006, eq. 7.19, with the matrix H written out.

    H₀ = γ I with γ = sᵀy/yᵀy, eq. 7.20, and min(1, 1/‖g‖) before there is a pair, as L-BFGS-B
    starts. A pair is kept if sᵀy > ε yᵀy: Byrd, Lu, Nocedal and Zhu 1995, eq. 3.9.
    """
    theta, pairs, before = params0, [], None
    identity = np.eye(params0.size)
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, theta)
        if before is not None:
            s, y = theta - before[0], g - before[1]
            if s @ y > np.finfo(float).eps * (y @ y):
                pairs = [*pairs, (s, y)][-memory_size:]
        before = theta, g
        gamma = min(1.0, 1 / np.linalg.norm(g)) if not pairs else pairs[-1][0] @ pairs[-1][1]
        if pairs:
            gamma = gamma / (pairs[-1][1] @ pairs[-1][1])
        h = identity * (gamma if scale_init_precond else 1.0)
        for s, y in pairs:
            rho = 1 / (y @ s)
            v = identity - rho * np.outer(y, s)
            h = v.T @ h @ v + rho * np.outer(s, s)
        theta = theta - alpha * h @ g
        yield theta


@recorded
def conjugate_gradients(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    method: str = "PR+",
) -> Iterator[np.ndarray]:
    """θ ← θ + α p, p ← −g + β p: Nocedal and Wright 2006, algorithm 5.4.

    FR: eq. 5.41a; PR+: eq. 5.45; HS: eq. 5.46; DY: eq. 5.49. Where p does not lead down it starts
    again from −g, as it does where β is no number.
    """
    theta, p, old = params0, None, None
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, theta)
        if p is None:
            p = -g
        else:
            y = g - old
            over = g if method in ("FR", "DY") else y
            under = old @ old if method in ("FR", "PR+") else y @ p
            beta = g @ over / under
            beta = max(beta, 0.0) if method == "PR+" else beta
            p = -g + beta * p
            if not g @ p < 0:
                p = -g
        old = g
        theta = theta + alpha * p
        yield theta


@recorded
def sophia(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    curvature: Callable[[tuple[int, ...]], np.ndarray],
    b1: Numbers = 0.965,
    b2: Numbers = 0.99,
    eps: Numbers = 1e-8,
    gamma: Numbers = 0.01,
    clip_threshold: Numbers = 1.0,
    update_interval: int = 10,
    weight_decay: Numbers = 0.0,
    bias_correction: bool = False,
    hessian_first: bool = True,
) -> Iterator[np.ndarray]:
    """θ ← θ − α(λθ + clip(m/max(γh, ε), ±ρ)): Liu et al. 2023, arXiv:2305.14342, Algorithm 3.

    ``curvature(shape)`` is the diagonal of the Hessian. h is renewed at t = 1, 1 + k, …, before the
    step (``hessian_first``) as in the algorithm box; optax renews it after the step, so that the
    step uses the old h, and corrects m for its start, which the paper does not.
    """
    theta, m, h = params0, np.zeros_like(params0), np.zeros_like(params0)
    diagonal = curvature(params0.shape)
    beta1_to_t = 1.0
    numbers = each_step(learning_rate, b1, b2, eps, gamma, clip_threshold, weight_decay)
    for t, (alpha, beta1, beta2, epsilon, scale, rho, decay) in numbers:
        g = grads(t, theta)
        m = beta1 * m + (1 - beta1) * g
        beta1_to_t *= beta1
        m_hat = m / (1 - beta1_to_t) if bias_correction else m
        renewed = beta2 * h + (1 - beta2) * diagonal if (t - 1) % update_interval == 0 else h
        used = renewed if hessian_first else h
        direction = np.clip(m_hat / np.maximum(scale * used, epsilon), -rho, rho)
        h = renewed
        theta = theta - alpha * (direction + decay * theta)
        yield theta


@recorded
def adahessian(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    curvature: Callable[[tuple[int, ...]], np.ndarray],
    b1: Numbers = 0.9,
    b2: Numbers = 0.999,
    eps: Numbers = 1e-4,
    hessian_power: float = 1.0,
    weight_decay: Numbers = 0.0,
) -> Iterator[np.ndarray]:
    """θ ← θ − α(m̂/(v̂^(k/2) + ε) + λθ): Yao et al. 2021, arXiv:2006.00719, Algorithm 1, eq. 10.

    v averages D², D the diagonal ``curvature(shape)`` of the Hessian, averaged over all axes but
    the last two, the window of a convolution whose kernel has the shape (…, in, out).
    """
    window = tuple(range(params0.ndim - 2))
    diagonal = curvature(params0.shape)
    diagonal = np.broadcast_to(diagonal.mean(window, keepdims=True), diagonal.shape)
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    beta1_to_t = beta2_to_t = 1.0
    for t, (alpha, beta1, beta2, epsilon, decay) in each_step(
        learning_rate, b1, b2, eps, weight_decay
    ):
        g = grads(t, theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * diagonal**2
        beta1_to_t, beta2_to_t = beta1_to_t * beta1, beta2_to_t * beta2
        denominator = np.sqrt(v / (1 - beta2_to_t)) ** hessian_power + epsilon
        theta = theta - alpha * (m / (1 - beta1_to_t) / denominator + decay * theta)
        yield theta
