//! Attacks on a running server: one type for each, shared by the soak and the serving benchmark.
//!
//! An [`Attack`] speaks raw HTTP/2 frames from an address of its own. [`RunningAttack`] runs it on a
//! thread of low priority until it is stopped, and counts what it sent. [`all_attacks`] lists the
//! attacks at the sizes of the reports.
//!
//! | file | attacks |
//! |---|---|
//! | `incomplete_messages` | prefixes without their message, half-sent messages |
//! | `silent_sockets` | sockets that send nothing, to the gRPC port or the metrics port |
//! | `frame_floods` | SETTINGS, PING and empty DATA frames, and empty messages of a PredictStream |
//! | `short_lived_requests` | requests that are reset at once, or have a deadline of a millisecond |
//! | `aborted_connections` | clients that are killed with requests in flight, and come back |
//! | `unbounded_work` | requests that no server can answer in time, and huge vote budgets |
//! | `unread_answers` | health watches without end, and answers that nobody reads |

mod aborted_connections;
mod attack;
mod catalogue;
mod connection;
mod frame_floods;
mod incomplete_messages;
mod runner;
mod send_credit;
mod short_lived_requests;
mod silent_sockets;
mod target;
mod unbounded_work;
mod unread_answers;

#[path = "../../tests/adversary/raw_http2.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the tests use the rest; an attack encodes no frame that these functions reject"
)]
mod raw_http2;

pub use attack::{Attack, AttackCounts};
pub use catalogue::{AttackMessages, all_attacks, wire_attacks, work_attacks};
pub use runner::RunningAttack;
pub use target::Target;
