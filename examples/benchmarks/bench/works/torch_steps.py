"""Steps of PyTorch's optimizers, each a turn in a process of its own."""

import time

import torch

from ..timing import Sample, Turn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def torch_fused(size: str) -> Turn:
    """Adam, all in one kernel."""
    return _turn(size, lambda params: torch.optim.Adam(params, fused=True))


def torch_foreach(size: str) -> Turn:
    """Adam, one operation at a time for all arrays."""
    return _turn(size, lambda params: torch.optim.Adam(params, foreach=True))


def torch_fused_clipped(size: str) -> Turn:
    """Clipping by the global norm, then AdamW in one kernel."""
    return _turn(size, lambda params: torch.optim.AdamW(params, fused=True), clip=True)


def torch_adadelta(size: str) -> Turn:
    """Adadelta, one operation at a time for all arrays."""
    return _turn(size, lambda params: torch.optim.Adadelta(params, foreach=True))


def _turn(size, make, clip=False) -> Turn:
    torch.manual_seed(0)
    param = torch.randn(int(size), device=DEVICE).requires_grad_()
    param.grad = torch.randn(int(size), device=DEVICE)
    optimizer = make([param])

    def turn() -> Sample:
        cpu, wall = time.process_time(), time.perf_counter()
        if clip:
            torch.nn.utils.clip_grad_norm_([param], 1.0)
        optimizer.step()
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        return Sample(time.process_time() - cpu, time.perf_counter() - wall)

    return turn
