//! The boots in which the payloads' cases run, one line of data each.

use super::{
    Context, Tally, bad_input, black_box, crash, detour, drop_in, fvp_machine, hand_over, model,
    own_partitions, payload, verdicts,
};
use crate::cli::{BuildArgs, Plat, Runtime};
use crate::fip::{self, Images};
use crate::qemu::{Machine, Qemu};
use crate::stacks::test;
use crate::tfa::{self, Dispatcher, Options};
use crate::{bl31, paths, ui};
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;

/// A boot of the test payloads.
struct Boot {
    /// Its name for the person and the log.
    name: &'static str,
    /// The exception level of the SPMC.
    spmc_el: u8,
    /// QEMU's CPU model.
    cpu: &'static str,
    /// The number of cores.
    smp: u32,
    /// Lines for the payloads in addition to the usual ones, such as `ffa=1.0`: some cases only run with one.
    /// `image=NAME` is a cargo feature of the image under test.
    config: &'static [&'static str],
    /// Only cases whose names contain this; empty for all.
    only: &'static str,
    /// The QEMU that it runs on.
    qemu: Which,
}

/// Which QEMU a boot needs, and which machine of it.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Which {
    /// 10.0 or later.
    Recent,
    /// QEMU 10 with a GICv4, whose redistributors are larger.
    Gicv4,
    /// QEMU 10 with cores that have no EL2.
    NoEl2,
    /// The one of this machine's own Debian release: 7.2 on Debian 12.
    OwnRelease,
    /// Ours with the FVP's board, with these properties.
    Fvp(&'static str),
}

impl Which {
    /// The platform of the machine.
    fn plat(self) -> Plat {
        match self {
            Which::Recent | Which::Gicv4 | Which::NoEl2 | Which::OwnRelease => Plat::Qemu,
            Which::Fvp(_) => Plat::Fvp,
        }
    }

    /// The properties of the machine in addition to the usual ones.
    fn properties(self) -> Option<String> {
        match self {
            Which::Recent | Which::OwnRelease | Which::Fvp("") => None,
            Which::Gicv4 => Some("gic-version=4".into()),
            Which::NoEl2 => Some("virtualization=off".into()),
            Which::Fvp(properties) => Some(properties.into()),
        }
    }
}

