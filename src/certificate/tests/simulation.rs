//! Random votes for the coverage tests.

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): random enough for votes, and the same on every
/// machine.
pub(super) struct SimulatedVotes(u64);

impl SimulatedVotes {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from the uniform distribution over [0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / 4_294_967_296.0
    }

    /// The class of one vote with these probabilities.
    pub(super) fn class(&mut self, probabilities: &[f64]) -> usize {
        let mut left = self.uniform();
        for (class, p) in probabilities.iter().enumerate() {
            left -= p;
            if left < 0.0 {
                return class;
            }
        }
        probabilities.len() - 1
    }

    pub(super) fn hit(&mut self, p: f64) -> bool {
        self.uniform() < p
    }
}

/// Number of simulated runs.
pub(super) const RUNS: u32 = 20_000;
/// The largest plausible number of failures in all runs if each has probability 0.05 or less: the
/// mean plus five standard deviations.
pub(super) const MAX_FAILURES: u32 = 1_000 + 5 * 31;

/// A function of (hits, votes), computed once per pair.
pub(super) struct Cache {
    votes: usize,
    values: Vec<f64>,
}

impl Cache {
    pub(super) fn fill(votes: u32, f: impl Fn(u64, u64) -> f64) -> Self {
        let rows = votes as usize + 1;
        let mut values = vec![f64::NAN; rows * rows];
        for t in 1..=u64::from(votes) {
            for s in 0..=t {
                values[t as usize * rows + s as usize] = f(s, t);
            }
        }
        Self { votes: rows, values }
    }

    pub(super) fn get(&self, hits: u32, votes: u32) -> f64 {
        self.values[votes as usize * self.votes + hits as usize]
    }
}
