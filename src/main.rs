//! The `rollcall` binary: the command line does the rest.

fn main() -> rollcall::cli::Exit {
    rollcall::cli::main()
}
