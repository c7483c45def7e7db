"""Keys by which functions are told apart and not kept alive."""

import gc
import weakref

from gdlab.devices.weak_keys import weak_key
from gdlab.training.objective import ByIdentity


def made():
    return lambda w: w


def key(function, **keywords):
    return weak_key(("a text", ByIdentity(function, keywords)))


def test_keys_are_equal_for_the_same_function_alone():
    function, other = made(), made()
    assert key(function) == key(function)
    assert hash(key(function)) == hash(key(function))
    assert key(function) != key(other)


def test_keys_tell_what_is_fixed_of_a_function():
    function = made()
    assert key(function, width=1) == key(function, width=1)
    assert key(function, width=1) != key(function, width=2)
    assert key(function, width=1) != key(function, width=True)


def test_a_key_does_not_keep_its_function_alive_and_then_equals_no_other():
    function = made()
    alive, one, two = weakref.ref(function), key(function), key(function)
    del function
    gc.collect()
    assert alive() is None
    # A new function may have the address of the old one.
    assert one != two
    assert one != key(made())
