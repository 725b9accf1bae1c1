"""Angles: x less the nearest multiple of π/2, as a sum of two numbers, and which multiple that is.

Up to some 10⁵ (float) and 10⁹ (double) three parts of π/2 are subtracted (Cody and Waite). Beyond, on a path of its own that
is taken only if a lane needs it, x is multiplied by those bits of 2/π that matter (Payne and Hanek, Radian reduction for
trigonometric functions, 1983), in integers.
"""

from __future__ import annotations

from .arithmetic import fast_two_sum, two_product, where_rare
from .coefficients import TWO_OVER_PI
from .emitter import INTEGERS, MAGIC, Emitter, Value

HALF_PI = {  # in parts, each what the ones before it leave, rounded
    "double": (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    "float": (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
}
HUGE = {"double": 2.0**30, "float": 2.0**17}

# From x ≥ 2³⁰: *at[0], *at[1] = the two parts of the rest; the multiple is returned. x = m 2ᵉ; of 2/π the 192 bits from the
# weight 2^(1 - e) on are multiplied by m, modulo 2¹⁹², which leaves x · 2/π modulo 4.
SCALAR = f"""
@ag.two_over_pi = internal constant [{len(TWO_OVER_PI)} x i64] [{", ".join(f"i64 {w}" for w in TWO_OVER_PI)}]
define internal i64 @ag.angle(double %x, ptr %at) noinline {{
  %bits = bitcast double %x to i64
  %field = lshr i64 %bits, 52
  %exponent = and i64 %field, 2047
  %fraction = and i64 %bits, 4503599627370495
  %m = or i64 %fraction, 4503599627370496
  %first = sub i64 %exponent, 1013
  %word = lshr i64 %first, 6
  %shift = and i64 %first, 63
  %p0 = getelementptr i64, ptr @ag.two_over_pi, i64 %word
  %p1 = getelementptr i64, ptr %p0, i64 1
  %p2 = getelementptr i64, ptr %p0, i64 2
  %p3 = getelementptr i64, ptr %p0, i64 3
  %t0 = load i64, ptr %p0
  %t1 = load i64, ptr %p1
  %t2 = load i64, ptr %p2
  %t3 = load i64, ptr %p3
  %w0 = call i64 @llvm.fshl.i64(i64 %t0, i64 %t1, i64 %shift)
  %w1 = call i64 @llvm.fshl.i64(i64 %t1, i64 %t2, i64 %shift)
  %w2 = call i64 @llvm.fshl.i64(i64 %t2, i64 %t3, i64 %shift)
  %mm = zext i64 %m to i128
  %u0 = zext i64 %w0 to i128
  %u1 = zext i64 %w1 to i128
  %u2 = zext i64 %w2 to i128
  %low = mul i128 %mm, %u2
  %carry = lshr i128 %low, 64
  %middle = mul i128 %mm, %u1
  %high = mul i128 %mm, %u0
  %shifted = shl i128 %high, 64
  %sum = add i128 %middle, %carry
  %turns = add i128 %sum, %shifted
  %up = add i128 %turns, {1 << 125}
  %multiple = lshr i128 %up, 126
  %whole = shl i128 %multiple, 126
  %rest = sub i128 %turns, %whole
  %minus = icmp slt i128 %rest, 0
  %opposite = sub i128 0, %rest
  %size = select i1 %minus, i128 %opposite, i128 %rest
  %zeros = call i128 @llvm.ctlz.i128(i128 %size, i1 false)
  %left = shl i128 %size, %zeros
  %top = lshr i128 %left, 75
  %a = trunc i128 %top to i64
  %under = lshr i128 %left, 22
  %next = trunc i128 %under to i64
  %b = and i64 %next, 9007199254740991
  %fa = sitofp i64 %a to double
  %fb = sitofp i64 %b to double
  %zeros64 = trunc i128 %zeros to i64
  %power = sub i64 972, %zeros64
  %signed = select i1 %minus, i64 2048, i64 0
  %biased = or i64 %power, %signed
  %scale = shl i64 %biased, 52
  %unit = bitcast i64 %scale to double
  %ha = fmul double %fa, %unit
  %small = fmul double %unit, {2.0**-53!r}
  %hb = fmul double %fb, %small
  %r = fmul double %ha, {HALF_PI["double"][0]!r}
  %minus.r = fneg double %r
  %e0 = call double @llvm.fma.f64(double %ha, double {HALF_PI["double"][0]!r}, double %minus.r)
  %e1 = call double @llvm.fma.f64(double %hb, double {HALF_PI["double"][0]!r}, double %e0)
  %e2 = call double @llvm.fma.f64(double %ha, double {HALF_PI["double"][1]!r}, double %e1)
  %at1 = getelementptr double, ptr %at, i64 1
  store double %r, ptr %at
  store double %e2, ptr %at1
  %result = trunc i128 %multiple to i64
  ret i64 %result
}}"""



def _lanes(e: Emitter, type: str) -> tuple[str, str]:
    """The type of the result and the name of the function that does it lane by lane. Lanes below 1 give some number."""
    e.declarations.add(SCALAR)
    e.declarations.add("declare i64 @llvm.fshl.i64(i64, i64, i64)")
    e.declarations.add("declare i128 @llvm.ctlz.i128(i128, i1)")
    e.declarations.add("declare double @llvm.fma.f64(double, double, double)")
    for name in ("fabs.f64(double", "copysign.f64(double, double"):
        e.declarations.add(f"declare double @llvm.{name})")
    vector, integer = f"<{e.width} x {type}>", f"<{e.width} x {INTEGERS[type]}>"
    wide = type == "double"
    result = f"{{ {vector}, {vector}, {integer} }}"
    name = f"@ag.angles.{e.width}.{type}"
    e.declarations.add(f"""
define internal {result} {name}({vector} %x) noinline cold {{
start:
  %at = alloca [2 x double]
  %at1 = getelementptr double, ptr %at, i64 1
  br label %lane
lane:
  %i = phi i64 [ 0, %start ], [ %following, %lane ]
  %before = phi {result} [ zeroinitializer, %start ], [ %after, %lane ]
  %one = extractelement {vector} %x, i64 %i
  %d = {"fadd double %one, -0.0" if wide else "fpext float %one to double"}
  %a = call double @llvm.fabs.f64(double %d)
  %some = fcmp oge double %a, 1.0
  %in = select i1 %some, double %a, double 1.0
  %multiple = call i64 @ag.angle(double %in, ptr %at)
  %sign = call double @llvm.copysign.f64(double 1.0, double %d)
  %minus = fcmp olt double %sign, 0.0
  %opposite = sub i64 0, %multiple
  %m = select i1 %minus, i64 %opposite, i64 %multiple
  %q = {"add i64 %m, 0" if wide else "trunc i64 %m to i32"}
  %r0 = load double, ptr %at
  %r1 = load double, ptr %at1
  %s0 = fmul double %r0, %sign
  %s1 = fmul double %r1, %sign
  %t = {"fadd double %s0, -0.0" if wide else "fptrunc double %s0 to float"}
  %back = {"fadd double %s0, -0.0" if wide else "fpext float %t to double"}
  %left = fsub double %s0, %back
  %rest = fadd double %left, %s1
  %low = {"fadd double %rest, -0.0" if wide else "fptrunc double %rest to float"}
  %b0 = extractvalue {result} %before, 0
  %b1 = extractvalue {result} %before, 1
  %b2 = extractvalue {result} %before, 2
  %c0 = insertelement {vector} %b0, {type} %t, i64 %i
  %c1 = insertelement {vector} %b1, {type} %low, i64 %i
  %c2 = insertelement {integer} %b2, {INTEGERS[type]} %q, i64 %i
  %d0 = insertvalue {result} poison, {vector} %c0, 0
  %d1 = insertvalue {result} %d0, {vector} %c1, 1
  %after = insertvalue {result} %d1, {integer} %c2, 2
  %following = add i64 %i, 1
  %more = icmp ult i64 %following, {e.width}
  br i1 %more, label %lane, label %end
end:
  ret {result} %after
}}""")
    return result, name


def reduced_angle(e: Emitter, x: Value) -> tuple[Value, Value, Value]:
    """The rest of x in two parts, and the multiple of π/2 (its two lowest bits count), an integer of the size of x."""
    type, integer = x.type, INTEGERS[x.type]
    first, second, third = (e.constant(-part, type) for part in HALF_PI[type])
    magic = e.constant(MAGIC[type], type)
    shifted = e.fma(x, e.constant(0.6366197723675814, type), magic)
    k = e.subtract(shifted, magic)
    rest = e.fma(k, first, x)  # exact
    product, product_low = two_product(e, k, second)
    high, lost = fast_two_sum(e, rest, product)
    low = e.add(lost, e.fma(k, third, product_low))

    def exact() -> list[Value]:
        vector, scalar = f"<{e.width} x {type}>", e.width == 1
        result, name = _lanes(e, type)
        given = e.line(f"insertelement {vector} poison, {type} {x.text}, i32 0", type) if scalar else x
        parts = e.line(f"call {result} {name}({vector} {given.text})", type)
        found = [e.line(f"extractvalue {result} {parts.text}, {i}", t) for i, t in enumerate((type, type, integer))]
        return [e.line(f"extractelement <1 x {p.type}> {p.text}, i32 0", p.type) for p in found] if scalar else found

    size = e.absolute(x)
    finite = e.compare("<", size, e.constant(float("inf"), type))
    huge = e.logical_and(finite, e.compare(">=", size, e.constant(HUGE[type], type)))
    high, low, multiple = where_rare(e, huge, [high, low, e.bits(shifted)], exact)
    return high, low, multiple
