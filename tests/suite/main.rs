//! The suite: one test binary, one file per promise or surface, every behaviour on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "in a test, a step that fails is the test that fails"
)]

mod browser;
mod catch_up;
mod console;
mod crashes;
mod deliveries;
mod demo;
mod durability;
mod failures;
mod fair_fake;
mod fields;
mod holds;
mod identity;
mod intake;
mod layers;
mod logins;
mod migrations;
mod operators;
mod processes;
mod reconcile;
mod roads;
mod roles;
mod rules;
mod spine;
mod support;
mod triggers_apply;
mod triggers_time;
mod visibility;
mod webhook_contract;
mod webhook_door;
mod worker;
