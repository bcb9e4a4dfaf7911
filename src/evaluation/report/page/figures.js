// The figures. Each one has a title, series with their look, a drawing, and its numbers as a table.

/** The looks of the series: the name of a colour in page.css, and a dash pattern. */
const LOOKS = {
  mixture: { color: "mixture", dash: null, width: 2.5 },
  paper: { color: "paper", dash: "7 3", width: 2 },
  theorem: { color: "theorem", dash: "2 3", width: 2 },
  robust: { color: "robust", dash: "10 3 2 3", width: 2 },
  standard: { color: "standard", dash: "4 4", width: 1.5 },
  cloud: { color: "cloud", dot: "circle" },
  selected: { color: "mixture", dot: "circle", ring: true },
  recommended: { color: "robust", dot: "star" },
  force: { color: "text", dot: "square" },
};

function names() {
  const text = mixtureText(selected());
  return { selected: `selected: alpha ${text.alpha}, T ${text.temperature}, fallback ${text.fallback}` };
}

function paperName(mixture) {
  return `paper's mixture, at least as accurate (alpha ${short(mixture.alpha)}, T ${short(mixture.robust_temperature)})`;
}

/** The series of the curves: the shares at each radius of the report. */
function curveSeries() {
  const frontier = data.frontiers[selection.radius];
  const series = [{ look: "mixture", name: names().selected, counts: selected().certified }];
  const paper = equallyAccurate(frontier.paper);
  if (paper) series.push({ look: "paper", name: paperName(paper), counts: paper.certified });
  const theorem = equallyAccurate(frontier.papers_radius);
  if (theorem) {
    series.push({ look: "theorem", name: `${paperName(theorem)}, ${data.papers_theorem}`, counts: theorem.papers_radius });
  }
  const robust = robustAlone();
  if (robust) series.push({ look: "robust", name: "h alone (alpha 1)", counts: robust.certified });
  if (data.standard_right !== null) {
    const clean = data.radii.map(() => data.standard_right);
    series.push({ look: "standard", name: "g alone: clean accuracy, certifies nothing", counts: clean });
  }
  return series;
}

function lineMarks(series, palette, x) {
  return series.map(({ look, counts }) => {
    const { color, dash, width } = LOOKS[look];
    const points = counts.map((count, index) => ({ x: x[index], y: count / data.inputs }));
    return Plot.lineY(points, { x: "x", y: "y", stroke: palette(color), strokeWidth: width, strokeDasharray: dash });
  });
}

function shareAxis(label) {
  return { label, percent: true, domain: [0, 100], grid: true, nice: true };
}

/** What all drawings share. */
function plot(palette, size, options) {
  return Plot.plot({
    ...size,
    marginTop: 32,
    marginLeft: 48,
    marginRight: 16,
    marginBottom: 44,
    style: { fontSize: "13px", fontFamily: "inherit", color: palette("text"), background: "transparent" },
    ...options,
  });
}

const curves = {
  id: "curves",
  title: "Certified accuracy by radius",
  text: () =>
    `The share of inputs that are ${words.certified.toLowerCase()} at each radius or above. ` +
    "A curve of the paper's mixture (fallback_alpha = alpha) has the settings that certify most at the chosen radius " +
    `among those with at least the ${words.accurate.toLowerCase()} of the selected mixture.`,
  series: curveSeries,
  draw: (palette, size) =>
    plot(palette, size, {
      x: { label: `${radiusName} in the units of the float input`, tickFormat: short },
      y: shareAxis(`${words.certified.toLowerCase()} (%)`),
      marks: [
        Plot.ruleY([0], { stroke: palette("text") }),
        Plot.ruleX([selectedRadius()], { stroke: palette("muted"), strokeDasharray: "1 3" }),
        ...lineMarks(curveSeries().reverse(), palette, data.radii),
        Plot.dot([{ x: selectedRadius(), y: selected().certified[selection.radius] / data.inputs }], {
          x: "x",
          y: "y",
          r: 5,
          fill: palette("mixture"),
        }),
      ],
    }),
  table: () => {
    const series = curveSeries();
    return table("Share of inputs at each radius or above", [
      ["radius", ...series.map(({ name }) => name)],
      ...data.radii.map((radius, index) => [
        radius === 0 ? "> 0" : short(radius),
        ...series.map(({ counts }) => percent(counts[index], data.inputs)),
      ]),
    ]);
  },
};

