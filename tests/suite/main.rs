//! The suite: one test binary, one file per promise or surface, every behaviour on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "in a test, a step that fails is the test that fails"
)]

mod browser;
mod console;
mod crashes;
mod deliveries;
mod demo;
mod durability;
mod erasure;
mod failures;
mod fields;
mod holds;
mod identity;
mod intake;
mod layers;
mod migrations;
mod operators;
mod processes;
mod retention;
mod revoke;
mod roads;
mod roles;
mod rules;
mod spine;
mod story;
mod support;
mod undo;
mod visibility;
mod webhook_contract;
mod webhook_door;
mod worker;