/// Every boot. To add one, add a line.
#[rustfmt::skip]
const BOOTS: &[Boot] = &[
    Boot { name: "S-EL2, 4 cores", spmc_el: 2, cpu: "max", smp: 4, config: &[], only: "", qemu: Which::Recent },
    Boot { name: "S-EL1, 4 cores", spmc_el: 1, cpu: "max", smp: 4, config: &[], only: "", qemu: Which::Recent },
    Boot { name: "S-EL2, 1 core", spmc_el: 2, cpu: "max", smp: 1, config: &[], only: "", qemu: Which::Recent },
    Boot { name: "S-EL1, 1 core", spmc_el: 1, cpu: "max", smp: 1, config: &[], only: "", qemu: Which::Recent },
    Boot { name: "S-EL2, 8 cores", spmc_el: 2, cpu: "max", smp: 8, config: &[], only: "", qemu: Which::Recent },
    Boot { name: "S-EL2, 16 cores", spmc_el: 2, cpu: "max", smp: 16, config: &[], only: "psci/", qemu: Which::Recent },
    Boot { name: "S-EL1, 16 cores", spmc_el: 1, cpu: "max", smp: 16, config: &[], only: "psci/", qemu: Which::Recent },
    Boot { name: "S-EL1, 8 cores", spmc_el: 1, cpu: "max", smp: 8, config: &[], only: "", qemu: Which::Recent },
    Boot { name: "S-EL2, GICv4", spmc_el: 2, cpu: "max", smp: 8, config: &[], only: "psci/", qemu: Which::Gicv4 },
    Boot { name: "S-EL1, GICv4, SRI", spmc_el: 1, cpu: "max", smp: 8, config: &[], only: "sri/", qemu: Which::Gicv4 },
    Boot { name: "S-EL1, QEMU of this release", spmc_el: 1, cpu: "max", smp: 4, config: &[], only: "boot/", qemu: Which::OwnRelease },
    Boot { name: "S-EL1, QEMU of this release, FF-A", spmc_el: 1, cpu: "max", smp: 4, config: &[], only: "ffa/", qemu: Which::OwnRelease },
    Boot { name: "S-EL2, EL3 logical partition", spmc_el: 2, cpu: "max", smp: 1, config: &["spmc=greeter"], only: "ffa/el3-partition", qemu: Which::Recent },
    Boot { name: "S-EL1, EL3 logical partition", spmc_el: 1, cpu: "max", smp: 1, config: &["spmc=greeter"], only: "ffa/el3-partition", qemu: Which::Recent },
    Boot { name: "S-EL2, EL3 logical partition, an SPMC that locks versions", spmc_el: 2, cpu: "max", smp: 1, config: &["spmc=greeter,locks"], only: "ffa/el3-partition", qemu: Which::Recent },
    Boot { name: "S-EL2, cores lose power", spmc_el: 2, cpu: "max", smp: 4, config: &["image=lossy"], only: "psci/", qemu: Which::Recent },
    Boot { name: "S-EL1, cores lose power", spmc_el: 1, cpu: "max", smp: 4, config: &["image=lossy"], only: "psci/", qemu: Which::Recent },
    Boot { name: "S-EL2, all switched, cores lose power", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=switch-all", "image=lossy"], only: "psci/", qemu: Which::Recent },
    Boot { name: "S-EL2, cores lose power, poison", spmc_el: 2, cpu: "max", smp: 4, config: &["image=lossy"], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL1, cores lose power, poison", spmc_el: 1, cpu: "max", smp: 4, config: &["image=lossy"], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL2, all switched, cores lose power, poison", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=switch-all", "image=lossy"], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL2, a platform's calls", spmc_el: 2, cpu: "max", smp: 4, config: &["image=calls"], only: "platform/", qemu: Which::Recent },
    Boot { name: "S-EL1, a platform's calls", spmc_el: 1, cpu: "max", smp: 4, config: &["image=calls"], only: "platform/", qemu: Which::Recent },
    Boot { name: "S-EL2, a lab", spmc_el: 2, cpu: "max", smp: 4, config: &["image=lab"], only: "lab/", qemu: Which::Recent },
    Boot { name: "S-EL1, a lab", spmc_el: 1, cpu: "max", smp: 4, config: &["image=lab"], only: "lab/", qemu: Which::Recent },
    Boot { name: "S-EL2, events", spmc_el: 2, cpu: "max", smp: 4, config: &["image=calls,lab"], only: "event/", qemu: Which::Recent },
    Boot { name: "S-EL1, events", spmc_el: 1, cpu: "max", smp: 4, config: &["image=calls,lab"], only: "event/", qemu: Which::Recent },
    Boot { name: "S-EL2, live activation", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=v1.3", "ffa=1.3", "image=lab"], only: "lfa/", qemu: Which::Recent },
    Boot { name: "S-EL1, live activation", spmc_el: 1, cpu: "max", smp: 4, config: &["spmc=v1.3,el1", "image=lab"], only: "lfa/", qemu: Which::Recent },
    Boot { name: "S-EL2, resets", spmc_el: 2, cpu: "max", smp: 4, config: &[], only: "reset/", qemu: Which::Recent },
    Boot { name: "S-EL1, resets", spmc_el: 1, cpu: "max", smp: 4, config: &[], only: "reset/", qemu: Which::Recent },
    Boot { name: "S-EL2, max,sme=off", spmc_el: 2, cpu: "max,sme=off", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL2, max,sve=off,sme=off", spmc_el: 2, cpu: "max,sve=off,sme=off", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL2, neoverse-n2", spmc_el: 2, cpu: "neoverse-n2", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL2, neoverse-v1", spmc_el: 2, cpu: "neoverse-v1", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL2, all switched", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=switch-all"], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL2, all switched, neoverse-n2", spmc_el: 2, cpu: "neoverse-n2", smp: 4, config: &["spmc=switch-all"], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL2, old SPMC", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=old"], only: "old-spmc/", qemu: Which::Recent },
    Boot { name: "S-EL1, old SPMC", spmc_el: 1, cpu: "max", smp: 4, config: &["spmc=old"], only: "old-spmc/", qemu: Which::Recent },
    Boot { name: "S-EL2, old SPMC, cores lose power", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=old,primary-ep", "image=lossy"], only: "old-spmc/", qemu: Which::Recent },
    Boot { name: "S-EL1, old SPMC, cores lose power", spmc_el: 1, cpu: "max", smp: 4, config: &["spmc=old,primary-ep", "image=lossy"], only: "old-spmc/", qemu: Which::Recent },
    Boot { name: "S-EL2, doorbell", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=doorbell"], only: "sri/", qemu: Which::Recent },
    Boot { name: "S-EL2, both FF-A 1.3", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=v1.3", "ffa=1.3"], only: "ffa/", qemu: Which::Recent },
    Boot { name: "S-EL2, SPMC FF-A 1.1", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=v1.1"], only: "ffa/", qemu: Which::Recent },
    Boot { name: "S-EL2, SPMC FF-A 1.0", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=v1.0"], only: "ffa/", qemu: Which::Recent },
    Boot { name: "S-EL2, normal world FF-A 1.1", spmc_el: 2, cpu: "max", smp: 4, config: &["ffa=1.1"], only: "ffa/", qemu: Which::Recent },
    Boot { name: "S-EL1, normal world FF-A 1.0", spmc_el: 1, cpu: "max", smp: 4, config: &["ffa=1.0"], only: "ffa/", qemu: Which::Recent },
    Boot { name: "S-EL2, no secondary entry point", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=primary-ep"], only: "boot/", qemu: Which::Recent },
    Boot { name: "S-EL2, SPMC fails on core 1", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=boot-error-1"], only: "ffa/boot-error-secondary", qemu: Which::Recent },
    Boot { name: "S-EL1, SPMC fails on core 1", spmc_el: 1, cpu: "max", smp: 4, config: &["spmc=boot-error-1"], only: "ffa/boot-error-secondary", qemu: Which::Recent },
    Boot { name: "S-EL1, manifest as the C BL31 takes it", spmc_el: 1, cpu: "max", smp: 4, config: &["spmc=c-forms"], only: "boot/", qemu: Which::Recent },
    Boot { name: "S-EL2, stuck SPMC", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=stuck"], only: "ffa/stuck", qemu: Which::Recent },
    Boot { name: "S-EL1, stuck SPMC", spmc_el: 1, cpu: "max", smp: 4, config: &["spmc=stuck"], only: "ffa/stuck", qemu: Which::Recent },
    Boot { name: "S-EL2, stuck SPMC, reset", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=stuck"], only: "reset/", qemu: Which::Recent },
    Boot { name: "S-EL1, stuck SPMC, reset", spmc_el: 1, cpu: "max", smp: 4, config: &["spmc=stuck"], only: "reset/", qemu: Which::Recent },
    // They end only because EL3 stops waiting, at SYSTEM_OFF and at SYSTEM_RESET.
    Boot { name: "S-EL2, silent SPMC", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=silent-at-off"], only: "psci/version", qemu: Which::Recent },
    Boot { name: "S-EL1, silent SPMC", spmc_el: 1, cpu: "max", smp: 4, config: &["spmc=silent-at-off"], only: "psci/version", qemu: Which::Recent },
    Boot { name: "S-EL2, silent SPMC, reset", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=silent-at-off"], only: "reset/", qemu: Which::Recent },
    Boot { name: "S-EL1, silent SPMC, reset", spmc_el: 1, cpu: "max", smp: 4, config: &["spmc=silent-at-off"], only: "reset/", qemu: Which::Recent },
    Boot { name: "S-EL2, SPMC fails", spmc_el: 2, cpu: "max", smp: 4, config: &["spmc=boot-error"], only: "noffa/", qemu: Which::Recent },
    Boot { name: "S-EL2, twin partitions", spmc_el: 2, cpu: "max", smp: 4, config: &["image=twins"], only: "noffa/", qemu: Which::Recent },
    Boot { name: "S-EL1, max,sme=off", spmc_el: 1, cpu: "max,sme=off", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL1, max,sve=off,sme=off", spmc_el: 1, cpu: "max,sve=off,sme=off", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL1, neoverse-n2", spmc_el: 1, cpu: "neoverse-n2", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL1, neoverse-v1", spmc_el: 1, cpu: "neoverse-v1", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL1, neoverse-n1", spmc_el: 1, cpu: "neoverse-n1", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL1, no EL2", spmc_el: 1, cpu: "max", smp: 4, config: &[], only: "boot/", qemu: Which::NoEl2 },
    Boot { name: "S-EL1, cortex-a72", spmc_el: 1, cpu: "cortex-a72", smp: 4, config: &[], only: "smccc/", qemu: Which::Recent },
    Boot { name: "S-EL1, neoverse-n1, the small services", spmc_el: 1, cpu: "neoverse-n1", smp: 2, config: &[], only: "smccc/", qemu: Which::Recent },
    Boot { name: "S-EL1, cortex-a57", spmc_el: 1, cpu: "cortex-a57", smp: 4, config: &[], only: "poison/", qemu: Which::Recent },
    Boot { name: "S-EL2 on cortex-a57, which has none", spmc_el: 2, cpu: "cortex-a57", smp: 4, config: &["spmc=sel2-only"], only: "noffa/", qemu: Which::Recent },
    Boot { name: "FVP, S-EL2, 4 cores", spmc_el: 2, cpu: "max", smp: 4, config: &[], only: "", qemu: Which::Fvp("") },
    Boot { name: "FVP, S-EL1, 4 cores", spmc_el: 1, cpu: "max", smp: 4, config: &[], only: "", qemu: Which::Fvp("") },
    Boot { name: "FVP, S-EL2, 1 core", spmc_el: 2, cpu: "max", smp: 1, config: &[], only: "", qemu: Which::Fvp("") },
    Boot { name: "FVP, S-EL1, 1 core", spmc_el: 1, cpu: "max", smp: 1, config: &[], only: "", qemu: Which::Fvp("") },
    Boot { name: "FVP, S-EL2, two clusters", spmc_el: 2, cpu: "max", smp: 8, config: &[], only: "psci/", qemu: Which::Fvp("") },
    Boot { name: "FVP, S-EL1, two clusters", spmc_el: 1, cpu: "max", smp: 8, config: &[], only: "psci/", qemu: Which::Fvp("") },
    Boot { name: "FVP, S-EL2, WFIs that end", spmc_el: 2, cpu: "max", smp: 8, config: &[], only: "psci/churn", qemu: Which::Fvp("flaky=on") },
    Boot { name: "FVP, S-EL1, WFIs that end", spmc_el: 1, cpu: "max", smp: 4, config: &[], only: "psci/suspend", qemu: Which::Fvp("flaky=on") },
    Boot { name: "FVP, S-EL1, TZC lost", spmc_el: 1, cpu: "max", smp: 4, config: &[], only: "psci/system-suspend", qemu: Which::Fvp("deep=on") },
    Boot { name: "FVP, older Base, S-EL1", spmc_el: 1, cpu: "max", smp: 8, config: &[], only: "psci/s", qemu: Which::Fvp("variant=base,mt=off") },
    Boot { name: "FVP, Foundation, S-EL1", spmc_el: 1, cpu: "max", smp: 4, config: &[], only: "psci/s", qemu: Which::Fvp("variant=foundation,mt=off") },
];

/// Boots that take long and show little more than the others: run with `--full`, or by name.
#[rustfmt::skip]
const MORE_BOOTS: &[Boot] = &[
    Boot { name: "FVP, S-EL2, 8 cores", spmc_el: 2, cpu: "max", smp: 8, config: &[], only: "", qemu: Which::Fvp("") },
    Boot { name: "FVP, S-EL1, 8 cores", spmc_el: 1, cpu: "max", smp: 8, config: &[], only: "", qemu: Which::Fvp("") },
];

/// Areas whose cases only make sense in boots that are made for them. The payloads have this list too.
const OWN_BOOTS: &[&str] = &["noffa/", "reset/", "handover/"];

/// Areas whose cases xtask drives, without a payload.
const NO_BOOTS: &[&str] = &["build/", "run/"];

/// Lines of [`Boot::config`] for which the SPMC has a manifest of its own.
const MANIFESTS: &[(&str, &str)] = &[
    ("spmc=switch-all", "test-spmc-all.dts"),
    ("spmc=old", "test-spmc-all.dts"),
    ("spmc=old,primary-ep", "test-spmc-all.dts"),
    ("spmc=doorbell", "test-spmc-doorbell.dts"),
    ("spmc=c-forms", "test-spmc-c-forms.dts"),
    ("spmc=v1.0", "test-spmc-v1.0.dts"),
    ("spmc=v1.1", "test-spmc-v1.1.dts"),
    ("spmc=v1.3", "test-spmc-v1.3.dts"),
    ("spmc=v1.3,el1", "test-spmc-v1.3-el1.dts"),
    ("spmc=sel2-only", "test-spmc-sel2-only.dts"),
];

/// What all boots share.
pub struct Setup<'a> {
    /// What is tested.
    pub context: &'a Context,
    /// The platform of these machines.
    pub plat: Plat,
    /// The test SPMC.
    pub spmc: PathBuf,
    /// The test hypervisor.
    pub hypervisor: PathBuf,
    /// 10.0 or later.
    pub qemu: Qemu,
}

impl<'a> Setup<'a> {
    /// Builds or finds what the boots on a platform share.
    ///
    /// # Errors
    /// It cannot be built or downloaded.
    pub fn new(context: &'a Context, plat: Plat) -> Result<Self> {
        Ok(Setup {
            context,
            plat,
            spmc: test::payload(plat, "spmc")?,
            hypervisor: test::payload(plat, "hypervisor")?,
            qemu: Qemu::find(plat, context.args.qemu.as_deref())?,
        })
    }

    /// Returns the BL31 under test, for a TF-A option set.
    ///
    /// # Errors
    /// It does not build.
    pub fn bl31(&self, options: &Options) -> Result<PathBuf> {
        bl31::image(&self.build(), || tfa::build(options, None))
    }

    /// The options with which the BL31 under test is built.
    fn build(&self) -> BuildArgs {
        BuildArgs {
            plat: self.plat,
            ..self.context.build()
        }
    }

    /// Returns the usual images, with the SPMC at `spmc_el`.
    ///
    /// # Errors
    /// BL31 does not build.
    pub fn images(&self, spmc_el: u8) -> Result<(Options, Images)> {
        let el2 = spmc_el == 2;
        let dispatcher = if el2 {
            Dispatcher::SpmdEl2
        } else {
            Dispatcher::SpmdEl1
        };
        let options = Options {
            plat: self.plat,
            dispatcher,
            ..Options::default()
        };
        let images = Images {
            bl31: self.bl31(&options)?,
            bl32: Some(self.spmc.clone()),
            manifest: Some(test::manifest(self.plat, test::usual_manifest(el2))?),
            tb_fw_config: el2.then(|| paths::fiptool_cfg("no-partitions.dts")),
            bl33: Some(self.hypervisor.clone()),
            ..Images::default()
        };
        Ok((options, images))
    }

    /// A machine that runs the payloads' cases whose names contain `filter`.
    ///
    /// # Errors
    /// Something does not build or does not fit.
    pub fn machine(
        &self,
        name: &str,
        options: &Options,
        images: &Images,
        filter: &str,
        config: &[&str],
    ) -> Result<Machine> {
        let id = name.replace([' ', ',', '/'], "_");
        let dir = paths::out().join("test").join(id);
        let flash = fip::pack(&tfa::build(options, None)?, images, &dir)?;
        let text = dir.join("config.txt");
        let args = &self.context.args;
        std::fs::write(
            &text,
            test::config_text("test", filter, args.bl31.name(), args.rounds, config),
        )?;
        Ok(Machine {
            loaded: vec![(text, test::config_address(self.plat))],
            ..Machine::new(options.plat, flash)
        })
    }
}

/// Runs all boots that are asked for, and then the boots that are made to fail.
///
/// # Errors
/// Something that all boots need cannot be built or downloaded.
pub fn run(context: &Context) -> Result<Tally> {
    tfa::ensure_tools()?;
    let mut tally = Tally::default();
    for plat in [Plat::Qemu, Plat::Fvp] {
        if context.args.plat.is_none_or(|wanted| wanted == plat) {
            tally.add(run_on(context, plat)?);
        }
    }
    if context.args.boot.is_none() && context.args.plat != Some(Plat::Qemu) {
        tally.add(fvp_machine::run(context)?);
        tally.add(model::run(context));
    }
    Ok(tally)
}

fn run_on(context: &Context, plat: Plat) -> Result<Tally> {
    let asked = |boot: &&Boot| {
        let name = context.args.boot.as_ref();
        boot.qemu.plat() == plat && name.is_none_or(|name| boot.name.contains(name.as_str()))
    };
    let mut tally = Tally::default();
    let others = context.args.boot.is_none() && context.args.bl31 == Runtime::Janus;
    let more = context.args.full || context.args.boot.is_some();
    let more = if more { MORE_BOOTS } else { &[] };
    let boots: Vec<&Boot> = BOOTS.iter().chain(more).filter(asked).collect();
    let detour = plat == Plat::Qemu && detour::asked(context);
    if boots.is_empty() && !others && !detour {
        return Ok(tally);
    }
    let setup = Setup::new(context, plat)?;
    for boot in boots {
        tally.add(
            boot.run(&setup)
                .with_context(|| format!("in the boot `{}`", boot.name))?,
        );
    }
    if detour {
        tally.add(detour::run(&setup)?);
    }
    if others {
        tally.add(hand_over::run(&setup));
    }
    if others {
        tally.add(bad_input::run(&setup)?);
    }
    if others && plat == Plat::Qemu {
        tally.add(crash::run(&setup));
        tally.add(black_box::run(&setup));
        tally.add(verdicts::run(&setup));
        tally.add(own_partitions::run(context));
    }
    if others {
        tally.add(drop_in::run(&setup)?);
    }
    Ok(tally)
}

/// Looks whether a stuck SPMC was given up for its wrong calls: EL3's patience would end the boot, too.
fn ended_by_the_count(boot: &str) -> Result<()> {
    let log = payload::log(boot);
    let text = std::fs::read_to_string(&log)?;
    ensure!(
        text.contains("the SPMC died") && !text.contains("does not answer that the system stops"),
        "EL3 has not given up the SPMC for its wrong calls (log: {})",
        log.display()
    );
    Ok(())
}

/// Looks whether the console has the reason why there is no FF-A.
fn says_what_is_wrong(boot: &str) -> Result<()> {
    let log = payload::log(boot);
    let text = std::fs::read_to_string(&log)?;
    ensure!(
        text.contains("no FF-A: two EL3 logical partitions have the ID 0xffc0"),
        "the console does not say which partitions are faulty (log: {})",
        log.display()
    );
    Ok(())
}

impl Boot {
    fn run(&self, setup: &Setup) -> Result<Tally> {
        let Some(filter) = self.filter(&setup.context.filter) else {
            return Ok(Tally::default());
        };
        let qemu = match self.qemu {
            Which::Recent | Which::Gicv4 | Which::NoEl2 | Which::Fvp(_) => setup.qemu.clone(),
            Which::OwnRelease => match Qemu::own_release() {
                Ok(qemu) => qemu,
                Err(error) => {
                    ui::say(format!("{}: skipped, {error:#}", self.name));
                    return Ok(Tally {
                        skipped: 1,
                        ..Tally::default()
                    });
                }
            },
        };
        let (options, mut images) = setup.images(self.spmc_el)?;
        for line in self.config {
            // An oddity of the SPMC that its manifest has to state too.
            if let Some((_, manifest)) = MANIFESTS.iter().find(|(oddity, _)| oddity == line) {
                images.manifest = Some(test::manifest(setup.plat, manifest)?);
            }
        }
        if self.config.iter().any(|line| line.starts_with("spmc=old")) {
            images.bl32 = Some(test::payload(setup.plat, "old-spmc")?);
            if self.spmc_el == 1 {
                images.manifest = Some(test::manifest(setup.plat, "test-spmc-all-el1.dts")?);
            }
        }
        let greets = |line: &&str| line.starts_with("spmc=greeter");
        if self.config.iter().any(greets) && setup.context.args.bl31 == Runtime::Janus {
            images.bl31 = bl31::with_feature(&setup.build(), "greeter")?;
        }
        if let Some(feature) = self.config.iter().find_map(|l| l.strip_prefix("image=")) {
            if setup.context.args.bl31 != Runtime::Janus {
                return Ok(Tally::default());
            }
            images.bl31 = bl31::with_feature(&setup.context.build(), feature)?;
        }
        let machine = setup.machine(self.name, &options, &images, filter, self.config)?;
        let machine = Machine {
            cpu: self.cpu.into(),
            smp: self.smp,
            // One core does not need the host's other cores, and its time must not depend on the host's load.
            icount: self.smp == 1,
            properties: self.qemu.properties(),
            reboots: self.only == "reset/",
            ..machine
        };
        let mut tally = payload::run(self.name, &qemu, &machine)?.tally;
        if self.config.contains(&"spmc=stuck") && setup.context.args.bl31 == Runtime::Janus {
            tally.case(self.name, ended_by_the_count(self.name));
        }
        if self.config.contains(&"image=twins") {
            tally.case(self.name, says_what_is_wrong(self.name));
        }
        Ok(tally)
    }

    /// The filter for the payloads when the person asked for `filter`; `None` if nothing of this boot was asked for.
    fn filter<'a>(&'a self, filter: &'a str) -> Option<&'a str> {
        let of_other_boots = OWN_BOOTS.iter().any(|area| filter.starts_with(area));
        let of_none = NO_BOOTS.iter().any(|area| filter.starts_with(area));
        if of_none || of_other_boots && self.only.is_empty() {
            None
        } else {
            among(self.only, filter)
        }
    }
}

/// The filter for the payloads of a boot that runs the cases `only`, when the person asked for `filter`; `None` if none of
/// them was asked for.
pub fn among<'a>(only: &'a str, filter: &'a str) -> Option<&'a str> {
    if filter.is_empty() || only.contains(filter) {
        Some(only)
    } else {
        filter.starts_with(only).then_some(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_needs_no_boot_has_none() {
        let asked = |filter: &'static str| BOOTS.iter().filter_map(|b| b.filter(filter)).count();
        assert_eq!(asked("build/nothing-twice"), 0);
        assert_eq!(asked("run/until"), 0);
        assert!(asked("ffa/stuck") > 0 && asked("reset/") > 0);
    }

    /// A case of an area with boots of its own has no other boot, although its name may hold another area's.
    #[test]
    fn a_case_of_such_an_area_has_its_boots_alone() {
        for area in OWN_BOOTS {
            for boot in BOOTS.iter().chain(MORE_BOOTS) {
                if boot.filter(area).is_some() {
                    assert!(boot.only.starts_with(area), "{}: {area}", boot.name);
                }
            }
        }
    }
}
