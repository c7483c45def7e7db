"""The public names of gdlab with their values, as ``eval`` takes them: ``vars(gdlab)`` has only
those that were used before."""

import gdlab

NAMES = {name: getattr(gdlab, name) for name in gdlab.__all__}
