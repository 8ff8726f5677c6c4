//! Tests the board for the FVP by itself: TF-A's own BL31 boots on it, turns its cores in both clusters off and on and
//! suspends them. A failure on the board with Janus alone is then a fault of Janus.

use super::boots::Setup;
use super::{Context, Tally, bad_input, payload};
use crate::cli::{Plat, Runtime};
use crate::console::{self, Limits, Uart};
use crate::qemu::Machine;
use crate::{paths, ui};
use anyhow::{Context as _, Result, ensure};

const NAME: &str = "fvp/reference";

/// A case: a machine with a fault, and what EL3 has to say about it.
struct Bad {
    /// The case.
    name: &'static str,
    /// The property of our board that makes the fault.
    property: &'static str,
    /// What the console has to say.
    says: &'static str,
    /// Whether the boot ends there.
    ends: bool,
}

#[rustfmt::skip]
const BAD: &[Bad] = &[
    Bad { name: "fvp/sys-id-juno", property: "sys-id=0x02521100", says: "SYS_ID is 0x2521100: the image is for", ends: true },
    Bad { name: "fvp/sys-id-gicv2-map", property: "sys-id=0x20200100", says: "SYS_ID is 0x20200100: the image is for", ends: true },
    Bad { name: "fvp/all-powered", property: "startup=all", says: "it has power already (a model must start with core 0 alone", ends: false },
    Bad { name: "fvp/power-kept", property: "flaky=on", says: "it kept its power in a power-down", ends: false },
    Bad { name: "fvp/unknown-core", property: "unknown-core=1", says: "cannot turn it on: the power controller does not know it", ends: false },
];

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
        tally.case(NAME, reference(&Setup::new(&context, Plat::Fvp)?));
    }
    if context.args.bl31 == Runtime::Janus && BAD.iter().any(|bad| context.wants(bad.name)) {
        let setup = Setup::new(context, Plat::Fvp)?;
        for bad in BAD.iter().filter(|bad| context.wants(bad.name)) {
            tally.case(bad.name, bad.run(&setup));
        }
    }
    Ok(tally)
}

impl Bad {
    fn run(&self, setup: &Setup) -> Result<()> {
        let (options, images) = setup.images(1)?;
        let machine = Machine {
            properties: Some(self.property.to_owned()),
            ..setup.machine(self.name, &options, &images, "psci/off-on", &[])?
        };
        if self.ends {
            return bad_input::stops(setup, self.name, &machine, self.says);
        }
        let log = paths::out().join(format!("log/qemu-{}.log", self.name.replace('/', "_")));
        let step = ui::step(self.name);
        let mut running =
            console::start(&setup.qemu, &machine, &log, false, Limits::secs(60, 120))?;
        running
            .expect(Uart::Normal, self.says)
            .with_context(|| format!("log: {}", log.display()))?;
        step.done();
        Ok(())
    }
}

fn reference(setup: &Setup) -> Result<()> {
    let (options, images) = setup.images(2)?;
    for filter in ["psci/off-on", "psci/suspend-standby"] {
        let machine = Machine {
            smp: 8,
            ..setup.machine(NAME, &options, &images, filter, &[])?
        };
        let report = payload::run(NAME, &setup.qemu, &machine)?;
        ensure!(report.failed.is_empty(), "{filter} failed, see above");
        ensure!(
            report.passed == [filter],
            "{filter} did not run (or something else did): {:?}",
            report.passed
        );
    }
    Ok(())
}
