"""The direction of a metric: whether more of it is better."""

import re

MORE_IS_BETTER: frozenset[str] = frozenset(
    (
        "acc", "accuracy", "auc", "auroc", "bleu", "f1", "iou", "likelihood", "precision",
        "psnr", "r2", "recall", "return", "returns", "reward", "rewards", "score", "similarity",
        "ssim", "top1", "top5",
    )
)  # fmt: skip
"""Words in the names of metrics of which the largest value is the best."""
LESS_IS_BETTER: frozenset[str] = frozenset(
    (
        "bce", "cost", "deviation", "distance", "entropy", "error", "errors", "gap", "kl",
        "loss", "losses", "mae", "mse", "nll", "norm", "perplexity", "ppl", "regret",
        "residual", "rmse", "sharpness", "wer",
    )
)  # fmt: skip
"""Words in the names of metrics of which the smallest value is the best."""


def is_maximized(metric: str, maximize: bool | None = None) -> bool:
    """Tell whether more of a metric is better, by ``maximize`` or else by the name of the metric.

    The last word of the name that is known decides, so that ``accuracy_loss`` is a loss.

    Args:
        metric: its name.
        maximize: True or False decides; None leaves it to the name.

    Raises:
        ValueError: if ``maximize`` is None and the name does not tell.

    >>> from gdlab.sweeps.direction import is_maximized
    >>> is_maximized("held_out_loss"), is_maximized("top5_accuracy")
    (False, True)
    """
    if maximize is not None:
        return maximize
    words = re.findall("[a-z0-9]+", metric.lower())
    for word in reversed(words):
        if word == "score" and "brier" in words:
            break  # less of a Brier score is better, but more of a skill score or D² made of it
        if word in MORE_IS_BETTER | LESS_IS_BETTER:
            # The negative logarithm of a likelihood is a loss.
            negative = word == "likelihood" and "negative" in metric.lower()
            return word in MORE_IS_BETTER and not negative
    raise ValueError(
        f"the name {metric!r} does not tell whether more of it is better: say maximize=True or "
        "maximize=False"
    )
