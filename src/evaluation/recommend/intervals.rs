//! Exact confidence intervals for shares and for differences of two shares.

use statrs::function::beta::checked_beta_reg;

use crate::certificate::{CertificateError, FailureProbability, clopper_pearson};

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A share of inputs, with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The number of inputs of the share.
    pub count: u64,
    /// All inputs.
    pub inputs: u64,
    /// The interval of the probability.
    pub interval: Interval,
}

impl Estimate {
    /// The exact interval of Clopper and Pearson: it misses the probability with at most
    /// `failure_probability`, half of it at each end.
    ///
    /// # Errors
    /// [`CertificateError`] if `count` exceeds `inputs`.
    pub(super) fn new(
        count: u64,
        inputs: u64,
        failure_probability: FailureProbability,
    ) -> Result<Self, CertificateError> {
        Ok(Self {
            count,
            inputs,
            interval: Interval {
                low: clopper_pearson::lower(count, inputs, failure_probability.half())?.value(),
                high: clopper_pearson::upper(count, inputs, failure_probability.half())?.value(),
            },
        })
    }

    /// The observed share; 0 without inputs.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
    pub fn share(&self) -> f64 {
        if self.inputs == 0 {
            0.0
        } else {
            self.count as f64 / self.inputs as f64
        }
    }
}

/// An interval for `P(gain) - P(loss)`, from the same `inputs` inputs: the difference of two exact
/// intervals at half of `failure_probability` each. A union bound makes it valid, and a little wide.
///
/// # Errors
/// [`CertificateError`] if a count exceeds `inputs`.
pub(super) fn difference_interval(
    gained: u64,
    lost: u64,
    inputs: u64,
    failure_probability: FailureProbability,
) -> Result<Interval, CertificateError> {
    let half = failure_probability.half();
    let (gains, losses) = (Estimate::new(gained, inputs, half)?, Estimate::new(lost, inputs, half)?);
    Ok(Interval {
        low: gains.interval.low - losses.interval.high,
        high: gains.interval.high - losses.interval.low,
    })
}

/// The p-value of McNemar's exact test: the probability of a division at least as uneven as `gained`
/// to `lost`, if a change in either direction is equally likely. 1 without changes.
#[must_use]
pub(super) fn mcnemar_p_value(gained: u64, lost: u64) -> f64 {
    let (most, changes) = (gained.max(lost), gained.saturating_add(lost));
    if most == 0 {
        return 1.0;
    }
    // P(X >= most) for X binomial with `changes` draws and probability 1/2.
    #[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
    let tail = checked_beta_reg(most as f64, (changes - most) as f64 + 1.0, 0.5);
    tail.map_or(1.0, |tail| (2.0 * tail).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_clopper_and_pearson() -> Result<(), CertificateError> {
        let estimate = Estimate::new(15, 20, FailureProbability::new(0.05)?)?;
        assert!((estimate.interval.low - 0.508_954_3).abs() < 1e-6, "{estimate:?}");
        assert!((estimate.interval.high - 0.913_428_6).abs() < 1e-6, "{estimate:?}");
        let none = Estimate::new(0, 0, FailureProbability::new(0.05)?)?;
        assert_eq!((none.interval.low, none.interval.high, none.share()), (0.0, 1.0, 0.0));
        assert!(Estimate::new(3, 2, FailureProbability::new(0.05)?).is_err());
        Ok(())
    }

    #[test]
    fn mcnemars_test_is_exact() {
        // 2 (C(12,10) + C(12,11) + C(12,12)) / 2^12
        assert!((mcnemar_p_value(10, 2) - 2.0 * 79.0 / 4096.0).abs() < 1e-12);
        assert!((mcnemar_p_value(2, 10) - mcnemar_p_value(10, 2)).abs() < 1e-15);
        assert!((mcnemar_p_value(1, 0) - 1.0).abs() < 1e-12);
        assert!((mcnemar_p_value(5, 0) - 0.0625).abs() < 1e-12);
        assert_eq!((mcnemar_p_value(0, 0), mcnemar_p_value(7, 7)), (1.0, 1.0));
    }
}
