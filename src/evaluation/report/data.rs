//! The data of a report page.
//!
//! The page shows counts and shares of counts. All other numbers of the page are computed before it
//! is written, so that it can show no other result than the commands.

use serde::Serialize;

/// All that a page shows. Texts are untrusted: the page enters them as text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportData {
    /// The title, such as the names of the models and of the data set.
    pub title: String,
    /// One line below the title: the number of inputs and the dates.
    pub subtitle: String,
    /// Where the counts come from.
    pub source: ReportSource,
    /// What was measured, in the order of the page.
    pub measured: Vec<MeasuredFact>,
    /// Restrictions that a reader must know, such as what the source cannot tell.
    pub notes: Vec<String>,
    /// The number of inputs of every count.
    pub inputs: u64,
    /// Whether the true classes are known. Without them the page compares with the class of the
    /// standard model.
    pub labelled: bool,
    /// Whether the robust model draws votes.
    pub draws_votes: bool,
    /// The norm of the radii, such as `l2`.
    pub norm: String,
    /// The theorem of the paper that bounds a radius for such models, such as `Theorem 2`.
    pub papers_theorem: String,
    /// The radii of the curves, ascending, in the units of the float input. The first is 0: any
    /// certificate.
    pub radii: Vec<f64>,
    /// The index of the radius that the page shows first.
    pub shown_radius: usize,
    /// The upper bounds of the buckets of [`MixtureResult::histogram`], ascending. One more bucket
    /// has no bound.
    pub histogram_bounds: Vec<f64>,
    /// The name of each class.
    pub labels: Vec<String>,
    /// The results of each mixture that the sliders reach; at least one.
    pub mixtures: Vec<MixtureResult>,
    /// The index of the mixture that the page shows first.
    pub selected: usize,
    /// The index of the recommended mixture.
    pub recommended: Option<usize>,
    /// The index of the mixture in force.
    pub in_force: Option<usize>,
    /// The right answers of the standard model alone.
    pub standard_right: Option<u64>,
    /// The robust model alone (alpha 1), at each temperature of the mixtures.
    pub robust_alone: Vec<RobustCurve>,
    /// The best mixtures at each of [`radii`](Self::radii).
    pub frontiers: Vec<Frontier>,
    /// The confidence of [`intervals`](Self::intervals), such as `95 %`.
    pub confidence: String,
    /// For each pair of counts of a class: count, total, and the bounds of the share.
    pub intervals: Vec<(u64, u64, f64, f64)>,
    /// The inputs on which the two models have different classes.
    pub disagreements: Option<Disagreements>,
}

/// Where the counts of a report come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportSource {
    /// The records of an evaluation.
    Records,
    /// The shadow counts of a running service.
    Live,
}

/// One line of what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeasuredFact {
    /// The name, such as `data set`.
    pub name: String,
    /// The value, such as a path and a digest.
    pub text: String,
}

impl MeasuredFact {
    /// A fact.
    #[must_use]
    pub fn new(name: &str, text: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            text: text.into(),
        }
    }
}

/// The results of one mixture, as counts of inputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MixtureResult {
    /// The weight of the robust model.
    pub alpha: f64,
    /// The temperature of the robust model.
    pub robust_temperature: f64,
    /// The weight of the robust model where nothing can be certified.
    pub fallback_alpha: f64,
    /// The inputs of the counts.
    pub inputs: u64,
    /// Inputs with the right class; `None` without labels.
    pub right: Option<u64>,
    /// Inputs with the class of the standard model; `None` if it was not counted.
    pub as_standard: Option<u64>,
    /// Inputs that are certified at each of [`ReportData::radii`] or above; with labels, those among
    /// them whose class is right.
    pub certified: Vec<u64>,
    /// Inputs without a certificate.
    pub uncertified: u64,
    /// Of live traffic, the inputs among them that more votes could certify. Of records, the inputs for
    /// which the vote rule would draw more votes than were recorded.
    pub open: u64,
    /// As `certified`, with the radius of [`ReportData::papers_theorem`]; `None` unless the mixture is
    /// the paper's (`fallback_alpha` = alpha) and the theorem applies to the model.
    pub papers_radius: Option<Vec<u64>>,
    /// Certified inputs by radius, whether their class is right or not: one count for each of
    /// [`ReportData::histogram_bounds`], and one for larger radii. A bucket of records includes its
    /// lower bound, one of live traffic its upper bound.
    pub histogram: Vec<u64>,
    /// The counts of each class; empty without labels.
    pub classes: Vec<ClassCounts>,
    /// The votes of an answer; `None` for a model without votes.
    pub votes: Option<VoteStatistics>,
    /// How to put the mixture in force.
    pub command: String,
}

impl MixtureResult {
    /// Whether the mixture is the paper's: one weight everywhere.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "the paper's mixture is defined by equal weights")]
    pub fn is_papers(&self) -> bool {
        self.fallback_alpha == self.alpha
    }

    /// The count that stands for accuracy: right answers, or those with the class of the standard
    /// model where the true classes are unknown.
    #[must_use]
    pub fn accurate(&self) -> u64 {
        self.right.or(self.as_standard).unwrap_or_default()
    }
}

/// The inputs of one class, those with the right class, and those that are also certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClassCounts(pub u64, pub u64, pub u64);

/// The votes that one answer draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct VoteStatistics {
    /// The mean.
    pub mean: f64,
    /// The median; `None` if it was not counted.
    pub p50: Option<u64>,
    /// The 99th percentile; `None` if it was not counted.
    pub p99: Option<u64>,
}

/// The robust model alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RobustCurve {
    /// The temperature of the robust model.
    pub robust_temperature: f64,
    /// As [`MixtureResult::right`].
    pub right: Option<u64>,
    /// As [`MixtureResult::as_standard`].
    pub as_standard: Option<u64>,
    /// As [`MixtureResult::certified`].
    pub certified: Vec<u64>,
}

/// Indices of mixtures that no other one beats in both accuracy and certified inputs at one radius,
/// ascending by accuracy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Frontier {
    /// Among all mixtures.
    pub best: Vec<usize>,
    /// Among the paper's mixtures.
    pub paper: Vec<usize>,
    /// Among the paper's mixtures, with the radius of the paper's theorem.
    pub papers_radius: Vec<usize>,
}

/// The inputs on which the two models have different classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreements {
    /// The number of all such inputs.
    pub inputs: u64,
    /// The inputs in groups, each with a bounded number of examples.
    pub groups: Vec<DisagreementGroup>,
}

/// Disagreements of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DisagreementGroup {
    /// The kind, such as `only g is right`.
    pub name: String,
    /// The number of inputs of this kind.
    pub inputs: u64,
    /// The examples.
    pub shown: Vec<Disagreement>,
}

/// One input on which the two models have different classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement {
    /// Its name in the data set.
    pub id: String,
    /// A PNG as a `data:` URI; `None` if the input is no image or the data set is not at hand.
    pub image: Option<String>,
    /// The true class.
    pub label: Option<u32>,
    /// The class of the standard model.
    pub standard: u32,
    /// The class of the robust model.
    pub robust: u32,
}
