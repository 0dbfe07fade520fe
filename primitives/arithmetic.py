"""The core ops: one row each, with meaning, derivative and templates; and the op sets made of them."""

from __future__ import annotations

import numpy as np

from evosearch.language.op import Op, OpSet

ADD = Op("add", 2, np.add, "a + b", "a + b", "dd_add", ("g", "g"), commutative=True, doc="a + b")
SUB = Op("sub", 2, np.subtract, "a - b", "a - b", "dd_sub", ("g", "-g"), doc="a - b")
MUL = Op("mul", 2, np.multiply, "a * b", "a * b", "dd_mul", ("g * b", "g * a"), commutative=True, doc="a * b")
DIV = Op("div", 2, np.divide, "a / b", "a / b", "dd_div", ("g / b", "-(g / b) * r"), doc="a / b")

FIELD = OpSet("field", (ADD, SUB, MUL, DIV))
