//! Connections: malformed bytes, misbehaving clients, age, TLS, tokens and the Unix socket.

mod bearer_tokens;
mod malformed_requests;
mod max_age;
mod misbehaving_clients;
mod tls;
mod tls_sessions;
mod unix_socket;
