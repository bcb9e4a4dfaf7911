"use strict";

// The text of numbers, and the elements of the page. Texts of the report are untrusted: they enter
// the page as text nodes alone.

const data = JSON.parse(document.getElementById("report-data").textContent);

/** An element with attributes (a function is an event handler, null is left out) and children. */
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** `count` with separators of thousands. */
function grouped(count) {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** A share in percent with one decimal. A tie is rounded to the even digit, as the command does. */
function percent(count, total) {
  if (total === 0) return "–";
  const value = (100 * count) / total;
  const tie = Number.isInteger(value * 4) && !Number.isInteger(value * 2);
  const tenths = Math.floor(value * 10);
  if (tie && tenths % 2 === 0) return `${(tenths / 10).toFixed(1)} %`;
  return `${value.toFixed(1)} %`;
}

/** A share as a percentage and as counts. */
function share(count, total) {
  return `${percent(count, total)} (${grouped(count)} of ${grouped(total)})`;
}

/** A weight, a temperature or a radius with at most four decimals; a tiny one in scientific form. */
function short(value) {
  if (value !== 0 && Math.abs(value) < 1e-4) return value.toExponential(1);
  return String(Number(value.toFixed(4)));
}

/** A bound of a confidence interval, from 0 to 1, in percent. */
function bound(value) {
  return `${(100 * value).toFixed(1)} %`;
}

/** The names of what a mixture gains and what it pays: they depend on whether classes are known. */
const words = data.labelled
  ? { accurate: "Clean accuracy", certified: "Right and certified" }
  : { accurate: "Same class as g", certified: "Certified" };

/** The count that stands for accuracy: right answers, or answers with the class of g. */
function accurate(result) {
  return data.labelled ? result.right : result.as_standard;
}

/** The texts of one mixture's settings. */
function mixtureText(mixture) {
  const fallback = mixture.fallback_alpha === mixture.alpha ? "= alpha" : short(mixture.fallback_alpha);
  return { alpha: short(mixture.alpha), temperature: short(mixture.robust_temperature), fallback };
}

/** The name of the radius, with its norm where there is one. */
const radiusName = data.norm === "" ? "radius" : `radius (${data.norm})`;

/** "at radius 0.25 and above", or "at any radius". */
function radiusText(radius) {
  return radius === 0 ? "at any radius" : `at radius ${short(radius)} and above`;
}

/** A table of texts. The first row of `rows` is the head, and each row begins with its title. */
function table(caption, [head, ...rows]) {
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, head.map((text) => element("th", { scope: "col" }, text)))),
    element(
      "tbody",
      {},
      rows.map(([title, ...cells]) =>
        element("tr", {}, element("th", { scope: "row" }, title), cells.map((text) => element("td", {}, text))),
      ),
    ),
  );
}
