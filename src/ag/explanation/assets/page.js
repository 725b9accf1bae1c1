// The page: which step is shown, what is lit, and which numbers stand in it.

const $ = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const data = JSON.parse($("data").textContent);
const count = data.steps.length;
const recorded = revived(data.values);
const still = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Values from JSON, which has nan and the infinities as strings. */
function revived(values) {
  const number = (x) => (typeof x === "string" ? Number(x.replace("inf", "Infinity")) : x);
  return Object.fromEntries(
    Object.entries(values).map(([key, x]) => [key, x.data ? array(x.shape, x.data.map(number)) : number(x)]),
  );
}

// ---------------------------------------------------------------------- steps

let step = 0; // 0 is the overview

const nodes = new Map(all("#drawing [data-key]").map((node) => [node.dataset.key, node]));
const edges = all("#drawing [data-tail]");
const rows = new Map(all("#quantities tr[data-row]").map((row) => [Number(row.dataset.row), row]));
const keyOf = (number) => data.keys[number];

const numbersOf = (key) => Object.keys(data.keys).map(Number).filter((number) => keyOf(number) === key);

function show(to) {
  step = Math.min(Math.max(to, 0), count);
  all("#steps > li").forEach((item, i) => item.classList.toggle("shown", i === step));
  const now = data.steps[step - 1];
  document.body.dataset.phase = now ? now.phase : "overview";
  light(now);
  if (now) reveal(nodes.get(keyOf(now.quantities[0])));
  $("position").value = step;
  all("#ticks > i").forEach((tick, i) => tick.classList.toggle("done", i < step));
  for (const id of ["first", "previous"]) $(id).disabled = step === 0;
  for (const id of ["next", "last"]) $(id).disabled = step === count;
  say();
}

function say() {
  clearTimeout(say.timer);
  $("position").setAttribute("aria-valuetext", spoken());
  $("spoken").textContent = spoken();
}

/** What is computed is bright, what is not yet is dim, and what the step is about is lit. */
function light(now) {
  const done = { forward: new Set(), backward: new Set() };
  const until = now ? step : count;
  for (const each of data.steps.slice(0, until)) for (const number of each.quantities) done[each.phase].add(number);
  const active = new Set(now ? now.quantities.map(keyOf) : []);
  const near = new Set(now ? now.near.map(keyOf) : []);
  for (const [key, node] of nodes) {
    const numbers = numbersOf(key.replace(/_.*/, ""));
    node.classList.toggle("pending", !numbers.some((number) => done.forward.has(number)));
    node.classList.toggle("underived", !numbers.some((number) => done.backward.has(number)));
    node.classList.toggle("active", active.has(key));
    node.classList.toggle("near", near.has(key) && !active.has(key));
  }
  for (const edge of edges) {
    const { tail, head } = edge.dataset;
    const derived = numbersOf(tail).some((number) => done.backward.has(number));
    edge.classList.toggle("pending", nodes.get(head).classList.contains("pending"));
    edge.classList.toggle("underived", !derived);
    const [from, to] = now?.phase === "backward" ? [head, tail] : [tail, head];
    edge.classList.toggle("lit", active.has(to) && (near.has(from) || nodes.get(from).classList.contains("ag-constant")));
  }
  for (const [number, row] of rows) {
    row.classList.toggle("pending", !done.forward.has(number));
    row.classList.toggle("underived", !done.backward.has(number));
    row.classList.toggle("active", now?.row === number);
    row.querySelector("button").setAttribute("aria-current", now?.row === number ? "step" : "false");
  }
}

/** Move the drawing, where it is larger than its place, so that a node is seen. */
function reveal(node) {
  const card = $("drawing");
  if (!node || (card.scrollWidth <= card.clientWidth && card.scrollHeight <= card.clientHeight)) return;
  const [inner, outer] = [node.getBoundingClientRect(), card.getBoundingClientRect()];
  card.scrollBy({
    left: (inner.left + inner.right - outer.left - outer.right) / 2, top: (inner.top + inner.bottom - outer.top - outer.bottom) / 2,
    behavior: still.matches ? "auto" : "smooth",
  });
}

function spoken() {
  const now = data.steps[step - 1];
  if (!now) return "Overview";
  const place = step - data.steps.findIndex((each) => each.phase === now.phase);
  const total = data.steps.filter((each) => each.phase === now.phase).length;
  const text = now.spoken
    .replace(/\ue002(.*?)\ue003(.*?)\ue004(.*?)\ue005/g, (_, key, taken, other) => (choices[key] === false ? other : taken))
    .replace(/\ue000(.*?)\ue001/g, (_, key) => summary(values[key]));
  return `${now.phase === "forward" ? "Forward" : "Backward"}, ${place} of ${total}: ${text}`;
}

