//! What the tests stand on: databases of their own, the app and its verbs, the real binary, events
//! as WorkOS sends them, real servers for mail and HTTP, and the source as data.

pub mod app;
pub mod binary;
pub mod chromium;
pub mod company;
pub mod contract;
pub mod events;
pub mod http;
pub mod http_sink;
pub mod line;
pub mod macros;
pub mod operators;
pub mod own_postgres;
pub mod place;
pub mod plans;
pub mod post;
pub mod postgres;
pub mod roll;
pub mod sending;
pub mod smtp;
pub mod source;
pub mod wait;
pub mod workos;
