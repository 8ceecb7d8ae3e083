//! What takes longer than three seconds: real outages, kills under load, fail-overs. Left out of `.ci/test` by
//! the filter in `.ci/nextest.toml`; `.ci/nightly` runs it. What each shows is in docs/reliability.md.

mod clock;
mod fuzzing;
mod kills;
mod large;
mod limits;
mod outages;
mod searches;
mod sending;
mod soak;
