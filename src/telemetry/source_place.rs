//! JSON lines without the place in the source of a dependency.
//!
//! A dependency that logs with the `log` crate adds its file, line and module to each event. The file
//! is a path on the machine that compiled it. The text format leaves these fields out; the JSON
//! formatter of `tracing-subscriber` has no option to do so.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The fields of an event of the `log` crate that tell its place in the source, and its target again.
const PLACE_FIELDS: [&str; 4] = ["log.file", "log.line", "log.module_path", "log.target"];

/// Formats an event as `F` does, as a JSON object, without the fields that tell a place in the source.
pub(super) struct WithoutSourcePlace<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for WithoutSourcePlace<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let fields = event.metadata().fields();
        if PLACE_FIELDS.iter().all(|name| fields.field(name).is_none()) {
            return self.0.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        // The formatter writes an object. If it does not, the line is better than none.
        let Ok(mut object) = serde_json::from_str::<Map<String, Value>>(&line) else {
            return writer.write_str(&line);
        };
        for name in PLACE_FIELDS {
            object.remove(name);
        }
        writeln!(writer, "{}", Value::Object(object))
    }
}
