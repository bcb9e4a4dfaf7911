//! The Lipschitz radii computed directly in at least 300 binary digits, for the fuzz target.

use crate::certificate::{Alpha, LogitConstant, Temperature, mixing_allowance};
use dashu_float::{FBig, ops::SquareRoot as _, round::mode::HalfEven};

pub(in crate::certificate) type HighPrecision = FBig<HalfEven, 2>;

/// Working precision in binary digits; inputs are exact.
const DIGITS: usize = 300;

pub(in crate::certificate) fn high_precision(x: f64) -> HighPrecision {
    HighPrecision::try_from(x).unwrap().with_precision(DIGITS).value()
}

/// The rounding error of this reference itself.
pub(super) fn slack(x: &HighPrecision) -> HighPrecision {
    let size = if *x < HighPrecision::ZERO {
        -x.clone()
    } else {
        x.clone()
    };
    (size + high_precision(1.0)) * high_precision(2.0_f64.powi(-250))
}

/// Whether `radius` is at most `min (a (h_y - h_i - 4 e - allowance) + a - 1) / (a (L_y + L_i))`.
pub(super) fn theorem1_allows(alpha: Alpha, h: &[f64], constants: &[f64], error: f64, radius: f64) -> bool {
    let a = high_precision(alpha.get());
    let y = (0..h.len()).fold(0, |y, i| if h[i] > h[y] { i } else { y });
    let lost = high_precision(4.0) * high_precision(error) + high_precision(mixing_allowance(h.len()));
    (0..h.len()).filter(|&i| i != y).all(|i| {
        let margin = &a * (high_precision(h[y]) - high_precision(h[i]) - &lost) + &a - high_precision(1.0);
        let needed = high_precision(radius) * &a * (high_precision(constants[y]) + high_precision(constants[i]));
        // The products have about the same size where the radius is near its bound, so a relative
        // slack is enough.
        needed <= &margin + slack(&margin) * high_precision(2.0_f64.powi(-20))
    })
}

/// Whether `radius` is at most
/// `(z_y - z_i - 4 e - T [ln(1 + mu' sum w_j) - ln(1 - mu')]) / (sqrt(2) L)` (or `2 L`), with
/// `mu' = mu + allowance` and `w_j = exp((z_j - z_i)/T)` over j other than y.
pub(super) fn logit_allows(
    alpha: Alpha,
    logits: &[f32],
    temperature: Temperature,
    constant: LogitConstant,
    error: f64,
    radius: f64,
) -> bool {
    let z: Vec<f64> = logits.iter().map(|&z| f64::from(z)).collect();
    let y = (0..z.len()).fold(0, |y, i| if z[i] > z[y] { i } else { y });
    let others = (0..z.len()).filter(|&i| i != y);
    let second = others
        .clone()
        .fold(f64::NEG_INFINITY, |most, i| if z[i] > most { z[i] } else { most });
    let (a, t, one) = (
        high_precision(alpha.get()),
        high_precision(temperature.get()),
        high_precision(1.0),
    );
    let mu = (&one - &a) / &a + high_precision(mixing_allowance(z.len()));
    let left = &one - &mu;
    if left <= HighPrecision::ZERO {
        return false;
    }
    let mut crowd = high_precision(0.0);
    for j in others {
        let exponent = (high_precision(z[j]) - high_precision(second)) / &t;
        // Terms below e^-1000 have no effect at this precision; leaving them out only raises the
        // reference.
        if exponent > high_precision(-1000.0) {
            crowd += if exponent == HighPrecision::ZERO {
                one.clone()
            } else {
                exponent.exp()
            };
        }
    }
    let cost = (&one + &mu * crowd).ln() - left.ln();
    let shift = high_precision(z[y]) - high_precision(second) - high_precision(4.0) * high_precision(error) - &t * cost;
    let (factor, l) = match constant {
        LogitConstant::Vector(l) => (high_precision(2.0).sqrt(), l),
        LogitConstant::PerLogit(l) => (high_precision(2.0), l),
    };
    let needed = high_precision(radius) * factor * high_precision(l);
    needed <= &shift + slack(&shift) * high_precision(2.0_f64.powi(-20))
}
