//! What takes longer than a few seconds by itself: real outages and processes that stand still. `.ci/nightly`
//! runs them; the normal run leaves them out.

mod sending;