/** The points of the frontier figure: all mixtures, the frontiers, and the mixtures with a name. */
function frontierSeries() {
  const { best, paper, papers_radius: theorem } = data.frontiers[selection.radius];
  const at = (counts) => (index) => ({ mixture: data.mixtures[index], certified: counts(data.mixtures[index]) });
  const certified = at((mixture) => mixture.certified[selection.radius]);
  const lines = [
    { look: "mixture", name: "best mixtures", points: best.map(certified) },
    { look: "paper", name: "best of the paper's mixtures", points: paper.map(certified) },
  ];
  if (theorem.length > 0) {
    const points = theorem.map(at((mixture) => mixture.papers_radius[selection.radius]));
    lines.push({ look: "theorem", name: `the paper's mixtures with ${data.papers_theorem}`, points });
  }
  const dots = [{ look: "cloud", name: "other mixtures", points: data.mixtures.map((_, index) => certified(index)) }];
  const named = [];
  if (data.in_force !== null) {
    named.push({ look: "force", name: data.source === "live" ? "served" : "in force", points: [certified(data.in_force)] });
  }
  if (data.recommended !== null) {
    named.push({ look: "recommended", name: "recommended", points: [certified(data.recommended)] });
  }
  named.push({ look: "selected", name: "selected", points: [certified(selection.mixture)] });
  return { lines, dots, named };
}

function dotMark({ look, points }, palette) {
  const { color, dot, ring } = LOOKS[look];
  const place = { x: ({ mixture }) => accurate(mixture) / data.inputs, y: ({ certified }) => certified / data.inputs };
  const paint = ring ? { stroke: palette(color), strokeWidth: 3 } : { fill: palette(color) };
  return Plot.dot(points, { ...place, ...paint, symbol: dot, r: look === "cloud" ? 2 : look === "selected" ? 8 : 6 });
}

const frontier = {
  id: "frontier",
  title: "What a certificate costs",
  text: () =>
    `${words.accurate} against the share that is ${words.certified.toLowerCase()} ${radiusText(selectedRadius())}. ` +
    "Up and to the right is better. No other mixture of this report is better in both than one on a line.",
  series: () => {
    const { lines, dots, named } = frontierSeries();
    return [...lines, ...named, ...dots];
  },
  draw: (palette, size) => {
    const { lines, dots, named } = frontierSeries();
    return plot(palette, size, {
      x: { label: `${words.accurate.toLowerCase()} (%)`, percent: true, nice: true, ticks: 6, tickFormat: short },
      y: { label: `${words.certified.toLowerCase()} (%)`, percent: true, grid: true, nice: true, zero: true, tickFormat: short },
      marks: [
        ...dots.map((series) => dotMark(series, palette)),
        ...lines.map(({ look, points }) =>
          Plot.line(points, {
            x: ({ mixture }) => accurate(mixture) / data.inputs,
            y: ({ certified }) => certified / data.inputs,
            stroke: palette(LOOKS[look].color),
            strokeDasharray: LOOKS[look].dash,
            strokeWidth: LOOKS[look].width,
          }),
        ),
        ...named.map((series) => dotMark(series, palette)),
      ],
    });
  },
  table: () => {
    const { lines, named } = frontierSeries();
    const row = (name) => ({ mixture, certified }) => {
      const text = mixtureText(mixture);
      const shares = [accurate(mixture), certified].map((count) => percent(count, data.inputs));
      return [name, text.alpha, text.temperature, text.fallback, ...shares];
    };
    return table(`The lines and the named mixtures, ${radiusText(selectedRadius())}`, [
      ["line", "alpha", "temperature", "fallback_alpha", words.accurate, words.certified],
      ...[...named, ...lines].flatMap(({ name, points }) => points.map(row(name))),
    ]);
  },
};

