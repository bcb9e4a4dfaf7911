//! The sum of loads, each capped in proportion to its weight.

/// The function `v -> sum of min(load, v weight)` over some loads. It is concave and grows with `v`.
#[derive(Debug)]
pub(super) struct CappedSum {
    /// The ratios of load to weight, ascending.
    ratios: Vec<f64>,
    /// The sum of the loads with smaller ratios, one more than there are ratios.
    loads_before: Vec<f64>,
    /// The sum of the weights from each ratio on, one more than there are ratios.
    weights_after: Vec<f64>,
}

impl CappedSum {
    /// The sum over `loads`, which are pairs of a load and a positive weight. It costs a sort.
    pub(super) fn new(loads: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut loads: Vec<(f64, f64, f64)> = loads.map(|(load, weight)| (load / weight, load, weight)).collect();
        loads.sort_unstable_by(|(left, ..), (right, ..)| left.total_cmp(right));
        let mut loads_before = Vec::with_capacity(loads.len() + 1);
        let mut sum = 0.0;
        loads_before.push(sum);
        for (_, load, _) in &loads {
            sum += load;
            loads_before.push(sum);
        }
        let mut weights_after = vec![0.0; loads.len() + 1];
        let mut sum = 0.0;
        for (index, (_, _, weight)) in loads.iter().enumerate().rev() {
            sum += weight;
            if let Some(slot) = weights_after.get_mut(index) {
                *slot = sum;
            }
        }
        Self {
            ratios: loads.into_iter().map(|(ratio, ..)| ratio).collect(),
            loads_before,
            weights_after,
        }
    }

    /// The sum at `v`. It costs a binary search.
    pub(super) fn at(&self, v: f64) -> f64 {
        let whole = self.ratios.partition_point(|&ratio| ratio <= v);
        let (loads, weights) = (self.loads_before.get(whole), self.weights_after.get(whole));
        loads.copied().unwrap_or_default() + v * weights.copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_capped_loads(
            loads in prop::collection::vec((0.0..10.0, 0.1..5.0), 0..20),
            v in 0.0..20.0,
        ) {
            let expected: f64 = loads.iter().map(|&(load, weight): &(f64, f64)| load.min(v * weight)).sum();
            let sum = CappedSum::new(loads.into_iter()).at(v);
            prop_assert!((sum - expected).abs() <= 1e-9 * (1.0 + expected), "{sum} {expected}");
        }
    }
}
