# The habitual commands: `just` lists them. Each line is a script or cargo; just is not needed for any of it.

set positional-arguments

# List the commands
default:
    @just --list

# See Rollcall with a company that is made up
demo:
    cargo run --release -- demo

# Serve with a throw-away secret and SQLite, sending nothing
dev:
    cargo run -- serve --dev

# Compile everything, tests included, without running it
check:
    cargo check --all-targets

# Format the code
fmt:
    cargo fmt

# Format, lint and document as CI does; seconds once everything is built
quick:
    .ci/run formatting lints docs

# Everything that CI does
ci:
    .ci/run

# The tests whose name contains a text: `just test r13_`; without one, all
test *filter:
    .ci/test "$@"

# The same on SQLite only, without starting PostgreSQL: `just sqlite r13_only`
sqlite filter:
    cargo nextest run --config-file .ci/nextest.toml -E 'test({{filter}}) & not test(on_postgres)'

# The unit tests only
unit *filter:
    cargo nextest run --config-file .ci/nextest.toml --lib "$@"

# Random histories through the roll: `just histories 1000000` for the long run
histories count='10000':
    .ci/histories {{count}}

# Break the roll on purpose and see that the tests notice
mutations *name:
    .ci/mutations "$@"

# What takes longer: outages, a soak, fuzzing
nightly *steps:
    .ci/nightly "$@"

# Write the tests of each rule into docs/rules.md
rules:
    .ci/rules

# The table of settings for README.md
settings:
    cargo run --quiet -- config reference

# Licences, unused crates, known advisories
dependencies:
    .ci/run dependencies
