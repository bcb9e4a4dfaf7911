// The sliders, the numbers of the selected mixture, and the command that puts it in force.

const SLIDERS = [
  {
    id: "alpha",
    label: "alpha",
    help: "The weight of h. A larger alpha certifies more inputs and costs clean accuracy.",
  },
  {
    id: "robust_temperature",
    label: "temperature",
    help: "The temperature of h. It trades accuracy for radius too, in another proportion.",
  },
  {
    id: "fallback_alpha",
    label: "fallback_alpha",
    help: "The weight of h where nothing can be certified. No certificate depends on it.",
  },
];

/** A slider over `values`. `input` gets the new position. */
function slider({ id, label, help }, input) {
  const range = element("input", { type: "range", id, min: 0, step: 1, "aria-describedby": `${id}-help` });
  range.addEventListener("input", () => input(Number(range.value)));
  const shown = element("output", { for: id, id: `${id}-value` });
  const node = element(
    "div",
    { class: "control" },
    element("label", { for: id }, element("span", {}, label), shown),
    range,
    element("small", { id: `${id}-help` }, help),
  );
  const show = (values, position, text) => {
    range.max = values.length - 1;
    range.value = position;
    range.disabled = values.length < 2;
    range.setAttribute("aria-valuetext", text);
    shown.textContent = text;
  };
  return { node, show };
}

function createControls(changed) {
  const form = document.getElementById("controls");
  form.addEventListener("submit", (event) => event.preventDefault());
  const sliders = SLIDERS.map((description) => {
    const control = slider(description, (position) => {
      moveTo(description.id, choices()[description.id][position]);
      changed();
    });
    return { ...control, id: description.id };
  });
  const radius = slider(
    {
      id: "radius",
      label: radiusName,
      help: "The certified radius that the numbers count, in the units of the float input. It is no setting.",
    },
    (position) => {
      selection.radius = position;
      changed();
    },
  );
  const jump = (label, index) =>
    index === null ? null : element("button", { type: "button", click: () => (selectMixture(index), changed()) }, label);
  const buttons = element(
    "div",
    { class: "buttons no-print" },
    jump("Recommended", data.recommended),
    jump(data.source === "live" ? "Served" : "In force", data.in_force),
  );
  form.append(...sliders.map(({ node }) => node), radius.node, buttons);
  return () => {
    const available = choices();
    const text = mixtureText(selected());
    for (const { id, show } of sliders) {
      const value = selected()[id];
      const isPaper = id === "fallback_alpha" && value === selected().alpha;
      show(available[id], available[id].indexOf(value), isPaper ? `${text.alpha} (= alpha)` : short(value));
    }
    radius.show(data.radii, selection.radius, short(selectedRadius()));
  };
}

/** The rows of numbers of the selected mixture, each with a title. */
function numberRows() {
  const mixture = selected();
  const { inputs } = mixture;
  const radius = radiusText(selectedRadius());
  const rows = [[words.accurate, share(accurate(mixture), inputs)]];
  if (data.labelled && mixture.as_standard !== null) {
    rows.push(["Same class as g", share(mixture.as_standard, inputs)]);
  }
  rows.push([`${words.certified} ${radius}`, share(mixture.certified[selection.radius], inputs)]);
  const open = data.source === "live" ? "More votes could certify" : "Would draw more votes than recorded";
  if (mixture.open > 0) rows.push([open, share(mixture.open, inputs)]);
  rows.push(["Without a certificate", share(mixture.uncertified, inputs)]);
  if (mixture.votes !== null) {
    rows.push(["Votes for one answer, mean", grouped(Math.round(mixture.votes.mean))]);
    if (mixture.votes.p50 !== null) rows.push(["Votes, median", grouped(mixture.votes.p50)]);
    if (mixture.votes.p99 !== null) rows.push(["Votes, 99th percentile", grouped(mixture.votes.p99)]);
  }
  if (data.standard_right !== null) rows.push(["g alone: clean accuracy", share(data.standard_right, data.inputs)]);
  const robust = robustAlone();
  if (robust) {
    rows.push([`h alone: ${words.accurate.toLowerCase()}`, share(accurate(robust), data.inputs)]);
    rows.push([`h alone: ${words.certified.toLowerCase()} ${radius}`, share(robust.certified[selection.radius], data.inputs)]);
  }
  return rows;
}

function showNumbers() {
  const mixture = selected();
  const rows = numberRows();
  document
    .getElementById("numbers")
    .replaceChildren(...rows.flatMap(([title, text]) => [element("dt", {}, title), element("dd", {}, text)]));
  const names = [];
  if (selection.mixture === data.recommended) names.push("recommended");
  if (selection.mixture === data.in_force) names.push(data.source === "live" ? "served" : "in force");
  const text = mixtureText(mixture);
  const setting = `alpha ${text.alpha}, temperature ${text.temperature}, fallback_alpha ${text.fallback}`;
  const certified = percent(mixture.certified[selection.radius], mixture.inputs);
  document.getElementById("summary").textContent =
    `${setting}${names.length > 0 ? ` (${names.join(", ")})` : ""}: ` +
    `${words.accurate.toLowerCase()} ${percent(accurate(mixture), mixture.inputs)}, ` +
    `${words.certified.toLowerCase()} ${radiusText(selectedRadius())} ${certified}.`;
  document.getElementById("command").textContent = mixture.command;
}

/** Copies the command. Where a page in a file may not write to the clipboard, it selects the text. */
async function copyCommand() {
  const button = document.getElementById("copy");
  const command = document.getElementById("command");
  let copied = true;
  try {
    await navigator.clipboard.writeText(command.textContent);
  } catch {
    getSelection().selectAllChildren(command);
    copied = false;
  }
  button.textContent = copied ? "Copied" : "Selected: press Ctrl+C";
  setTimeout(() => (button.textContent = "Copy"), 3000);
}
