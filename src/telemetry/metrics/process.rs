//! This process, by the names that every Prometheus client uses: read from `/proc` when somebody asks.

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, WithCurrentSystemInfo as _};
use prometheus::{Counter, Error, Gauge, IntGauge};

use super::maker::Maker;

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
    pub(super) fn new(maker: &Maker) -> Result<Self, Error> {
        Ok(Self {
            cpu_seconds: maker.made(Counter::new(
                "process_cpu_seconds_total",
                "Processor time of this process, in user and kernel, in seconds.",
            )?)?,
            resident_bytes: maker.whole_gauge(
                "process_resident_memory_bytes",
                "Memory of this process that is in RAM, in bytes; models and what ONNX Runtime holds for them included.",
            )?,
            virtual_bytes: maker.whole_gauge(
                "process_virtual_memory_bytes",
                "Address space of this process, in bytes.",
            )?,
            open_fds: maker.whole_gauge("process_open_fds", "File descriptors that are open.")?,
            max_fds: maker.whole_gauge("process_max_fds", "File descriptors that may be open.")?,
            threads: maker.whole_gauge("process_threads", "Threads of this process.")?,
            start_time: maker.gauge(
                "process_start_time_seconds",
                "When this process started, in seconds since 1970.",
            )?,
        })
    }

    /// Reads them; what cannot be read stays as it was.
    pub(super) fn read(&self) {
        if let Err(error) = self.try_read() {
            tracing::debug!(%error, "/proc/self cannot be read");
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "ticks and seconds stay far below 2^53")]
    fn try_read(&self) -> ProcResult<()> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let cpu = (stat.utime + stat.stime) as f64 / ticks;
        // Two who ask at once must not turn it back.
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
