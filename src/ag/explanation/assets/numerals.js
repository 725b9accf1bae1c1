// Numbers as the explanation writes them, with the digits that Python would give.

/** The digits of |x|, rounded half to even, and the exponent of the first. */
function rounded(x, digits) {
  const [exact, exponent] = Math.abs(x).toExponential(60).split("e");
  const all = exact.replace(".", "");
  const [head, rest] = [all.slice(0, digits), all.slice(digits)];
  const up = /^50*$/.test(rest) ? Number(head.at(-1)) % 2 === 1 : rest[0] >= "5";
  const whole = String(BigInt(head) + (up ? 1n : 0n));
  return [whole.slice(0, digits), Number(exponent) + whole.length - digits];
}

/** 0.048587, 1.5e-07, -3: as Python's format with so many significant digits. */
function numeral(x, digits = 5) {
  if (Number.isNaN(x)) return "nan";
  if (Math.abs(x) === Infinity) return x > 0 ? "inf" : "-inf";
  if (Number.isInteger(x) && Math.abs(x) < 1e15) return String(x + 0);
  const [all, exponent] = rounded(x, digits);
  const sign = x < 0 ? "-" : "";
  const point = (text, place) => `${text.slice(0, place)}.${text.slice(place)}`.replace(/\.?0*$/, "");
  if (exponent < -4 || exponent >= digits) {
    const power = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${point(all, 1)}e${exponent < 0 ? "-" : "+"}${power}`;
  }
  return sign + (exponent >= 0 ? point(all, exponent + 1) : point(`0${"0".repeat(-exponent - 1)}${all}`, 1));
}

/** A number or an array in one line. */
function summary(x, digits = 4) {
  if (typeof x === "number") return numeral(x);
  const list = (shape, data) => {
    if (!shape.length) return numeral(data[0], digits);
    const size = data.length / shape[0];
    return `[${Array.from({ length: shape[0] }, (_, i) => list(shape.slice(1), data.slice(i * size, (i + 1) * size))).join(", ")}]`;
  };
  return list(x.shape, x.data);
}

/** A number as MathML; as a factor a negative one is in parentheses. */
function typeset(x, factor) {
  if (typeof x !== "number") return `<mtext>${summary(x)}</mtext>`;
  const text = numeral(x);
  const sign = text.startsWith("-") ? "<mo>−</mo>" : "";
  const [mantissa, exponent] = text.replace(/^-/, "").split("e");
  let inner = `<mn>${mantissa}</mn>`;
  if (mantissa === "inf") inner = "<mi>∞</mi>";
  if (mantissa === "nan") inner = "<mtext>nan</mtext>";
  if (exponent) inner += `<mo>⋅</mo><msup><mn>10</mn><mrow>${typeset(Number(exponent))}</mrow></msup>`;
  return factor && sign ? `<mo stretchy="false">(</mo><mrow>${sign}${inner}</mrow><mo stretchy="false">)</mo>` : sign + inner;
}

/** A line of text with the signs of print: − for -, ·10⁻⁵ for e-05, ∞ for inf. */
function drawn(text) {
  const raised = (digits) => [...digits].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(c)]).join("");
  return text.replace(/e([+-])0*(\d+)/g, (_, sign, digits) => `·10${raised(sign.replace("+", "") + digits)}`).replaceAll("-", "−").replaceAll(/\binf\b/g, "∞");
}