/** The buckets of the histogram. The last one is open; it is drawn as wide as the one before. */
function buckets() {
  const bounds = data.histogram_bounds;
  return selected().histogram.map((count, index) => {
    const from = index === 0 ? 0 : bounds[index - 1];
    const isOpen = index === bounds.length;
    const to = isOpen ? from + (from - (bounds[index - 2] ?? 0)) : bounds[index];
    return { from, to, count, name: isOpen ? `above ${short(from)}` : `${short(from)} to ${short(to)}` };
  });
}

const histogram = {
  id: "histogram",
  title: "Certified radii",
  text: () => {
    const included = data.source === "live" ? "upper" : "lower";
    return `The certified radii of the selected mixture. A bucket includes its ${included} bound; the last one has no end.`;
  },
  series: () => [{ look: "mixture", name: names().selected }],
  draw: (palette, size) =>
    plot(palette, size, {
      x: { label: radiusName, tickFormat: short },
      y: { label: "inputs", grid: true, nice: true, zero: true, tickFormat: short },
      marks: [
        Plot.rectY(buckets(), { x1: "from", x2: "to", y: "count", fill: palette("mixture"), inset: 0.5 }),
        Plot.ruleY([0], { stroke: palette("text") }),
      ],
    }),
  table: () =>
    table("Inputs by certified radius", [
      ["radius", "inputs"],
      ["no certificate", grouped(selected().uncertified)],
      ...buckets().map(({ name, count }) => [name, grouped(count)]),
    ]),
};

/** The mixtures with the selected temperature and rule of fallback, by alpha, that draw votes. */
function votesByAlpha() {
  const { robust_temperature, fallback_alpha } = selection.wanted;
  return data.mixtures.filter(
    (mixture) =>
      mixture.votes !== null &&
      mixture.robust_temperature === robust_temperature &&
      (fallback_alpha === FOLLOWS_ALPHA
        ? mixture.fallback_alpha === mixture.alpha
        : mixture.fallback_alpha === fallback_alpha),
  );
}

const votes = {
  id: "votes",
  title: "Votes by alpha",
  text: () =>
    "The votes that one answer draws, with the selected temperature and fallback_alpha. " +
    "A vote is one run of h on the input with noise.",
  series: () => {
    const hasPercentiles = votesByAlpha().some(({ votes: { p99 } }) => p99 !== null);
    const series = [{ look: "mixture", name: "mean", of: (mixture) => mixture.votes.mean }];
    if (hasPercentiles) series.push({ look: "paper", name: "99th percentile", of: (mixture) => mixture.votes.p99 });
    return series;
  },
  draw: (palette, size) =>
    plot(palette, size, {
      x: { label: "alpha", tickFormat: short },
      y: { label: "votes", grid: true, nice: true, zero: true },
      marks: [
        Plot.ruleY([0], { stroke: palette("text") }),
        ...votes.series().map(({ look, of }) =>
          Plot.lineY(votesByAlpha(), {
            x: "alpha",
            y: of,
            stroke: palette(LOOKS[look].color),
            strokeDasharray: LOOKS[look].dash,
            strokeWidth: LOOKS[look].width,
            marker: true,
          }),
        ),
      ],
    }),
  table: () => {
    const series = votes.series();
    return table("Votes for one answer", [
      ["alpha", ...series.map(({ name }) => name)],
      ...votesByAlpha().map((mixture) => [
        short(mixture.alpha),
        ...series.map(({ of }) => (of(mixture) === null ? "–" : grouped(Math.round(of(mixture))))),
      ]),
    ]);
  },
};

const FIGURES = [curves, frontier, histogram, ...(data.draws_votes ? [votes] : [])];