/** The step of a quantity in the pass that is shown. */
function stepOf(number) {
  const phase = data.steps[step - 1]?.phase ?? "forward";
  return 1 + data.steps.findIndex((each) => each.phase === phase && each.quantities.includes(number));
}

let timer = null;

function play(on) {
  clearInterval(timer);
  timer = null;
  if (on) {
    if (step === count) show(0);
    timer = setInterval(() => (step < count ? show(step + 1) : play(false)), 1800);
  }
  document.body.classList.toggle("playing", on);
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
}

function go(to) {
  play(false);
  show(to);
}

// ---------------------------------------------------------------------- numbers

let values = recorded;

/** All numbers of the page by their keys, computed again. */
function computed(leaves) {
  const { z, g, terms } = evaluate(program, leaves);
  const found = {};
  for (const number in z) found[`z${number}`] = z[number];
  for (const number in g) found[`g${number}`] = g[number];
  for (const key in terms) {
    found[`t${key}`] = terms[key].value;
    if (terms[key].partial !== undefined) found[`p${key}`] = terms[key].partial;
  }
  for (const key in program.choices) choices[key] = program.choices[key](z, terms);
  if (program.probabilities) found.probabilities = program.probabilities(z);
  return found;
}

const choices = {};

function put(found) {
  values = found;
  for (const place of all("[data-value]")) place.innerHTML = typeset(values[place.dataset.value], "factor" in place.dataset);
  for (const place of all("[data-text]")) place.textContent = drawn(summary(values[place.dataset.text]));
  for (const place of all("[data-range]")) place.textContent = drawn(range(values[place.dataset.range]));
  for (const place of all("[data-choice]")) {
    const [taken, other] = place.children;
    taken.classList.toggle("off", !choices[place.dataset.choice]);
    other.classList.toggle("off", Boolean(choices[place.dataset.choice]));
  }
  for (const place of all("[data-vector]")) place.innerHTML = bars(values[place.dataset.vector]);
  for (const equation of all(".equation")) {
    const sides = all(".side", equation);
    sides.forEach((side, i) => side.classList.toggle("same", i > 0 && side.textContent === sides[i - 1].textContent));
  }
  if (program) {
    for (const [key, node] of nodes) redraw(key, node);
    for (const plate of all("#drawing .ag-partial[data-use]")) replate(plate);
  }
}

/** An array by its ends. */
function range(x, digits = 3) {
  const [low, high] = [Math.min, Math.max].map((end) => numeral(end(...elements(x)), digits));
  return low === high ? low : `${low} … ${high}`;
}

const percent = (x) => `${(100 * x).toFixed(2)}%`;

/** A bar between low and high, from zero to x. */
function bar(x, low, high) {
  const place = (v) => (Math.min(Math.max(v, low), high) - low) / (high - low);
  const [from, to] = [place(Math.min(x, 0)), place(Math.max(x, 0))];
  const style = Number.isFinite(x) ? `left:${percent(from)};width:${percent(to - from)}` : "width:0";
  return `<span class="bar" aria-hidden="true"><i class="${x < 0 ? "negative" : ""}" style="${style}"></i><s style="left:${percent(place(0))}"></s></span>`;
}

/** The elements of a small array, each with a bar. */
function bars(x) {
  const finite = elements(x).filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...finite), Math.max(0, ...finite)];
  const shape = shapeOf(x);
  return elements(x).map((v, i) => `<span class="index">${place(i, shape)}</span>${bar(v, low, high > low ? high : low + 1)}<span class="number">${drawn(numeral(v))}</span>`).join("");
}

/** The index of an element, [1, 2]. */
function place(i, shape) {
  const index = [];
  for (const n of shape.toReversed()) {
    index.unshift(i % n);
    i = Math.floor(i / n);
  }
  return `[${index.join(", ")}]`;
}

