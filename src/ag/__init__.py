"""Automatic differentiation that you can see through, and softmax classification on top of it.

>>> x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
>>> s = x + y
>>> f = ag.log(1 + ag.exp(-s)) * s
>>> f.backward()
>>> x.grad
-0.09369026795895842
"""

from typing import TYPE_CHECKING, Any

from . import adjoint as adjoint, datasets as datasets, learn as learn
from .capture import debug as debug
from .learn.categorical import (
    Categorical as Categorical,
)
from .learn.losses import (
    accuracy as accuracy,
    cross_entropy as cross_entropy,
    negative_log_likelihood as negative_log_likelihood,
    one_hot as one_hot,
    squared_error as squared_error,
)
from .operators import later
from .operators.elementwise import (
    absolute as absolute,
    acos as acos,
    acosh as acosh,
    add as add,
    asin as asin,
    asinh as asinh,
    atan as atan,
    atan2 as atan2,
    atanh as atanh,
    cbrt as cbrt,
    clip as clip,
    cos as cos,
    cosh as cosh,
    divide as divide,
    exp as exp,
    exp2 as exp2,
    expm1 as expm1,
    hypot as hypot,
    log1p as log1p,
    log2 as log2,
    log10 as log10,
    logaddexp as logaddexp,
    maximum as maximum,
    minimum as minimum,
    multiply as multiply,
    negative as negative,
    positive as positive,
    power as power,
    reciprocal as reciprocal,
    relu as relu,
    remainder as remainder,
    sigmoid as sigmoid,
    sin as sin,
    sinh as sinh,
    softplus as softplus,
    sqrt as sqrt,
    square as square,
    subtract as subtract,
    tan as tan,
    tanh as tanh,
    where as where,
    xlogy as xlogy,
)
from .operators.joining import (
    concat as concat,
    flip as flip,
    pad as pad,
    repeat as repeat,
    roll as roll,
    split as split,
    stack as stack,
    tile as tile,
)
from .operators.parts import (
    angle as angle,
    conj as conj,
    imag as imag,
    real as real,
)
from .operators.probability import (
    log as log,
    log_softmax as log_softmax,
    softmax as softmax,
)
from .operators.products import (
    dot as dot,
    einsum as einsum,
    inner as inner,
    matmul as matmul,
    outer as outer,
    tensordot as tensordot,
    vecdot as vecdot,
)
from .operators.reductions import (
    all as all,
    any as any,
    cumprod as cumprod,
    cumsum as cumsum,
    logsumexp as logsumexp,
    max as max,
    mean as mean,
    min as min,
    norm as norm,
    prod as prod,
    std as std,
    sum as sum,
    var as var,
)
from .operators.selecting import (
    argmax as argmax,
    argmin as argmin,
    argsort as argsort,
    diag as diag,
    diagonal as diagonal,
    nonzero as nonzero,
    searchsorted as searchsorted,
    sort as sort,
    take as take,
    take_along_axis as take_along_axis,
    trace as trace,
)
from .operators.shaping import (
    astype as astype,
    broadcast_arrays as broadcast_arrays,
    broadcast_to as broadcast_to,
    expand_dims as expand_dims,
    matrix_transpose as matrix_transpose,
    moveaxis as moveaxis,
    permute_dims as permute_dims,
    ravel as ravel,
    reshape as reshape,
    squeeze as squeeze,
    swapaxes as swapaxes,
)
from .operators.steps import (
    bitwise_and as bitwise_and,
    bitwise_or as bitwise_or,
    bitwise_xor as bitwise_xor,
    ceil as ceil,
    equal as equal,
    floor as floor,
    floor_divide as floor_divide,
    greater as greater,
    greater_equal as greater_equal,
    invert as invert,
    isfinite as isfinite,
    isinf as isinf,
    isnan as isnan,
    less as less,
    less_equal as less_equal,
    logical_and as logical_and,
    logical_not as logical_not,
    logical_or as logical_or,
    logical_xor as logical_xor,
    not_equal as not_equal,
    rint as rint,
    round as round,
    sign as sign,
    signbit as signbit,
    trunc as trunc,
)
from .scalar import Scalar as Scalar
from .tensor import Tensor as Tensor
from .transforms import (
    grad as grad,
    stop_gradient as stop_gradient,
    value_and_grad as value_and_grad,
    vjp as vjp,
)

if TYPE_CHECKING:
    from . import linalg as linalg, special as special, testing as testing
    from .explanation.drawing import draw as draw
    from .explanation.explained import explain as explain
    from .explanation.quizzing import quiz as quiz
    from .operators.arranging import *  # noqa: F403
    from .operators.building import *  # noqa: F403
    from .operators.choosing import *  # noqa: F403
    from .operators.declared import *  # noqa: F403
    from .operators.differences import *  # noqa: F403
    from .operators.eigenvalues import *  # noqa: F403
    from .operators.floating import *  # noqa: F403
    from .operators.missing import *  # noqa: F403
    from .operators.ordering import *  # noqa: F403
    from .operators.polynomials import *  # noqa: F403
    from .operators.sets import *  # noqa: F403
    from .operators.signals import *  # noqa: F403
    from .operators.statistics import *  # noqa: F403
    from .testing import check_grads as check_grads
    from .transforms.batch import vmap as vmap
    from .transforms.checkpointing import checkpoint as checkpoint
    from .transforms.control import cond as cond, fori_loop as fori_loop, scan as scan, while_loop as while_loop
    from .transforms.custom import custom_jvp as custom_jvp, custom_vjp as custom_vjp
    from .transforms.defining import define as define
    from .transforms.forward import jvp as jvp, linearize as linearize
    from .transforms.implicit import fixed_point as fixed_point, root as root
    from .transforms.jacobians import (
        hessian as hessian,
        hvp as hvp,
        jacfwd as jacfwd,
        jacobian as jacobian,
        jacrev as jacrev,
    )
    from .transforms.minimizing import minimize as minimize

# What is not needed to compute is imported when it is asked for first.
_LATER = {
    "draw": "explanation.drawing", "explain": "explanation.explained", "quiz": "explanation.quizzing",
    "linalg": "", "special": "", "fft": "", "array_api": "",
    "testing": "", "check_grads": "testing", "vmap": "transforms.batch",
    "checkpoint": "transforms.checkpointing", **dict.fromkeys(("custom_jvp", "custom_vjp"), "transforms.custom"),
    **dict.fromkeys(("cond", "fori_loop", "scan", "while_loop"), "transforms.control"),
    "define": "transforms.defining", "jit": "compiler.compiled", "minimize": "transforms.minimizing",
    **dict.fromkeys(("root", "fixed_point"), "transforms.implicit"),
    **dict.fromkeys(("jvp", "linearize"), "transforms.forward"),
    **dict.fromkeys(("hessian", "hvp", "jacfwd", "jacobian", "jacrev"), "transforms.jacobians"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LATER:
        module = importlib.import_module(f".{_LATER[name] or name}", __name__)
        value = getattr(module, name) if _LATER[name] else module
    else:
        value = None if name.startswith("_") else later.public(name)
        if value is None:
            from .advice import unknown_name

            raise AttributeError(f"module 'ag' has no attribute {name!r}{unknown_name(name)}")
    globals()[name] = value
    return value


for _module in ("scalar", "tensor"):  # which hold one class each: who writes ag.tensor(a) is told of ag.Tensor
    del globals()[_module]


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *later.names()})


# The array API standard's names, where NumPy's older ones stand in the modules.
abs, pow = absolute, power
cumulative_prod, cumulative_sum = cumprod, cumsum

__version__ = "0.1.0"
