"""Known optimizers as program text over `primitives.optimizer:OPTIMIZER`.

Hyper-parameters stand in place with their usual values; epsilon is the 1e-8 of the guarded `div`. Weight decay is 0.01:
decoupled (w * 0.01 is added to the update), or where a rule's name means the other kind, added to the gradient (SGD, Nesterov,
AdaGrad, RMSProp, Adam). Each agrees with an independent implementation to 1e-12; the tests name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_ADAM_MOMENTS = """\
    v1 = interp(g, v1, 0.9)
    g2 = square(g)
    v2 = interp(g2, v2, 0.999)
"""
_UNBIASED = """\
    p1 = power(0.9, step)
    c1 = sub(1.0, p1)
    r1 = reciprocal(c1)
    p2 = power(0.999, step)
    c2 = sub(1.0, p2)
    r2 = reciprocal(c2)
"""
"""r1, r2: the bias corrections of averages that start at zero."""

_ADAM_STEP = """\
    m = mul(v1, r1)
    v = mul(v2, r2)
    s = sqrt(v)
    u = div(m, s)
"""
_COUPLED = """\
    d = mul(w, 0.01)
    g = add(g, d)
"""
_DECOUPLED = """\
    d = mul(w, 0.01)
    u = add(u, d)
    update = mul(u, lr)
"""

# Polyak 1964, momentum 0.9
SGD_MOMENTUM = f"""
def train(w, g, v1, lr):
{_COUPLED}    m = mul(v1, 0.9)
    v1 = add(m, g)
    update = mul(v1, lr)
    return update, v1
"""

# Nesterov 1983 as Sutskever et al. 2013 have it, momentum 0.9
NESTEROV = f"""
def train(w, g, v1, lr):
{_COUPLED}    m = mul(v1, 0.9)
    v1 = add(m, g)
    m = mul(v1, 0.9)
    u = add(g, m)
    update = mul(u, lr)
    return update, v1
"""

# Duchi et al. 2011
ADAGRAD = f"""
def train(w, g, v1, lr):
{_COUPLED}    g2 = square(g)
    v1 = add(v1, g2)
    s = sqrt(v1)
    u = div(g, s)
    update = mul(u, lr)
    return update, v1
"""

# Hinton's lecture 6e, smoothing 0.99
RMSPROP = f"""
def train(w, g, v1, lr):
{_COUPLED}    g2 = square(g)
    v1 = interp(g2, v1, 0.99)
    s = sqrt(v1)
    u = div(g, s)
    update = mul(u, lr)
    return update, v1
"""

# Kingma & Ba 2014 (arXiv 1412.6980), algorithm 1
ADAM = f"""
def train(w, g, v1, v2, lr, step):
{_COUPLED}{_ADAM_MOMENTS}{_UNBIASED}{_ADAM_STEP}    update = mul(u, lr)
    return update, v1, v2
