//! The suite: one test binary, one file per promise or surface, every behaviour on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "in a test, a step that fails is the test that fails"
)]

mod attack_list;
mod attacks_console;
mod attacks_doors;
mod attacks_sensitive;
mod attacks_templates;
mod attacks_words;
mod browser;
mod browser_admin;
mod browser_pages;
mod catch_up;
mod channels;
mod clean_values;
mod clocks;
mod commands;
mod console;
mod console_admin;
mod console_pages;
mod crash_steps;
mod crashes;
mod crowded;
mod damaged_company;
mod deliveries;
mod demo;
mod destinations;
mod doctor;
mod durability;
mod enabling;
mod erasure;
mod failures;
mod fair_fake;
mod famous_failures;
mod fields;
mod fuzzing;
mod histories;
mod holds;
mod identity;
mod identity_swaps;
mod innocent;
mod intake;
mod large;
mod layers;
mod leaves;
mod lifecycle;
mod live_reconcile;
mod logins;
mod mail_tls;
mod membership_words;
mod messages_fail_safe;
mod migrations;
mod nightly;
mod on_call;
mod openapi;
mod operators;
mod paging;
mod plans;
mod processes;
mod reconcile;
mod refused;
mod replaced_directories;
mod replay_jobs;
mod restored;
mod retention;
mod retired_words;
mod revoke;
mod roads;
mod roles;
mod rule_numbers;
mod rules;
mod scheduled;
mod seats;
mod second_source;
mod sending_crashes;
mod sending_heals;
mod spine;
mod sqlite_files;
mod stopping;
mod story;
mod support;
mod suspended;
mod targets;
mod triggers_apply;
mod triggers_time;
mod undo;
mod visibility;
mod webhook_contract;
mod webhook_door;
mod worker;
