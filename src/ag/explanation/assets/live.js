// A recorded graph computed again at other values of its leaves: forward by the rows' kernels, backward by their derivatives.
// The functions of a program are printed from the table of operators; here is only the order in which they are called.

const same = (x) => x;
const plus = lift((x, y) => x + y);
const times = lift((x, y) => x * y);
const where = lift((condition, x, y) => (condition !== 0 ? x : y));
const both = lift(kernel.logical_and);
const either = lift(kernel.logical_or);
const finite = lift(kernel.isfinite);
const nan = lift(kernel.isnan);
const isPositive = lift((x) => +(x > 0));
const benign = lift((x) => (Number.isNaN(x) ? 0.5 : x === Infinity ? 2 : x === -Infinity ? -2 : x));
const any = (mask) => elements(mask).some((x) => x !== 0);

/** All values z and derivatives g by number, and the terms of the chain rule by consumer and position. */
function evaluate(program, leaves) {
  const z = { ...leaves };
  for (const q of program.computed) z[q.number] = q.forward(q.inputs(z));
  if (program.seed === null) return { z, g: {}, terms: {} };
  const plain = backward(program, z, false);
  const lost = !Object.values(plain.g).every((g) => elements(g).every(Number.isFinite));
  return lost && program.selects ? backward(program, z, true) : plain;
}

/**
 * The reverse pass. If it is exact, each adjoint has a mask of the positions that the output can depend on at all; elsewhere a
 * contribution is exactly 0, where the product 0 · inf would say nan.
 */
function backward(program, z, exact) {
  const g = { [program.output]: program.seed };
  const masks = { [program.output]: filled(program.seed, 1) };
  const terms = {};
  for (const q of program.computed.toReversed()) {
    if (g[q.number] === undefined) continue;
    const step = { g: g[q.number], mask: exact && masks[q.number], ans: z[q.number], args: q.inputs(z), forward: q.forward };
    for (const use of q.uses) {
      const term = use.weight ? weighted(use, step) : use.bilinear ? bilinear(use, step) : linear(use, step);
      term.depends = !exact || any(term.mask);
      terms[`${q.number}.${use.position}`] = term;
      const known = use.of in g;
      g[use.of] = known ? plus(g[use.of], term.value) : term.value;
      if (exact) masks[use.of] = known ? either(masks[use.of], term.mask) : term.mask;
    }
  }
  for (const number in z) g[number] ??= filled(z[number], 0);
  return { z, g, terms };
}

/** By local partials: what arrives, spread over the elements, times them. */
function weighted({ weight, spread = same, gather = same, selects }, { g, mask, ans, args }) {
  const partial = weight(ans, args);
  const product = times(spread(g), partial);
  if (mask === false) return { partial, value: gather(product) };
  const reached = selects ? both(spread(mask), partial) : spread(mask);
  return { partial, value: gather(where(reached, product, 0)), mask: isPositive(gather(plus(reached, filled(product, 0)))) };
}

/** By a linear map of what arrives: nan put in where it can depend shows where the map carries it. */
function linear({ carry }, { g, mask, ans, args, forward }) {
  const value = carry(g, ans, args);
  if (mask === false) return { value };
  const calm = args.map(benign);
  const reached = nan(carry(where(mask, NaN, 0), forward(calm), calm));
  return { value: where(reached, value, 0), mask: reached };
}

/** By a sum of products with the other arguments: one with something not finite counts only where its g can depend. */
function bilinear({ carry, position }, { g, mask, ans, args }) {
  if (mask === false) return { value: carry(g, ans, args) };
  const ones = args.map((x) => filled(x, 1));
  const reach = (others) => isPositive(carry(mask, ans, others));
  const calm = args.map((x, j) => (j === position ? x : where(finite(x), x, 0)));
  const lost = args.map((x, j) => (j === position ? filled(x, 0) : lift(kernel.logical_not)(finite(x))));
  let value = carry(g, ans, calm);
  for (const j of args.keys()) {
    if (any(lost[j])) value = where(reach(ones.with(j, lost[j])), carry(g, ans, args), value);
  }
  return { value, mask: reach(ones) };
}
