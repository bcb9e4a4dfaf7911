//! Numbers for the fuzz target: edges, raw bit patterns, and values that the types accept.

use crate::certificate::{Alpha, LowerBound};
use arbitrary::Unstructured;

const EDGES: [f64; 20] = [
    0.0,
    -0.0,
    1.0,
    0.5,
    0.76,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    1e308,
    5e307,
    f64::MIN_POSITIVE,
    5e-324,
    f64::EPSILON,
    1e-300,
    1e154,
    1e-154,
    -1.0,
    2.0,
];

/// Draws numbers from bytes. Exhausted bytes count as zeros.
pub(super) struct Inputs<'a>(pub(super) Unstructured<'a>);

impl Inputs<'_> {
    pub(super) fn raw(&mut self) -> f64 {
        match self.between(0, 8) {
            0..=2 => self.edge(),
            3 | 4 => f64::from_bits(self.bits64()),
            5 => self.edge().next_up(),
            6 => self.edge().next_down(),
            _ => 10.0_f64.powf(self.fraction() * 616.0 - 308.0),
        }
    }

    fn edge(&mut self) -> f64 {
        EDGES[self.between(0, EDGES.len())]
    }

    /// Usually a number that its type accepts, so that the cases pass the validation.
    pub(super) fn or_raw(&mut self, usual: f64) -> f64 {
        if self.one_in(5) { self.raw() } else { usual }
    }

    pub(super) fn unit(&mut self) -> f64 {
        let x = match self.between(0, 4) {
            0 => 10.0_f64.powf(-self.fraction() * 320.0),
            1 => 1.0 - 10.0_f64.powf(-self.fraction() * 17.0),
            _ => self.fraction(),
        };
        self.or_raw(x)
    }

    pub(super) fn alpha(&mut self) -> Option<Alpha> {
        let a = match self.between(0, 4) {
            0 => 1.0 - 10.0_f64.powf(-self.fraction() * 17.0),
            1 => 0.5 + 10.0_f64.powf(-self.fraction() * 17.0),
            _ => 0.5 + self.fraction() / 2.0,
        };
        Alpha::new(self.or_raw(a)).ok()
    }

    pub(super) fn scale(&mut self) -> f64 {
        let x = 10.0_f64.powf(self.fraction() * 8.0 - 4.0);
        self.or_raw(x)
    }

    pub(super) fn logits(&mut self) -> Vec<f32> {
        let spread = 10.0_f64.powf(self.fraction() * 4.0 - 2.0);
        (0..self.between(0, 7))
            .map(|_| {
                if self.one_in(30) {
                    f32::from_bits(self.bits32())
                } else {
                    #[expect(clippy::cast_possible_truncation, reason = "logits are float32")]
                    let z = ((self.fraction() - 0.5) * spread) as f32;
                    z
                }
            })
            .collect()
    }

    pub(super) fn lower(&mut self) -> LowerBound {
        let p = self.unit();
        let bound = if self.flag() {
            LowerBound::from_value(p)
        } else {
            LowerBound::from_complement(p)
        };
        bound.unwrap_or(LowerBound::TRIVIAL)
    }

    pub(super) fn count(&mut self) -> u64 {
        match self.between(0, 6) {
            0 => self.bits64(),
            1 => self.bits64() % (1 << 41),
            2 => self.bits64() % 1_000_000,
            _ => self.bits64() % 400,
        }
    }

    /// A number in `low..end`.
    pub(super) fn between(&mut self, low: usize, end: usize) -> usize {
        self.0.int_in_range(low..=end - 1).unwrap_or(low)
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.between(0, count) == 0
    }

    pub(super) fn flag(&mut self) -> bool {
        self.one_in(2)
    }

    pub(super) fn bits32(&mut self) -> u32 {
        self.0.arbitrary().unwrap_or_default()
    }

    fn bits64(&mut self) -> u64 {
        self.0.arbitrary().unwrap_or_default()
    }

    /// A number in [0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    pub(super) fn fraction(&mut self) -> f64 {
        (self.bits64() >> 11) as f64 / 2.0_f64.powi(53)
    }
}
