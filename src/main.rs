//! The program `forecourt`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    forecourt::cli::main()
}
