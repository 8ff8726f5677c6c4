//! `cargo xtask`: builds, packages, runs and tests Janus.
//!
//! One module per topic. [`cli`] defines the commands. All modules below it take plain structs, so that the tests in
//! [`testing`] use the code that a person at the prompt uses. Downloads and what is built once live in the [`store`].

mod a64;
mod apt;
mod bench;
mod bl31;
mod call_graph;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod circles;
mod cli;
mod console;
mod doctor;
mod figures;
mod fip;
mod fuzz;
mod fuzz_host;
mod fvp_machine;
mod growth;
mod image;
mod interop;
#[cfg(test)]
mod licences;
#[cfg(test)]
mod links;
mod manifest;
mod model;
#[cfg(test)]
mod names;
mod no_panic;
#[cfg(test)]
mod one_platform;
mod own_machine;
mod own_manifest;
mod packages;
mod partitions;
mod parts;
mod paths;
mod picture;
mod pointer_calls;
mod pointers;
mod proc;
mod qemu;
mod room;
mod run;
mod size;
mod stack_depth;
mod stacks;
mod store;
mod testing;
mod tfa;
mod toolchain;
mod trace;
mod ui;
#[cfg(test)]
mod unsafe_code;
mod verdict;
#[cfg(test)]
mod words;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::dispatch(cli::Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
