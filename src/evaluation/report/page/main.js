// The parts of the page that do not depend on the mixture, and the order of drawing.

function showHeader() {
  document.getElementById("subtitle").textContent = data.subtitle;
  const notes = document.getElementById("notes");
  notes.append(...data.notes.map((note) => element("li", {}, note)));
  notes.hidden = data.notes.length === 0;
  document
    .getElementById("facts")
    .append(...data.measured.flatMap(({ name, text }) => [element("dt", {}, name), element("dd", {}, text)]));
}

/** The interval of a share, computed by certimix for every pair of counts that a mixture has. */
const intervals = new Map(data.intervals.map(([count, total, lower, upper]) => [`${count}/${total}`, [lower, upper]]));

function withInterval(count, total) {
  const interval = intervals.get(`${count}/${total}`);
  const text = `${percent(count, total)}`;
  return interval === undefined ? text : `${text} (${interval.map(bound).join(" to ")})`;
}

function showClasses() {
  const { classes } = selected();
  const section = document.getElementById("classes");
  section.hidden = classes.length === 0;
  if (section.hidden) return;
  document.getElementById("classes-text").textContent =
    `Answers of the selected mixture for the inputs of each class, with exact ${data.confidence} intervals. ` +
    "Each interval holds by itself, not all of them at once.";
  const rows = classes.map(([inputs, right, certified], index) => [
    data.labels[index] ?? `class ${index}`,
    grouped(inputs),
    withInterval(right, inputs),
    withInterval(certified, inputs),
  ]);
  const filled = table("Right answers, and right answers with a certificate (any radius)", [
    ["class", "inputs", "right", "right and certified"],
    ...rows,
  ]);
  filled.id = "classes-table";
  document.getElementById("classes-table").replaceWith(filled);
}

function disagreementCard({ id, image, label, standard, robust }) {
  const name = (index) => data.labels[index] ?? `class ${index}`;
  return element(
    "li",
    {},
    image === null ? null : element("img", { src: image, alt: `input ${id}` }),
    element("span", { class: "id" }, id),
    label === null ? null : element("div", {}, `true: ${name(label)}`),
    element("div", {}, `g: ${name(standard)}`),
    element("div", {}, `h: ${name(robust)}`),
  );
}

function showDisagreements() {
  const { disagreements } = data;
  if (disagreements === null) return;
  document.getElementById("disagreements").hidden = false;
  document.getElementById("disagreements-text").textContent =
    `g and h answer ${share(disagreements.inputs, data.inputs)} differently.`;
  document.getElementById("disagreements-groups").append(
    ...disagreements.groups.flatMap(({ name, inputs, shown }) => {
      const count = shown.length < inputs ? `${grouped(inputs)}, of which ${shown.length} are shown` : grouped(inputs);
      return [
        element("h3", {}, `${name}: ${count}`),
        element("ul", { class: "images" }, shown.map(disagreementCard)),
      ];
    }),
  );
}

function start() {
  showHeader();
  showDisagreements();
  document.getElementById("copy").addEventListener("click", copyCommand);
  const panels = FIGURES.map(createPanel);
  let pending = false;
  const drawFigures = () => {
    // A slider moves faster than the screen: one drawing a frame.
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      for (const show of panels) show();
    });
  };
  const changed = () => {
    showControls();
    showNumbers();
    showClasses();
    drawFigures();
  };
  const showControls = createControls(changed);
  let width = 0;
  new ResizeObserver(() => {
    const now = document.getElementById("figures").clientWidth;
    if (now === width) return;
    width = now;
    drawFigures();
  }).observe(document.getElementById("figures"));
  changed();
}

start();
