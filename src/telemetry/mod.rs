//! What an operator sees from outside: logs, for now.

mod logs;

pub use logs::init_logs;
