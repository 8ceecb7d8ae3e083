//! Rollcall keeps the roll of who works there: it consumes WorkOS Directory Sync webhooks.
//!
//! The path of one event: `http::webhook` verifies the raw bytes and hands the event to the
//! `intake` committer; one transaction later it is durable in the `outbox` and WorkOS gets its 200;
//! the `worker` claims a batch, loads what it touches, folds it with the pure `domain`, and writes
//! profiles, memberships, audit rows and due deliveries in one transaction; the delivery loop then
//! sends what is due, each under its own lease, outside of any transaction.

pub mod app;
pub mod cli;
pub mod clock;
pub mod conditions;
pub mod config;
pub mod console;
pub mod crash;
pub mod db;
pub mod domain;
pub mod http;
pub mod intake;
pub mod operations;
pub mod outbox;
pub mod retry;
pub mod stop;
pub mod store;
pub mod telemetry;
pub mod triggers;
pub mod upstream;
pub mod worker;
pub mod workos;
