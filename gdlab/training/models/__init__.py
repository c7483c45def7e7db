"""Models of other libraries as parameters of a loss: split into arrays, and rebuilt from them."""

from gdlab.training.models.form import PLAIN, Form, Held, ModelState, OpenedModel, Plain
from gdlab.training.models.opening import Trainable, open_model

__all__ = ["PLAIN", "Form", "Held", "ModelState", "OpenedModel", "Plain", "Trainable", "open_model"]
