//! Who else used the processors meanwhile. A busy neighbour slows the side with fewer threads more, so that even ratios
//! are only worth something on a machine that has little else to do: each section says how much that was.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::anyhow;
use procfs::process::Process;
use procfs::{CurrentSI as _, KernelStats};
use serde::{Deserialize, Serialize};

use crate::process_usage::cpu_of;
use crate::statistics::median;

const STEP: Duration = Duration::from_secs(1);
/// A share of others from which a section carries a warning.
const TOO_MUCH: f64 = 0.05;

/// The processes that belong to the measurement.
static SERVERS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Counts this process's time as that of the measurement.
pub fn ours(pid: u32) {
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
}

/// No longer: to be called once it has been waited for, when the system has added its time to ours.
pub fn gone(pid: u32) {
    let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    servers.retain(|known| *known != pid);
}

/// Shares of all processors, of each second the median, and of the worst tenth the least.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Disturbance {
    /// Other processes of this machine.
    pub others: f64,
    pub others_worst: f64,
    /// Taken by the hypervisor.
    pub stolen: f64,
    pub stolen_worst: f64,
}

impl Disturbance {
    /// Whether the figures say little.
    pub fn is_large(&self) -> bool {
        self.others_worst > TOO_MUCH || self.stolen_worst > TOO_MUCH
    }

    /// One sentence.
    pub fn line(&self) -> String {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        let warning = if self.is_large() {
            "**The machine was not quiet**: while"
        } else {
            "While"
        };
        format!(
            "{warning} this was measured, other programs took {} % of the processors (in the worst tenth of the seconds {} % or more), the hypervisor \
             {} % ({} %).",
            percent(self.others),
            percent(self.others_worst),
            percent(self.stolen),
            percent(self.stolen_worst)
        )
    }
}

/// Watches from now until it is asked.
pub struct Monitor {
    over: Arc<Mutex<bool>>,
    thread: JoinHandle<anyhow::Result<Disturbance>>,
}

impl Monitor {
    pub fn start() -> anyhow::Result<Self> {
        let over = Arc::new(Mutex::new(false));
        let seen = Arc::clone(&over);
        let thread = thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || watch(&seen))?;
        Ok(Self { over, thread })
    }

    pub fn finish(self) -> anyhow::Result<Disturbance> {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.thread.join().map_err(|_| anyhow!("the monitor panicked"))?
    }
}

/// Seconds of processor time since the machine started.
#[derive(Clone, Copy)]
struct Moment {
    all: f64,
    busy: f64,
    stolen: f64,
    ours: f64,
}

fn moment() -> anyhow::Result<Moment> {
    let servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    let tick = 1.0 / procfs::ticks_per_second() as f64;
    let own = Process::myself()?.stat()?;
    let children = u64::try_from(own.cutime + own.cstime).unwrap_or_default();
    let mut ours = (own.utime + own.stime + children) as f64 * tick;
    for pid in servers.iter() {
        // One that has just been waited for is among the children already.
        ours += cpu_of(*pid).unwrap_or_default().as_secs_f64();
    }
    let total = KernelStats::current()?.total;
    let stolen = total.steal.unwrap_or_default();
    let busy =
        total.user + total.nice + total.system + total.irq.unwrap_or_default() + total.softirq.unwrap_or_default();
    let idle = total.idle + total.iowait.unwrap_or_default();
    Ok(Moment {
        all: (busy + idle + stolen) as f64 * tick,
        busy: busy as f64 * tick,
        stolen: stolen as f64 * tick,
        ours,
    })
}

fn watch(over: &Mutex<bool>) -> anyhow::Result<Disturbance> {
    let (mut others, mut stolen) = (Vec::new(), Vec::new());
    let mut before = moment()?;
    while !*over.lock().unwrap_or_else(PoisonError::into_inner) {
        thread::sleep(STEP);
        let now = moment()?;
        let all = (now.all - before.all).max(f64::MIN_POSITIVE);
        let foreign = (now.busy - before.busy) - (now.ours - before.ours);
        others.push((foreign / all).clamp(0.0, 1.0));
        stolen.push((now.stolen - before.stolen) / all);
        before = now;
    }
    let worst = |shares: &[f64]| crate::statistics::quantile(shares, 0.9);
    Ok(Disturbance {
        others: median(&others),
        others_worst: worst(&others),
        stolen: median(&stolen),
        stolen_worst: worst(&stolen),
    })
}
