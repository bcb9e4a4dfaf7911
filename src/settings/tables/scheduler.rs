//! `[scheduler]`: the queues of rows.

use std::time::Duration;

use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

/// `[scheduler]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedulerSettings {
    /// Most rows that are admitted for one model and not yet finished.
    pub queue_rows: usize,
    /// How long rows may wait for a fuller batch; zero for not at all.
    pub max_queue_delay: Duration,
}

pub(in crate::settings) fn read(reader: &mut Reader, max_inputs: usize) -> SchedulerSettings {
    const QUEUE_ROWS: SettingKey = SettingKey::live(
        "scheduler.queue_rows",
        KeyScope::Operation,
        "Most rows that are admitted for one model and not yet finished; at least `server.max_inputs`.",
    )
    .in_unit("rows");
    let queue_rows = reader.size(QUEUE_ROWS, 4096, 1..=1 << 20);
    reader.check(queue_rows >= max_inputs, QUEUE_ROWS, || {
        format!("must hold one full request: at least server.max_inputs = {max_inputs}")
    });
    let max_queue_delay = reader.duration(
        SettingKey::live(
            "scheduler.max_queue_delay",
            KeyScope::Operation,
            "How long rows may wait for a fuller batch. `\"0s\"` never waits.",
        ),
        Duration::ZERO,
        Duration::ZERO..=Duration::from_secs(1),
    );
    SchedulerSettings {
        queue_rows,
        max_queue_delay,
    }
}
