//! The metrics of the process, under the names of all Prometheus clients. Each scrape reads them
//! from `/proc`.

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, WithCurrentSystemInfo as _};
use prometheus::{Counter, Error, Gauge, IntGauge};

use super::registry::MetricRegistry;

pub(super) struct ProcessMetrics {
    cpu_seconds: Counter,
    resident_bytes: IntGauge,
    virtual_bytes: IntGauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
    threads: IntGauge,
    start_time: Gauge,
}

impl ProcessMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        Ok(Self {
            cpu_seconds: registry.register(Counter::new(
                "process_cpu_seconds_total",
                "User and system CPU time of the process, in seconds.",
            )?)?,
            resident_bytes: registry.int_gauge(
                "process_resident_memory_bytes",
                "Resident memory of the process in bytes, including the models and the memory of ONNX Runtime.",
            )?,
            virtual_bytes: registry.int_gauge(
                "process_virtual_memory_bytes",
                "Virtual memory of the process, in bytes.",
            )?,
            open_fds: registry.int_gauge("process_open_fds", "Open file descriptors.")?,
            max_fds: registry.int_gauge("process_max_fds", "The largest number of open file descriptors.")?,
            threads: registry.int_gauge("process_threads", "Threads of the process.")?,
            start_time: registry.gauge(
                "process_start_time_seconds",
                "When the process started, in seconds since 1970.",
            )?,
        })
    }

    /// Reads the metrics. A metric that cannot be read keeps its value.
    pub(super) fn read(&self) {
        if let Err(error) = self.try_read() {
            tracing::debug!(%error, "cannot read /proc/self");
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "ticks and seconds stay far below 2^53")]
    fn try_read(&self) -> ProcResult<()> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let cpu = (stat.utime + stat.stime) as f64 / ticks;
        // A concurrent scrape may hold an older value; a counter must not decrease.
        self.cpu_seconds.inc_by((cpu - self.cpu_seconds.get()).max(0.0));
        self.resident_bytes.set(wide(stat.rss_bytes().get()));
        self.virtual_bytes.set(wide(stat.vsize));
        self.threads.set(stat.num_threads);
        self.start_time
            .set(procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks);
        self.open_fds
            .set(i64::try_from(process.fd_count()?).unwrap_or(i64::MAX));
        self.max_fds.set(match process.limits()?.max_open_files.soft_limit {
            LimitValue::Value(most) => wide(most),
            LimitValue::Unlimited => i64::MAX,
        });
        Ok(())
    }
}

fn wide(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
