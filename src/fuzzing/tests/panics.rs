//! Counts panics, because tokio and threads swallow them.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

use crate::evaluation::is_parsing_parquet;

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
    static IS_SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Counts the panics of each thread from now on.
pub fn count_from_now_on() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            // Those of the parser of Parquet files become errors.
            if is_parsing_parquet() {
                return;
            }
            PANICS.set(PANICS.get() + 1);
            if !IS_SILENT.get() {
                earlier(information);
            }
        }));
    });
}

/// Whether the panics of this thread print nothing. The inputs that shrink a failure repeat its
/// message.
pub fn silence(is_silent: bool) {
    IS_SILENT.set(is_silent);
}

/// The panics of this thread. The servers of the targets run on it.
pub fn of_this_thread() -> u64 {
    PANICS.get()
}
