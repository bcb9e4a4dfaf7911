//! What every case needs.

use crate::progress::Progress;
use crate::run_plan::RunPlan;
use crate::testbed::Testbed;

pub struct BenchContext {
    pub testbed: Testbed,
    pub plan: RunPlan,
    pub progress: Progress,
}
