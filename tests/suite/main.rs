//! The suite: one test binary, one file per promise or surface, every behaviour on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "in a test, a step that fails is the test that fails"
)]

mod console;
mod layers;
mod spine;
mod support;