/** A disc of the drawing with the numbers of now, in as many digits as there is room for. */
function redraw(key, node) {
  const number = Number(Object.keys(data.keys).find((each) => keyOf(each) === key));
  if (!number) return;
  for (const [kind, letter] of [["value", "z"], ["derivative", "g"]]) {
    const text = all(`text.ag-${kind}`, node).at(-1);
    const value = values[letter + number];
    if (!text || value === undefined) continue;
    const before = /^(.*= )?/.exec(text.textContent)[0];
    const room = chord(node, text);
    for (const digits of [4, 3, 2]) {
      text.textContent = before + drawn(typeof value === "number" ? numeral(value, digits) : summary(value, digits));
      if (text.getComputedTextLength() <= room) break;
    }
    if (text.getComputedTextLength() > room && typeof value !== "number") {
      text.textContent = before + drawn(range(value, 2));
    }
  }
}

/** How much room there is in a disc at the height of a line. */
function chord(node, text) {
  const circle = all("circle", node).at(-1);
  const [r, y, size] = [circle.r, circle.cy, text].map((x) => x.baseVal?.value ?? Number(text.getAttribute("font-size")));
  const off = Math.abs(Number(text.getAttribute("y")) - 0.35 * size - y) + 0.36 * size;
  return 2 * Math.sqrt(Math.max(r * r - off * off, 0)) - 8;
}

/** The plate of a local partial, as wide as what is written on it. */
function replate(plate) {
  const value = values[`p${plate.dataset.use}`];
  const text = plate.querySelector("text");
  if (typeof value !== "number" || !text.textContent.includes(" = ")) return;
  text.textContent = text.textContent.replace(/= .*/, `= ${drawn(numeral(value, 4))}`);
  const rect = plate.querySelector("rect");
  const width = text.getComputedTextLength() + 10;
  rect.setAttribute("x", rect.x.baseVal.value + (rect.width.baseVal.value - width) / 2);
  rect.setAttribute("width", width);
}

// ---------------------------------------------------------------------- sliders

/** Does this browser compute the recorded numbers? */
function agrees(found) {
  const close = (x, y) => Object.is(x, y) || x === y || Math.abs(x - y) <= 1e-9 * Math.max(1e-3, Math.abs(y));
  return Object.entries(recorded).every(([key, x]) => key in found && elements(x).every((v, i) => close(elements(found[key])[i], v)));
}

function addSliders() {
  const leaves = structuredClone(program.leaves);
  const list = made("div", { className: "sliders" });
  $("trying").append(list);
  const update = () => {
    put(computed(leaves));
    showClasses();
    clearTimeout(say.timer);
    say.timer = setTimeout(say, 500); // when the slider has come to rest
    $("reset").disabled = numbersIn(leaves).every((x, i) => x === numbersIn(program.leaves)[i]);
  };
  for (const { number, name, typeset } of data.leaves) {
    const shape = shapeOf(leaves[number]);
    elements(leaves[number]).forEach((start, i) => {
      const index = shape.length ? place(i, shape) : "";
      const change = (x) => {
        if (shape.length) leaves[number].data[i] = x;
        else leaves[number] = x;
        update();
      };
      list.append(slider(name + index, `${typeset}<span class="index">${index}</span>`, start, change));
    });
  }
  $("reset").addEventListener("click", () => all(".slider", list).forEach((row) => row.reset()));
}

const numbersIn = (leaves) => Object.values(leaves).flatMap(elements);

/** How far a slider goes: to 5, or about twice the number. */
function reach(x) {
  const size = Math.abs(x);
  if (!Number.isFinite(x) || x === 0 || (size >= 0.5 && size <= 4)) return 5;
  const power = 10 ** Math.floor(Math.log10(2 * size));
  return [1, 2, 5, 10].map((k) => k * power).find((end) => end >= 2 * size) ?? 10 * power;
}

const made = (tag, fields) => Object.assign(document.createElement(tag), fields);

function slider(name, html, start, change) {
  const row = made("div", { className: "slider" });
  const label = made("label", { innerHTML: html });
  const [range, box] = [made("input"), made("input")];
  range.id = label.htmlFor = `slider-${all(".slider").length}`;
  const end = reach(start);
  Object.assign(range, { type: "range", min: -end, max: end, step: "any", value: start });
  Object.assign(box, { type: "number", step: "any", value: numeral(start), title: start, ariaLabel: `${name}, as a number` });
  const fine = end / 250;
  // The box has room for a rounded number; while one writes in it, it has all digits.
  let now = start;
  const set = (x) => {
    now = x;
    box.title = x;
    range.setAttribute("aria-valuetext", numeral(x));
    change(x);
  };
  box.addEventListener("focus", () => (box.value = now));
  box.addEventListener("blur", () => (box.value = numeral(now)));
  range.addEventListener("input", () => {
    const x = Number((Math.round(range.value / fine) * fine).toPrecision(12));
    box.value = x;
    set(x);
  });
  box.addEventListener("input", () => {
    const x = box.valueAsNumber;
    box.setCustomValidity(Number.isNaN(x) ? "a number, such as 0.5" : "");
    if (Number.isNaN(x)) return;
    if (Math.abs(x) > Number(range.max)) Object.assign(range, { min: -reach(x), max: reach(x) });
    range.value = x;
    set(x);
  });
  row.reset = () => {
    Object.assign(range, { min: -end, max: end, value: start });
    box.value = numeral(start);
    set(start);
  };
  row.append(label, range, box);
  return row;
}

