//! The best mixtures at each radius.

use std::cmp::Reverse;

use super::data::{Frontier, MixtureResult};

/// The frontiers at the radii with the indices `0..radii`.
#[must_use]
pub fn frontiers(mixtures: &[MixtureResult], radii: usize) -> Vec<Frontier> {
    (0..radii)
        .map(|radius| {
            let certified = |mixture: &MixtureResult| mixture.certified.get(radius).copied();
            let of_papers_radius = |mixture: &MixtureResult| mixture.papers_radius.as_ref()?.get(radius).copied();
            Frontier {
                best: frontier(mixtures, certified),
                paper: frontier(mixtures, |mixture| {
                    mixture.is_papers().then(|| certified(mixture)).flatten()
                }),
                papers_radius: frontier(mixtures, of_papers_radius),
            }
        })
        .collect()
}

/// The indices of the mixtures that no other one equals or beats in accuracy while it has at least
/// as many `certified` inputs, ascending by accuracy. A mixture for which `certified` is `None` does
/// not take part. Of equal mixtures the first stands for all.
fn frontier(mixtures: &[MixtureResult], certified: impl Fn(&MixtureResult) -> Option<u64>) -> Vec<usize> {
    let mut candidates: Vec<(u64, u64, usize)> = mixtures
        .iter()
        .enumerate()
        .filter_map(|(index, mixture)| Some((mixture.accurate(), certified(mixture)?, index)))
        .collect();
    // The most accurate first, so that a candidate is beaten by one that was seen already or by none.
    candidates.sort_by_key(|&(accurate, certified, index)| (Reverse(accurate), Reverse(certified), index));
    let mut best = Vec::new();
    let mut most_certified = None;
    for (_, certified, index) in candidates {
        if most_certified.is_none_or(|most| certified > most) {
            most_certified = Some(certified);
            best.push(index);
        }
    }
    best.reverse();
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluation::report::sample_mixture::mixture_with;

    #[test]
    fn a_mixture_that_another_one_beats_is_left_out() {
        let mixtures = [
            mixture_with(90, vec![10]),
            mixture_with(80, vec![40]),
            mixture_with(80, vec![30]),
            mixture_with(70, vec![40]),
            mixture_with(60, vec![50]),
            mixture_with(60, vec![50]),
        ];
        assert_eq!(frontiers(&mixtures, 1)[0].best, [4, 1, 0]);
    }

    #[test]
    fn the_papers_frontier_holds_mixtures_with_one_weight() {
        let mut mixtures = [mixture_with(90, vec![10]), mixture_with(80, vec![5])];
        mixtures[0].fallback_alpha = 0.0;
        mixtures[1].papers_radius = Some(vec![3]);
        let found = frontiers(&mixtures, 1);
        assert_eq!(found[0].best, [0]);
        assert_eq!((&found[0].paper, &found[0].papers_radius), (&vec![1], &vec![1]));
    }

    proptest! {
        #[test]
        fn every_mixture_is_matched_by_one_of_the_frontier(counts in prop::collection::vec((0u64..9, 0u64..9), 1..30)) {
            let mixtures: Vec<_> = counts.iter().map(|&(right, certified)| mixture_with(right, vec![certified])).collect();
            let best = &frontiers(&mixtures, 1)[0].best;
            for &(right, certified) in &counts {
                prop_assert!(best.iter().any(|&index| counts[index].0 >= right && counts[index].1 >= certified));
            }
            let strict = best.windows(2).all(|pair| {
                let (low, high) = (counts[pair[0]], counts[pair[1]]);
                low.0 < high.0 && low.1 > high.1
            });
            prop_assert!(strict);
        }
    }
}
