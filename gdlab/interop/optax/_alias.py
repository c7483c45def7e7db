"""optax's optimizers: gdlab's, with optax's defaults and a count in the state."""

import jax.numpy as jnp

import gdlab
from gdlab.interop.optax._adapting import adapted
from gdlab.interop.optax._linesearch import scale_by_zoom_linesearch

adabelief = adapted(gdlab.adabelief, __name__)
adadelta = adapted(
    gdlab.adadelta,
    __name__,
    finish=None,
    none_is={"learning_rate": 1.0},
    learning_rate=None,
    weight_decay=0.0,
)
adafactor = adapted(gdlab.adafactor, __name__, dtype_momentum=jnp.float32)
adam = adapted(gdlab.adam, __name__, eps_root=0.0)
adamax = adapted(gdlab.adamax, __name__)
adamaxw = adapted(gdlab.adamaxw, __name__)
adamw = adapted(gdlab.adamw, __name__, eps_root=0.0)
adan = adapted(gdlab.adan, __name__, eps_root=1e-8)
amsgrad = adapted(gdlab.amsgrad, __name__, eps_root=0.0)
lamb = adapted(gdlab.lamb, __name__, eps_root=0.0)
lars = adapted(gdlab.lars, __name__, finish=None, weight_decay_mask=True, trust_ratio_mask=True)
lbfgs = adapted(
    gdlab.lbfgs,
    __name__,
    finish=None,
    linesearch=scale_by_zoom_linesearch(20, initial_guess_strategy="one"),
)
lion = adapted(gdlab.lion, __name__)
nadam = adapted(gdlab.adam, __name__, name="nadam", eps_root=0.0, nesterov=True)
nadamw = adapted(gdlab.adamw, __name__, name="nadamw", eps_root=0.0, nesterov=True)
novograd = adapted(gdlab.novograd, __name__, eps_root=0.0)
optimistic_adam = adapted(gdlab.optimistic_adam, __name__, eps_root=0.0, nesterov=True)
optimistic_adam_v2 = adapted(gdlab.optimistic_adam_v2, __name__, eps_root=0.0, nesterov=True)
radam = adapted(gdlab.radam, __name__, eps_root=0.0)
rmsprop = adapted(gdlab.rmsprop, __name__, finish=None, initial_scale=0.0)
signum = adapted(gdlab.signum, __name__)
yogi = adapted(gdlab.yogi, __name__, initial_accumulator_value=1e-6)