"""

# Loshchilov & Hutter 2017 (arXiv 1711.05101), algorithm 2
ADAMW = f"""
def train(w, g, v1, v2, lr, step):
{_ADAM_MOMENTS}{_UNBIASED}{_ADAM_STEP}{_DECOUPLED}    return update, v1, v2
"""

# Where the program search of arXiv 2302.06675 starts: AdamW without bias correction (its factor 0.001 on lr left to the tuning)
ADAMW_PLAIN = f"""
def train(w, g, v1, v2, lr):
{_ADAM_MOMENTS}    s = sqrt(v2)
    u = div(v1, s)
{_DECOUPLED}    return update, v1, v2
"""

# Dozat 2016 with the momentum schedule mu(t) = 0.9 (1 - 0.96^(0.004 t) / 2) that torch has too.
# v3 is 1 - mu(1) mu(2) ... mu(t): a state starts at zero, and so does this.
NADAM = f"""
def train(w, g, v1, v2, v3, lr, step):
{_ADAM_MOMENTS}    h = mul(step, 0.004)
    h = power(0.96, h)
    h = mul(h, 0.5)
    h = sub(1.0, h)
    mu = mul(h, 0.9)
    n = add(step, 1.0)
    h = mul(n, 0.004)
    h = power(0.96, h)
    h = mul(h, 0.5)
    h = sub(1.0, h)
    nu = mul(h, 0.9)
    product = sub(1.0, v3)
    product = mul(product, mu)
    v3 = sub(1.0, product)
    c = sub(1.0, mu)
    a = mul(g, c)
    r = reciprocal(v3)
    a = mul(a, r)
    q = mul(product, nu)
    q = sub(1.0, q)
    r = reciprocal(q)
    b = mul(v1, nu)
    b = mul(b, r)
    m = add(a, b)
    p2 = power(0.999, step)
    c2 = sub(1.0, p2)
    r2 = reciprocal(c2)
    v = mul(v2, r2)
    s = sqrt(v)
    u = div(m, s)
{_DECOUPLED}    return update, v1, v2, v3
"""

# Zhuang et al. 2020 (arXiv 2010.07468), algorithm 2
ADABELIEF = f"""
def train(w, g, v1, v2, lr, step):
    v1 = interp(g, v1, 0.9)
    b = sub(g, v1)
    b = square(b)
    v2 = interp(b, v2, 0.999)
    v2 = add(v2, 1e-08)
{_UNBIASED}{_ADAM_STEP}{_DECOUPLED}    return update, v1, v2
"""

# Dubey et al. 2019 (arXiv 1909.11015); the 1e-15 and the epsilon beside the uncorrected average are pytorch-optimizer's
DIFFGRAD = f"""
def train(w, g, v1, v2, v3, lr, step):
{_ADAM_MOMENTS}{_UNBIASED}    x = sub(v3, g)
    x = abs(x)
    x = negative(x)
    x = exp(x)
    x = add(x, 1.0)
    friction = reciprocal(x)
    m = mul(v1, friction)
    s = add(v2, 1e-15)
    s = sqrt(s)
    u = div(m, s)
    c = sqrt(c2)
    c = mul(c, r1)
    u = mul(u, c)
{_DECOUPLED}    return update, v1, v2, g
"""

# You et al. 2019 (arXiv 1904.00962), algorithm 2: one trust ratio a tensor, 1 where the weights or the step are zero
LAMB = f"""
def train(w, g, v1, v2, lr, step):
{_ADAM_MOMENTS}{_UNBIASED}{_ADAM_STEP}    d = mul(w, 0.01)
    u = add(u, d)
    a = norm(w)
    b = norm(u)
    sa = sign(a)
    sb = sign(b)
    both = mul(sa, sb)
    rest = sub(1.0, both)
    b = add(b, rest)
    b = reciprocal(b)
    ratio = mul(a, b)
    ratio = mul(ratio, both)
    ratio = add(ratio, rest)
    u = mul(u, ratio)
    update = mul(u, lr)
    return update, v1, v2
"""

# Chen et al. 2023 (arXiv 2302.06675), algorithm 2
LION = f"""
def train(w, g, v1, lr):
    m = interp(g, v1, 0.9)
    u = sign(m)
    v1 = interp(g, v1, 0.99)
{_DECOUPLED}    return update, v1
"""

# Bernstein et al. 2018 (arXiv 1802.04434), algorithm 1
SIGNSGD = f"""
def train(w, g, lr):
    u = sign(g)
{_DECOUPLED}    return update
"""

_AGREEMENT = """\
    v1 = interp(g, v1, 0.9)
    a = sign(g)
    b = sign(v1)
    a = mul(a, b)
"""

# Bello et al. 2017 (arXiv 1709.07417), section 5: e^(sign g sign m) g, without internal decay
POWERSIGN = f"""
def train(w, g, v1, lr):
{_AGREEMENT}    a = exp(a)
    u = mul(g, a)
{_DECOUPLED}    return update, v1
"""

# Bello et al. 2017 (arXiv 1709.07417), section 5: (1 + sign g sign m) g, without internal decay
ADDSIGN = f"""
def train(w, g, v1, lr):
{_AGREEMENT}    a = add(a, 1.0)
    u = mul(g, a)
{_DECOUPLED}    return update, v1
"""

# Adly 2024 (arXiv 2412.20302): moments that correct each other, and a share of the gradient itself
EXADAM = f"""
def train(w, g, v1, v2, lr, step):
{_ADAM_MOMENTS}{_UNBIASED}    a = div(v2, v2)
    a = mul(a, p2)
    a = add(a, 1.0)
    a = mul(a, r1)
    m2 = square(v1)
    b = div(m2, m2)
    b = mul(b, p1)
    b = add(b, 1.0)
    b = mul(b, r2)
    m = add(v1, g)
    m = mul(m, a)
    v = mul(v2, b)
    s = sqrt(v)
    u = div(m, s)
{_DECOUPLED}    return update, v1, v2
"""

RULES: Mapping[str, str] = MappingProxyType(
    {
        "sgd_momentum": SGD_MOMENTUM,
        "nesterov": NESTEROV,
        "adagrad": ADAGRAD,
        "rmsprop": RMSPROP,
        "adam": ADAM,
        "adamw": ADAMW,
        "adamw_plain": ADAMW_PLAIN,
        "nadam": NADAM,
        "adabelief": ADABELIEF,
        "diffgrad": DIFFGRAD,
        "lamb": LAMB,
        "lion": LION,
        "signsgd": SIGNSGD,
        "powersign": POWERSIGN,
        "addsign": ADDSIGN,
        "exadam": EXADAM,
    }
)
"""Program texts by name."""
