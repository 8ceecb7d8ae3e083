//! What the tests stand on: databases of their own, the source as data, and later the app, its peers
//! and its verbs.

pub mod postgres;
pub mod source;
