//! The question before something that cannot be taken back: what it does in plain words, a button that
//! does it, and where nothing is left to be undone, a word to be typed first.

use askama::Template;

use super::frame::Frame;

/// A page that asks.
#[derive(Template)]
#[template(path = "confirm.html", config = "src/console/askama.toml")]
pub(super) struct Confirm {
    pub frame: Frame,
    pub title: String,
    /// What it does, a paragraph each.
    pub said: Vec<String>,
    /// Where the form goes.
    pub action: String,
    /// What must be typed.
    pub word: Option<&'static str>,
    pub button: String,
    pub back: String,
    pub csrf: String,
}
