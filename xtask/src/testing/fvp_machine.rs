//! The board for the FVP itself: TF-A's own BL31 boots on it, turns its cores in both clusters off and on
//! and suspends them. What fails on the board with Janus alone is then Janus' fault.

use super::boots::Bench;
use super::{Context, Tally, payload};
use crate::cli::{Plat, Runtime};
use crate::qemu::Machine;
use anyhow::{Result, ensure};

const NAME: &str = "fvp/reference";

/// Runs the case if it is asked for.
///
/// # Errors
/// Something that it needs cannot be built or downloaded.
pub fn run(context: &Context) -> Result<Tally> {
    let mut tally = Tally::default();
    if context.wants(NAME) {
        let mut args = context.args.clone();
        args.bl31 = Runtime::C;
        let context = Context {
            args,
            filter: String::new(),
        };
        tally.case(NAME, reference(&Bench::new(&context, Plat::Fvp)?));
    }
    Ok(tally)
}

fn reference(bench: &Bench) -> Result<()> {
    let (options, images) = bench.images(2)?;
    for filter in ["psci/off-on", "psci/suspend-standby"] {
        let machine = Machine {
            smp: 8,
            ..bench.machine(NAME, &options, &images, filter, &[])?
        };
        let report = payload::run(NAME, &bench.qemu, &machine)?;
        ensure!(report.failed.is_empty(), "{filter} failed, see above");
        ensure!(
            report.passed == [filter],
            "{filter} did not run (or something else did): {:?}",
            report.passed
        );
    }
    Ok(())
}
