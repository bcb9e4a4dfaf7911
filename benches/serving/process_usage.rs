//! Processor time and memory of processes, as Linux reports them.

use std::time::Duration;

use procfs::process::Process;

/// User and system time of all threads of a process so far.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = process(pid)?.stat()?;
    let ticks = stat.utime + stat.stime;
    Ok(Duration::from_secs_f64(
        ticks as f64 / procfs::ticks_per_second() as f64,
    ))
}

/// Resident memory of a process in bytes.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    Ok(process(pid)?.status()?.vmrss.unwrap_or_default() * 1024)
}

/// Processor time of the current thread so far, in steps of a nanosecond.
pub fn thread_cpu_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn process(pid: u32) -> anyhow::Result<Process> {
    Ok(Process::new(i32::try_from(pid)?)?)
}
