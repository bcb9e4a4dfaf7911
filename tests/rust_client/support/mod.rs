//! Servers for the client: the real binary as a child process, and one whose answers a test writes.

pub mod certificates;
pub mod inputs;
pub mod scripted_server;
pub mod server_process;
