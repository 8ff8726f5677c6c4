//! `janus-trace`: what `cargo xtask trace` starts.

use clap::Parser;
use janus_trace::command::{Command, run};
use std::process::ExitCode;

/// Ends with 0, with 1 for what `--check` found, or with 2 and a message.
fn main() -> ExitCode {
    match run(&Command::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
