// The functions that the rows' kernels are written in, on numbers: what JavaScript has by another name, computes otherwise than
// NumPy, or lacks. Truth values are 1 and 0. After them, what makes a kernel act on small arrays.

const LN2 = Math.log(2);

function withSign(x, y) {
  const negative = Object.is(y, -0) || y < 0;
  return negative ? -Math.abs(x) : Math.abs(x);
}

/** The numbers that follow x upwards and downwards among those that there are. */
function neighbour(x, up) {
  if (Number.isNaN(x) || x === (up ? Infinity : -Infinity)) return x;
  if (x === 0) return up ? Number.MIN_VALUE : -Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  view.setBigInt64(0, view.getBigInt64(0) + (x > 0 === up ? 1n : -1n));
  return view.getFloat64(0);
}

function modulo(x, y) {
  const rest = x % y;
  if (rest === 0) return withSign(0, y);
  return rest < 0 !== y < 0 ? rest + y : rest;
}

/** 2/√π e^(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 ··· (2n + 1)), which is 1 from 6 on. */
function erf(x) {
  if (!(Math.abs(x) <= 6)) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; sum + term !== sum; n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** From 1 on by Laplace's continued fraction: e^(-x²)/√π · 1/(x + ½/(x + 1/(x + 1½/(x + ...)))). */
function erfc(x) {
  if (!(x >= 1)) return 1 - erf(x);
  let rest = x;
  for (let n = 200; n > 0; n--) rest = x + n / 2 / rest;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / rest;
}

const kernel = {
  abs: Math.abs, acos: Math.acos, acosh: Math.acosh, asin: Math.asin, asinh: Math.asinh, atan: Math.atan, atan2: Math.atan2,
  atanh: Math.atanh, cbrt: Math.cbrt, ceil: Math.ceil, cos: Math.cos, cosh: Math.cosh, exp: Math.exp, expm1: Math.expm1,
  floor: Math.floor, hypot: Math.hypot, log: Math.log, log10: Math.log10, log1p: Math.log1p, log2: Math.log2,
  maximum: Math.max, minimum: Math.min, sin: Math.sin, sinh: Math.sinh, sqrt: Math.sqrt, tan: Math.tan, tanh: Math.tanh,
  trunc: Math.trunc,

  exp2: (x) => Math.pow(2, x),
  // 1 to any power is 1, also to nan; -1 to ±inf as well.
  power: (x, y) => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : Math.pow(x, y)),
  pow: (x, y) => (y === 0.5 ? Math.sqrt(x) : kernel.power(x, y)), // the root tells for -inf
  sign: (x) => (x === 0 ? 0 : Math.sign(x)),
  rint: (x) => {
    if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x;
    const below = Math.floor(x);
    const up = x - below > 0.5 || (x - below === 0.5 && below % 2 !== 0);
    return withSign(up ? below + 1 : below, x);
  },
  remainder: modulo,
  floor_divide: (x, y) => {
    if (y === 0) return x / y;
    const rest = x % y;
    const quotient = (x - rest) / y - (rest !== 0 && rest < 0 !== y < 0 ? 1 : 0);
    if (quotient === 0) return withSign(0, x / y);
    const whole = Math.floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
  },
  logaddexp: (x, y) => {
    if (x === y) return x + LN2;
    const difference = x - y;
    if (difference > 0) return x + Math.log1p(Math.exp(-difference));
    return difference <= 0 ? y + Math.log1p(Math.exp(difference)) : difference;
  },
  logaddexp2: (x, y) => {
    if (x === y) return x + 1;
    const difference = x - y;
    if (difference > 0) return x + Math.log1p(Math.pow(2, -difference)) / LN2;
    return difference <= 0 ? y + Math.log1p(Math.pow(2, difference)) / LN2 : difference;
  },
  copysign: withSign,
  fmod: (x, y) => x % y,
  nextafter: (x, y) => (x === y || Number.isNaN(y) ? y : neighbour(x, y > x)),
  spacing: (x) => (Number.isFinite(x) ? neighbour(Math.abs(x), true) - Math.abs(x) : NaN) * (x < 0 ? -1 : 1),
  fractional_part: (x) => withSign(Math.abs(x) === Infinity ? 0 : x - Math.trunc(x), x),
  sigmoid: (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  erf, erfc, ndtr: (x) => erfc(-x / Math.SQRT2) / 2,
  xlogy: (x, y) => (x === 0 && !Number.isNaN(y) ? 0 : x * Math.log(y)),

  equal: (x, y) => +(x === y), not_equal: (x, y) => +(x !== y), less: (x, y) => +(x < y), less_equal: (x, y) => +(x <= y),
  greater: (x, y) => +(x > y), greater_equal: (x, y) => +(x >= y),
  logical_and: (x, y) => +(x !== 0 && y !== 0), logical_or: (x, y) => +(x !== 0 || y !== 0),
  logical_xor: (x, y) => +((x !== 0) !== (y !== 0)), logical_not: (x) => +(x === 0),
  isfinite: (x) => +Number.isFinite(x), isnan: (x) => +Number.isNaN(x), isinf: (x) => +(Math.abs(x) === Infinity),
  signbit: (x) => +(x < 0 || Object.is(x, -0)),
};

// ---------------------------------------------------------------------- small arrays
// An array is {shape, data} with its elements in row-major order; a number is an array of shape ().

const array = (shape, data) => (shape.length ? { shape, data } : data[0]);
const shapeOf = (x) => (typeof x === "number" ? [] : x.shape);
const elements = (x) => (typeof x === "number" ? [x] : x.data);
const filled = (x, value) => array(shapeOf(x), elements(x).map(() => value));

/** What a function of numbers is on arrays: element by element, broadcast. */
function lift(f) {
  return (...args) => {
    if (args.every((x) => typeof x === "number")) return f(...args);
    const shape = broadcast(args.map(shapeOf));
    const given = args.map((x) => stretched(x, shape));
    return array(shape, given[0].map((_, i) => f(...given.map((data) => data[i]))));
  };
}

function broadcast(shapes) {
  const ndim = Math.max(...shapes.map((shape) => shape.length));
  const aligned = shapes.map((shape) => [...Array(ndim - shape.length).fill(1), ...shape]);
  return Array.from({ length: ndim }, (_, axis) => {
    const lengths = aligned.map((shape) => shape[axis]);
    return lengths.find((n) => n !== 1) ?? 1;
  });
}

/** The elements of x as an array of the given shape, to which it broadcasts. */
function stretched(x, shape) {
  const data = elements(x);
  const own = [...Array(shape.length - shapeOf(x).length).fill(1), ...shapeOf(x)];
  const size = shape.reduce((product, n) => product * n, 1);
  return Array.from({ length: size }, (_, flat) => {
    let place = 0;
    let step = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const index = flat % shape[axis];
      flat = Math.floor(flat / shape[axis]);
      if (own[axis] !== 1) place += index * step;
      step *= own[axis];
    }
    return data[place];
  });
}

/** A sum of products: each term is [place in the result, weight, places in the arguments laid one after the other]. */
function form({ shape, start, terms }, ...args) {
  const given = args.flatMap(elements);
  const out = [...start];
  for (const [k, weight, ...places] of terms) out[k] += places.reduce((product, place) => product * given[place], weight);
  return array(shape, out);
}

/** The elements of x joined two by two: each element of the result has its own list of places. */
function fold(f, { shape, places }, x) {
  const data = elements(x);
  return array(shape, places.map((list) => list.map((place) => data[place]).reduce((a, b) => f(a, b))));
}
