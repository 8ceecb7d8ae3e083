//! The suite: one test binary, one file per promise or surface, every behaviour on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "in a test, a step that fails is the test that fails"
)]

mod console;
mod crashes;
mod deliveries;
mod demo;
mod durability;
mod holds;
mod intake;
mod layers;
mod leaves;
mod lifecycle;
mod migrations;
mod operators;
mod processes;
mod roads;
mod roles;
mod rules;
mod seats;
mod spine;
mod support;
mod webhook_contract;
mod webhook_door;
mod worker;
