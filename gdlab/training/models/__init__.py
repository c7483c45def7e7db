"""Models of other libraries as the parameters of a loss: opened into arrays, and closed again."""

from gdlab.training.models.form import PLAIN, Form, Held, ModelState, OpenedModel, Plain
from gdlab.training.models.opening import Trainable, open_model

__all__ = ["PLAIN", "Form", "Held", "ModelState", "OpenedModel", "Plain", "Trainable", "open_model"]
