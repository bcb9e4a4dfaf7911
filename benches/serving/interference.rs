//! The share of the processors that other programs and the hypervisor take during a measurement.
//!
//! A busy neighbour slows the side with fewer threads more than the other. So even ratios are
//! meaningful only on a machine that does little else, and each case reports the interference.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::anyhow;
use procfs::process::Process;
use procfs::{CurrentSI as _, KernelStats};
use serde::{Deserialize, Serialize};

use crate::process_usage::cpu_time;
use crate::statistics::{median, quantile};

const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// A case carries a warning if interference exceeds this share in its worst tenth of the seconds.
const WARNING_SHARE: f64 = 0.05;

/// The server processes that belong to the measurement.
static MEASURED_PROCESSES: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Counts the processor time of this process as part of the measurement.
pub fn register_process(pid: u32) {
    MEASURED_PROCESSES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(pid);
}

/// Ends `register_process`. Call it after `wait`: the system then counts the time as a child's.
pub fn unregister_process(pid: u32) {
    let mut processes = MEASURED_PROCESSES.lock().unwrap_or_else(PoisonError::into_inner);
    processes.retain(|known| *known != pid);
}

/// Shares of all processors. Each pair holds the median over the seconds, and the smallest value of
/// the worst tenth of the seconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Interference {
    /// Taken by other processes of this machine.
    pub others: f64,
    pub others_worst: f64,
    /// Taken by the hypervisor.
    pub stolen: f64,
    pub stolen_worst: f64,
}

impl Interference {
    /// Whether the interference makes the figures unreliable.
    pub fn is_large(&self) -> bool {
        self.others_worst > WARNING_SHARE || self.stolen_worst > WARNING_SHARE
    }

    /// One sentence for the report.
    pub fn line(&self) -> String {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        let warning = if self.is_large() {
            "**The machine was not quiet.** "
        } else {
            ""
        };
        format!(
            "{warning}During the measurement other programs took {} % of the processors ({} % or more in the worst tenth of the \
             seconds), and the hypervisor {} % ({} %).",
            percent(self.others),
            percent(self.others_worst),
            percent(self.stolen),
            percent(self.stolen_worst)
        )
    }
}

/// A thread that samples interference until `finish`.
pub struct InterferenceMonitor {
    stopping: Arc<Mutex<bool>>,
    thread: JoinHandle<anyhow::Result<Interference>>,
}

impl InterferenceMonitor {
    pub fn start() -> anyhow::Result<Self> {
        let stopping = Arc::new(Mutex::new(false));
        let stop_signal = Arc::clone(&stopping);
        let thread = thread::Builder::new()
            .name("interference".to_owned())
            .spawn(move || sample_until(&stop_signal))?;
        Ok(Self { stopping, thread })
    }

    pub fn finish(self) -> anyhow::Result<Interference> {
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.thread
            .join()
            .map_err(|_| anyhow!("the interference monitor panicked"))?
    }
}

/// Seconds of processor time since the machine started.
#[derive(Clone, Copy)]
struct CpuSample {
    total: f64,
    busy: f64,
    stolen: f64,
    measured: f64,
}

fn sample_cpu() -> anyhow::Result<CpuSample> {
    let processes = MEASURED_PROCESSES.lock().unwrap_or_else(PoisonError::into_inner);
    let tick = 1.0 / procfs::ticks_per_second() as f64;
    let own = Process::myself()?.stat()?;
    let children = u64::try_from(own.cutime + own.cstime).unwrap_or_default();
    let mut measured = (own.utime + own.stime + children) as f64 * tick;
    for pid in processes.iter() {
        // After `wait`, a process is gone and its time is among the children's.
        measured += cpu_time(*pid).unwrap_or_default().as_secs_f64();
    }
    let total = KernelStats::current()?.total;
    let stolen = total.steal.unwrap_or_default();
    let busy =
        total.user + total.nice + total.system + total.irq.unwrap_or_default() + total.softirq.unwrap_or_default();
    let idle = total.idle + total.iowait.unwrap_or_default();
    Ok(CpuSample {
        total: (busy + idle + stolen) as f64 * tick,
        busy: busy as f64 * tick,
        stolen: stolen as f64 * tick,
        measured,
    })
}

fn sample_until(stopping: &Mutex<bool>) -> anyhow::Result<Interference> {
    let (mut others, mut stolen) = (Vec::new(), Vec::new());
    let mut before = sample_cpu()?;
    while !*stopping.lock().unwrap_or_else(PoisonError::into_inner) {
        thread::sleep(SAMPLE_INTERVAL);
        let now = sample_cpu()?;
        let total = (now.total - before.total).max(f64::MIN_POSITIVE);
        let other = (now.busy - before.busy) - (now.measured - before.measured);
        others.push((other / total).clamp(0.0, 1.0));
        stolen.push((now.stolen - before.stolen) / total);
        before = now;
    }
    Ok(Interference {
        others: median(&others),
        others_worst: quantile(&others, 0.9),
        stolen: median(&stolen),
        stolen_worst: quantile(&stolen, 0.9),
    })
}
