"""Examples of variants of Adam."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "scale_by_amsgrad": [
        Example(gdlab.scale_by_amsgrad(bias_correction_nu=False), on_complex=None)
    ],
    "scale_by_adamax": [Example(gdlab.scale_by_adamax())],
    "adamaxw": [
        Example(gdlab.adamaxw(0.1, weight_decay=0.0)),
        Example(gdlab.adamaxw(0.1, mask="matrix", eps_in_maximum=False), rests=False),
    ],
    "nadamw": [
        Example(gdlab.nadamw(0.1, weight_decay=0.0)),
        Example(
            gdlab.nadamw(0.1, weight_decay=0.1, mask="matrix", momentum_decay=0.1), rests=False
        ),
    ],
    "lamb": [
        Example(gdlab.lamb(0.1), by_element=False),
        Example(gdlab.lamb(0.1, weight_decay=0.1, mask="matrix"), rests=False, by_element=False),
    ],
    "novograd": [
        Example(gdlab.novograd(0.1), by_element=False, keeps_nan=False),
        Example(
            gdlab.novograd(0.1, eps_root=1e-3, weight_decay=0.1),
            rests=False,
            by_element=False,
            keeps_nan=False,
        ),
    ],
    "scale_by_novograd": [
        Example(
            gdlab.scale_by_novograd(mu_dtype="bfloat16"),
            by_element=False,
            keeps_nan=False,
            on_complex=None,
        )
    ],
    "laprop": [
        Example(gdlab.laprop(0.1)),
        Example(
            gdlab.laprop(
                0.1, eps_root=1e-3, weight_decay=0.1, mask="matrix", learning_rate_in_momentum=True
            ),
            rests=False,
        ),
    ],
    "stable_adamw": [
        Example(gdlab.stable_adamw(0.1, weight_decay=0.0), by_element=False),
        Example(
            gdlab.stable_adamw(0.1, weight_decay=0.1, mask="matrix"), rests=False, by_element=False
        ),
    ],
    "adam_atan2": [
        Example(gdlab.adam_atan2(0.1)),
        Example(gdlab.adam_atan2(0.1, a=1.0, weight_decay=0.1, mask="matrix"), rests=False),
    ],
    "padam": [
        Example(gdlab.padam(0.1), on_complex=None),
        Example(gdlab.padam(0.1, partial=0.25, amsgrad=False, bias_correction=False)),
    ],
    "grams": [
        Example(gdlab.grams(0.1)),
        Example(gdlab.grams(0.1, weight_decay=0.1, mask="matrix"), rests=False),
    ],
    "adamc": [
        Example(
            gdlab.adamc(0.1, weight_decay=0.1, mask="matrix", max_learning_rate=0.2), rests=False
        )
    ],
    "qhadam": [Example(gdlab.qhadam(0.1)), Example(gdlab.qhadam(0.1, nu2=0.5))],
}
