"""Translated programs in Node."""

import json
import shutil
import subprocess

import numpy as np
import pytest

NODE = shutil.which("node")

needs_node = pytest.mark.skipif(NODE is None, reason="node, which runs the programs, is missing")


def evaluate(script):
    """What the function body ``script`` returns: objects and arrays of numbers."""
    code = f"""
const written=x=>x===null||typeof x==="string"?JSON.stringify(x):typeof x!=="object"?
  (Object.is(x,-0)?"-0.0":String(Number(x))):
  ArrayBuffer.isView(x)||Array.isArray(x)?"["+Array.from(x,written).join(",")+"]":
  "{{"+Object.entries(x).map(([k,v])=>JSON.stringify(k)+":"+written(v)).join(",")+"}}";
process.stdout.write(written((()=>{{{script}}})()));"""
    assert NODE is not None
    done = subprocess.run([NODE, "-"], input=code, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def array(numbers):
    """An array as JavaScript."""
    flat = np.asarray(numbers, np.float64)
    if flat.ndim > 1:
        return f"[{','.join(map(array, flat))}]"
    written = (repr(float(x)).replace("inf", "Infinity").replace("nan", "NaN") for x in flat)
    return f"Float64Array.of({','.join(written)})"
