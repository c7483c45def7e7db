"""The direction of a metric by its name, against the names of scikit-learn's scorers.

A scorer whose name begins with ``neg_`` negates a metric of which less is better.
"""

import contextlib

import pytest
from sklearn import metrics

from gdlab.sweeps.direction import is_maximized


@pytest.mark.parametrize("scorer", metrics.get_scorer_names())
def test_a_name_tells_what_scikit_learn_says_of_its_metric_or_nothing(scorer):
    metric = scorer.removeprefix("neg_")
    with contextlib.suppress(ValueError):
        assert is_maximized(metric) == (metric == scorer)


@pytest.mark.parametrize(
    ("metric", "maximized"),
    [
        ("log_likelihood", True),
        ("negative_log_likelihood", False),
        ("Negative log-likelihood", False),
        ("recall_of_negatives", True),
        ("accuracy_loss", False),
        ("eval/loss/top1", True),
    ],
)
def test_the_last_word_that_is_known_decides(metric, maximized):
    assert is_maximized(metric) is maximized


@pytest.mark.parametrize("metric", ["brier_score", "brier_skill_score", "height"])
def test_a_name_that_does_not_tell_is_refused(metric):
    with pytest.raises(ValueError, match=f"the name '{metric}' does not tell .* say maximize=True"):
        is_maximized(metric)


@pytest.mark.parametrize("maximize", [True, False])
def test_the_caller_is_believed_whatever_the_name(maximize):
    assert is_maximized("loss", maximize) is is_maximized("height", maximize) is maximize
