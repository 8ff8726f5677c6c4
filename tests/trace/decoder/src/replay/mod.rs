//! The recorded calls of both worlds, fed to the dispatcher's library on the host.
//!
//! What the recorded BL31 did next is held against what the library says. That is a conformance test of
//! Janus' image against its own library, a list of differences of any other BL31, and the source of the
//! reasons behind refusals.
//!
//! `config` says what is known of the SPMC, `machine` plays the part of bl31 around the library, and
//! `findings` gathers the differences.

mod config;
mod findings;
mod machine;

use crate::file::Trace;
use findings::Findings;
use machine::Machine;
use std::collections::HashMap;

pub use config::Setup;

/// What a replay found.
pub struct Replay {
    /// Why calls were refused, by the event that made them.
    pub reasons: HashMap<u32, String>,
    /// Where the recorded BL31 did something else.
    pub findings: Findings,
    /// What the replay had to assume.
    pub assumed: Vec<String>,
}

impl Replay {
    /// Replays a trace. `manifest`: the SPMC's as a device tree blob, where the trace does not have it.
    ///
    /// # Errors
    /// The bytes are no manifest.
    pub fn of(trace: &Trace, manifest: Option<&[u8]>) -> anyhow::Result<Replay> {
        let setup = Setup::find(trace, manifest)?;
        let mut machine = Machine::new(setup.spmd);
        for (number, event) in trace.events() {
            machine.event(number, &event);
        }
        machine.end();
        Ok(Replay {
            reasons: machine.reasons,
            findings: machine.findings,
            assumed: setup.assumed,
        })
    }
}
