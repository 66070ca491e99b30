//! The program `forecourt`: everything is in the library.

use std::process::ExitCode;

/// A delivery is some hundreds of small texts on their way from JSON to rows.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    forecourt::cli::main()
}
