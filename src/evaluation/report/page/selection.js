// The selected mixture and radius. The sliders move over the mixtures of the report and compute
// nothing.

const selection = {
  mixture: data.selected,
  radius: data.shown_radius,
  // The values that the sliders were moved to last. A mixture with another alpha keeps the nearest
  // temperature and fallback_alpha. FOLLOWS_ALPHA stands for the paper's mixture.
  wanted: null,
};
const FOLLOWS_ALPHA = "alpha";

function selected() {
  return data.mixtures[selection.mixture];
}

function selectedRadius() {
  return data.radii[selection.radius];
}

/** The values of one setting among `mixtures`, ascending and without repetition. */
function levels(mixtures, setting) {
  return [...new Set(mixtures.map((mixture) => mixture[setting]))].sort((a, b) => a - b);
}

function nearest(values, wanted) {
  return values.reduce((best, value) => (Math.abs(value - wanted) < Math.abs(best - wanted) ? value : best));
}

/** The mixtures that each slider moves among: it keeps the settings of the sliders above it. */
function choices() {
  const { alpha, robust_temperature } = selected();
  const sameAlpha = data.mixtures.filter((mixture) => mixture.alpha === alpha);
  const sameTemperature = sameAlpha.filter((mixture) => mixture.robust_temperature === robust_temperature);
  return {
    alpha: levels(data.mixtures, "alpha"),
    robust_temperature: levels(sameAlpha, "robust_temperature"),
    fallback_alpha: levels(sameTemperature, "fallback_alpha"),
  };
}

function wantedOf(mixture) {
  const follows = mixture.fallback_alpha === mixture.alpha;
  return {
    alpha: mixture.alpha,
    robust_temperature: mixture.robust_temperature,
    fallback_alpha: follows ? FOLLOWS_ALPHA : mixture.fallback_alpha,
  };
}

/** Selects the mixture nearest to the wanted values: alpha first, then the temperature, then fallback. */
function selectWanted() {
  let candidates = data.mixtures;
  for (const setting of ["alpha", "robust_temperature", "fallback_alpha"]) {
    const wanted = selection.wanted[setting];
    const values = levels(candidates, setting);
    const value = wanted === FOLLOWS_ALPHA ? values[values.length - 1] : nearest(values, wanted);
    candidates = candidates.filter((mixture) => mixture[setting] === value);
  }
  selection.mixture = data.mixtures.indexOf(candidates[0]);
}

function selectMixture(index) {
  selection.mixture = index;
  selection.wanted = wantedOf(data.mixtures[index]);
}

/** Moves the slider of `setting` to `value`. */
function moveTo(setting, value) {
  const isPaper = setting === "fallback_alpha" && value === selected().alpha;
  selection.wanted[setting] = isPaper ? FOLLOWS_ALPHA : value;
  selectWanted();
}

selection.wanted = wantedOf(selected());

/** The curve of h alone at the temperature of the selected mixture. */
function robustAlone() {
  const { robust_temperature } = selected();
  return data.robust_alone.find((curve) => curve.robust_temperature === robust_temperature);
}

/**
 * The mixture on a frontier (ascending by accuracy) with the most certified inputs among those that
 * are at least as accurate as the selected one.
 */
function equallyAccurate(frontier) {
  const least = accurate(selected());
  const index = frontier.find((candidate) => accurate(data.mixtures[candidate]) >= least);
  return index === undefined ? null : data.mixtures[index];
}