// ---------------------------------------------------------------------- classes

/** The probabilities of the classes, and how far they are from the label. */
function showClasses() {
  if (!data.classes || !values.probabilities) return;
  const { logits, count: classes, labels } = data.classes;
  const [z, p] = [elements(values[`z${logits}`]), elements(values.probabilities)];
  const slope = labels.length ? null : values[`g${logits}`];
  const examples = shapeOf(values[`z${logits}`]).slice(0, -1);
  const other = labels.length ? p.map((x, i) => x - (i % classes === labels[Math.floor(i / classes)])) : slope && elements(slope);
  const columns = [z, p, other].filter(Boolean).map(aligned);
  const barred = (x, low, number) => `<td class="barred"><span>${bar(x, low, 1)}${number}</span></td>`;
  const rows = p.map((probability, i) => {
    const chip = i % classes === labels[Math.floor(i / classes)] ? ' <span class="label">y</span>' : "";
    const [logit, likely, rest] = columns.map((column) => column[i]);
    return `<tr><th scope="row">${i % classes}${chip}</th><td>${logit}</td>${barred(probability, 0, likely)}${rest ? barred(other[i], -1, rest) : ""}</tr>`;
  });
  const groups = Array.from({ length: p.length / classes }, (_, i) => {
    const own = rows.slice(i * classes, (i + 1) * classes).join("");
    if (!examples.length) return `<tbody>${own}</tbody>`;
    const name = `example ${examples.length > 1 ? place(i, examples) : i}`;
    return `<tbody class="example"><tr><th scope="rowgroup" colspan="${1 + columns.length}">${name}</th></tr>${own}</tbody>`;
  });
  const table = $("classes").querySelector("table");
  all("tbody", table).forEach((group) => group.remove());
  table.insertAdjacentHTML("beforeend", groups.join(""));
  const output = values[`z${data.output.number}`];
  $("loss").textContent = typeof output === "number" ? `${data.output.name} = ${drawn(numeral(output))}` : "";
}

/** Numbers as HTML that stand under each other with point under point: of each what is behind its point is marked. */
function aligned(column) {
  const texts = column.map((x) => drawn(numeral(x, 4)));
  const split = texts.map((text) => (text.includes(".") ? text.indexOf(".") : text.search(/·|$/)));
  const wide = (c) => (/\d/.test(c) ? 1 : c === "−" ? 1.35 : /[.·]/.test(c) ? 0.55 : 0.75); // in digits
  const widest = (parts) => `${Math.max(...parts.map((part) => [...part].reduce((sum, c) => sum + wide(c), 0))).toFixed(2)}ch`;
  const [before, behind] = [texts.map((text, i) => text.slice(0, split[i])), texts.map((text, i) => text.slice(split[i]))];
  const style = `--before:${widest(before)};--behind:${widest(behind)}`;
  return texts.map((_, i) => `<span class="number" style="${style}">${before[i]}<i>${behind[i]}</i></span>`);
}

function addClasses() {
  const table = made("div", { id: "classes" });
  table.innerHTML = `<table><thead><tr><th scope="col">class</th><th scope="col"><math><mi>z</mi></math></th>
    <th scope="col"><math><mi>p</mi></math></th></tr></thead></table><p id="loss"></p>`;
  const other = made("th", { scope: "col" });
  if (data.classes.labels.length) other.innerHTML = "<math><mi>p</mi><mo>−</mo><msub><mi>e</mi><mi>y</mi></msub></math>";
  else if (values[`g${data.classes.logits}`]) other.textContent = `∂${data.output.name}/∂z`;
  if (other.textContent) table.querySelector("tr").append(other);
  $("trying").append(table);
}

// ---------------------------------------------------------------------- what starts it

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
}

