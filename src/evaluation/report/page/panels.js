// The panels of the figures, with legends, tables and downloads.

const SVG = "http://www.w3.org/2000/svg";

function svgElement(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** On the page a colour is a reference, so that the page can change it for dark mode and paper. */
const pagePalette = (name) => `var(--${name})`;

/** In a downloaded figure a colour is a number, that of the light page. */
const LIGHT = {
  text: "#1b1f24",
  muted: "#57606a",
  mixture: "#0550ae",
  paper: "#bc4c00",
  theorem: "#8250df",
  robust: "#1a7f37",
  standard: "#57606a",
  cloud: "#afb8c1",
};
const lightPalette = (name) => LIGHT[name];

/** A sample of a line or a dot, 28 x 12. */
function swatch(look, palette) {
  const { color, dash, width, dot, ring } = LOOKS[look];
  if (!dot) {
    return svgElement("line", { x1: 0, x2: 28, y1: 6, y2: 6, stroke: palette(color), "stroke-width": width, "stroke-dasharray": dash });
  }
  const symbol = { circle: d3.symbolCircle, star: d3.symbolStar, square: d3.symbolSquare }[dot];
  const path = d3.symbol(symbol, look === "cloud" ? 16 : 60)();
  const paint = ring ? { fill: "none", stroke: palette(color), "stroke-width": 2.5 } : { fill: palette(color) };
  return svgElement("path", { d: path, transform: "translate(14 6)", ...paint });
}

function legend(series) {
  return element(
    "ul",
    { class: "legend" },
    series.map(({ look, name }) =>
      element("li", {}, svgElement("svg", { width: 28, height: 12, "aria-hidden": "true" }, swatch(look, pagePalette)), name),
    ),
  );
}

/** A figure as a file: title, settings, legend and drawing, on white. */
function standalone(figure) {
  const [width, top, line] = [900, 64, 20];
  const series = figure.series();
  const height = 460;
  const text = (x, y, size, content) =>
    svgElement("text", { x, y, "font-size": size, fill: LIGHT.text }, document.createTextNode(content));
  const items = series.map(({ look, name }, index) => {
    const sample = svgElement("g", { transform: `translate(24 ${top + index * line - 10})` }, swatch(look, lightPalette));
    return svgElement("g", {}, sample, text(60, top + index * line, 13, name));
  });
  const drawing = figure.draw(lightPalette, { width: width - 32, height });
  const offset = top + series.length * line;
  drawing.setAttribute("x", 16);
  drawing.setAttribute("y", offset);
  const total = offset + height + 16;
  return svgElement(
    "svg",
    { xmlns: SVG, width, height: total, viewBox: `0 0 ${width} ${total}`, "font-family": "sans-serif" },
    svgElement("rect", { width, height: total, fill: "#ffffff" }),
    text(24, 32, 18, `${figure.title}: ${data.title}`),
    ...items,
    drawing,
  );
}

function download(name, url) {
  element("a", { href: url, download: name }).click();
}

function svgText(figure) {
  return new XMLSerializer().serializeToString(standalone(figure));
}

function downloadSvg(figure) {
  const url = URL.createObjectURL(new Blob([svgText(figure)], { type: "image/svg+xml" }));
  download(`${figure.id}.svg`, url);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function downloadPng(figure) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(figure))}`;
  await image.decode();
  const canvas = element("canvas", { width: image.width * 2, height: image.height * 2 });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  download(`${figure.id}.png`, canvas.toDataURL("image/png"));
}

/** The size of a drawing in a panel of this width. */
function drawingSize(width) {
  return { width, height: Math.min(380, Math.max(270, width * 0.65)) };
}

/** The panel of a figure. Returns the function that draws the selected mixture. */
function createPanel(figure) {
  const id = `${figure.id}-title`;
  const chart = element("div", { class: "chart" });
  const legendPlace = element("div", {});
  const text = element("p", { class: "muted" });
  const numbers = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Numbers: ${figure.title}` });
  const details = element("details", { class: "no-print", toggle: () => showTable() }, element("summary", {}, "Numbers of this figure"), numbers);
  const buttons = element(
    "div",
    { class: "buttons no-print" },
    element("button", { type: "button", click: () => downloadSvg(figure), "aria-label": `Download SVG: ${figure.title}` }, "SVG"),
    element("button", { type: "button", click: () => downloadPng(figure), "aria-label": `Download PNG: ${figure.title}` }, "PNG"),
  );
  const panel = element(
    "section",
    { class: "panel", "aria-labelledby": id, id: figure.id },
    element("h2", { id }, figure.title),
    text,
    element("figure", { "aria-labelledby": id }, chart, legendPlace),
    details,
    buttons,
  );
  document.getElementById("figures").append(panel);

  // A closed table costs nothing while a slider moves.
  function showTable() {
    if (details.open) numbers.replaceChildren(figure.table());
  }
  return function show() {
    text.textContent = figure.text();
    const drawing = figure.draw(pagePalette, drawingSize(chart.clientWidth || 640));
    drawing.setAttribute("role", "img");
    drawing.setAttribute("aria-label", `${figure.title}. The numbers are in the table below the figure.`);
    chart.replaceChildren(drawing);
    legendPlace.replaceChildren(legend(figure.series()));
    showTable();
  };
}
