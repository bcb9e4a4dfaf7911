//! Reads figures from the Prometheus text.

/// The sum of the series of `name` whose labels contain `label`, in the Prometheus text.
pub fn metric_sum(text: &str, name: &str, label: &str) -> f64 {
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (family, labels) = series.split_once('{').unwrap_or((series, ""));
        (family == name && labels.contains(label)).then(|| value.parse::<f64>().ok())?
    });
    values.sum()
}