function listen() {
  $("first").addEventListener("click", () => go(0));
  $("previous").addEventListener("click", () => go(step - 1));
  $("next").addEventListener("click", () => go(step + 1));
  $("last").addEventListener("click", () => go(count));
  $("play").addEventListener("click", () => play(timer === null));
  $("position").addEventListener("input", (event) => go(Number(event.target.value)));
  for (const [number, row] of rows) row.querySelector("button").addEventListener("click", () => go(stepOf(number)));
  for (const number in data.keys) {
    nodes.get(keyOf(number))?.addEventListener("click", () => go(stepOf(Number(number))));
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input");
    if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
    const moves = { ArrowRight: step + 1, ArrowLeft: step - 1, Home: 0, End: count };
    if (event.key in moves) go(moves[event.key]);
    else if (event.key === " " && !event.target.matches("button")) play(timer === null);
    else return;
    event.preventDefault();
  });
  $("theme").setAttribute("aria-pressed", dark());
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    $("theme").setAttribute("aria-pressed", dark());
  });
}

function start() {
  $("position").max = count;
  $("ticks").innerHTML = data.steps.map((each) => `<i class="${each.phase}"></i>`).join("");
  const box = document.querySelector("#drawing svg")?.viewBox.baseVal;
  document.body.classList.toggle("tall", Boolean(box) && box.height > box.width);
  document.body.classList.add("running");
  if (program) {
    const found = computed(program.leaves);
    $("trying").hidden = false;
    if (agrees(found)) {
      addSliders();
      if (data.classes) addClasses();
      put(found);
      showClasses();
    } else {
      $("trying").append(made("p", { className: "hint", textContent: "There are no sliders: this browser computes other numbers." }));
      put(recorded);
    }
  } else {
    put(recorded);
  }
  addArrows();
  addRanges();
  listen();
  show(0);
  settle();
  new ResizeObserver(settle).observe($("stepping"));
}

/** As high as the highest step, so that nothing below moves. */
function settle() {
  const width = $("stepping").clientWidth;
  if (settle.width === width) return;
  settle.width = width;
  const list = $("steps");
  list.style.minHeight = "";
  const heights = all("#steps > li:not(.overview)").map((item) => {
    item.style.display = "block";
    const height = item.offsetHeight;
    item.style.display = "";
    return height;
  });
  list.style.minHeight = `${Math.min(Math.max(...heights), 330)}px`;
}

/** Forward, the arrows point from the inputs to what is computed of them; the drawing has those of the way back, and none at
 * the lines from constants. */
function addArrows() {
  for (const edge of edges.filter((each) => each.classList.contains("ag-edge"))) {
    const path = edge.querySelector("path");
    const head = edge.querySelector("polygon");
    const length = path.getTotalLength();
    const [start, end] = [path.getPointAtLength(0), path.getPointAtLength(length)];
    const tip = head?.points[0];
    const near = (p) => Math.hypot(p.x - tip.x, p.y - tip.y);
    if (tip && near(end) < near(start)) continue;
    const base = path.getPointAtLength(length - 8);
    const [dx, dy] = [(end.x - base.x) * 0.4, (end.y - base.y) * 0.4];
    head?.classList.add("back");
    const arrow = document.createElementNS(path.namespaceURI, "polygon");
    arrow.setAttribute("class", "onward");
    arrow.setAttribute("stroke", "none");
    arrow.setAttribute("points", `${end.x},${end.y} ${base.x - dy},${base.y + dx} ${base.x + dy},${base.y - dx}`);
    edge.append(arrow);
    if (!tip) continue;
    const stub = path.cloneNode();
    stub.classList.add("onward");
    stub.setAttribute("d", `M${tip.x},${tip.y}L${start.x},${start.y}`);
    edge.append(stub);
  }
}

/** Discs of arrays have room for one range: forward it is that of the values. */
function addRanges() {
  for (const [key, node] of nodes) {
    const text = all("text.ag-derivative", node).at(-1);
    const number = numbersOf(key)[0];
    if (!text || !(number in data.ranges) || node.querySelector("text.ag-value")) continue;
    // In the place of both lines of the derivative, the letters of the shape above it.
    const [head, shape] = [text.previousElementSibling, text.previousElementSibling?.previousElementSibling];
    const value = (shape?.tagName === "text" ? shape : text).cloneNode();
    value.setAttribute("y", head ? (Number(head.getAttribute("y")) + Number(text.getAttribute("y"))) / 2 : text.getAttribute("y"));
    value.textContent = drawn(data.ranges[number]);
    value.setAttribute("class", "ag-value forward-only");
    node.append(value);
  }
}


start();
