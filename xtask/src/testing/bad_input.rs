//! What BL2 can hand over that cannot be used: the console says what is wrong, the normal world
//! boots, and FF-A is NOT_SUPPORTED. Without a normal world: a clear stop.

use super::boots::Bench;
use super::{Tally, payload};
use crate::console::{self, Limits, Uart};
use crate::fip::{self, Images};
use crate::qemu::Machine;
use crate::stacks::test;
use crate::tfa::{self, Dispatcher, Options};
use crate::{paths, ui};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};

/// One thing that is wrong.
struct Bad {
    /// The case.
    name: &'static str,
    /// How BL2 is configured.
    dispatcher: Dispatcher,
    /// What is changed in the manifest of the test SPMC at S-EL1.
    manifest: Manifest,
    /// What the console has to say, upper or lower case.
    says: &'static str,
}

/// The manifest that a case hands over.
enum Manifest {
    /// None.
    None,
    /// These bytes.
    Raw(&'static [u8]),
    /// The usual one with this text replaced by that one.
    Edited(&'static str, &'static str),
}

#[rustfmt::skip]
const CASES: &[Bad] = &[
    Bad { name: "boot/no-bl32", dispatcher: Dispatcher::None, manifest: Manifest::None, says: "no bl32" },
    Bad { name: "boot/no-manifest", dispatcher: Dispatcher::NoManifest, manifest: Manifest::None, says: "manifest" },
    Bad { name: "boot/manifest-no-device-tree", dispatcher: Dispatcher::SpmdEl1, manifest: Manifest::Raw(b"This is no device tree, whatever BL2 thinks of it.\n"), says: "not a device tree" },
    Bad { name: "boot/manifest-version", dispatcher: Dispatcher::SpmdEl1, manifest: Manifest::Edited("maj_ver = <1>", "maj_ver = <2>"), says: "version 2." },
    Bad { name: "boot/manifest-id", dispatcher: Dispatcher::SpmdEl1, manifest: Manifest::Edited("spmc_id = <0x8000>", "spmc_id = <0x1>"), says: "spmc_id 0x1" },
    Bad { name: "boot/manifest-entry-point", dispatcher: Dispatcher::SpmdEl1, manifest: Manifest::Edited("entrypoint = <0x0 0x0e100000>", "entrypoint = <0x0 0x60000000>"), says: "entrypoint 0x60000000" },
];

/// Runs the cases that are asked for.
///
/// # Errors
/// The machines cannot be made.
pub fn run(bench: &Bench) -> Result<Tally> {
    let mut tally = Tally::default();
    for bad in CASES.iter().filter(|b| bench.context.wants(b.name)) {
        let result = bad.run(bench);
        tally.case(bad.name, result);
    }
    if bench.context.wants(NO_BL33) {
        tally.case(NO_BL33, no_bl33(bench));
    }
    if bench.context.wants(GICV2) {
        tally.case(GICV2, gicv2(bench));
    }
    Ok(tally)
}

impl Bad {
    fn run(&self, bench: &Bench) -> Result<()> {
        let dir = paths::out().join("test").join(self.name.replace('/', "_"));
        std::fs::create_dir_all(&dir)?;
        let options = Options {
            dispatcher: self.dispatcher,
            ..Options::default()
        };
        let images = Images {
            bl31: bench.bl31(&options)?,
            bl32: (self.dispatcher != Dispatcher::None).then(|| bench.spmc.clone()),
            manifest: self.manifest.write(&dir)?,
            bl33: Some(bench.hypervisor.clone()),
            ..Images::default()
        };
        let machine = bench.machine(self.name, &options, &images, "noffa/", &[])?;
        let report = payload::run(self.name, &bench.qemu, &machine)?;
        let log = paths::out().join(format!("log/qemu-{}.log", self.name.replace('/', "_")));
        let said = std::fs::read_to_string(&log)?.to_lowercase();
        ensure!(
            report.failed.is_empty(),
            "the normal world's cases failed, see above"
        );
        ensure!(
            !report.passed.is_empty(),
            "the normal world ran no case (log: {})",
            log.display()
        );
        ensure!(
            said.contains(self.says),
            "the console does not say `{}` (log: {})",
            self.says,
            log.display()
        );
        Ok(())
    }
}

impl Manifest {
    fn write(&self, dir: &Path) -> Result<Option<PathBuf>> {
        Ok(match self {
            Manifest::None => None,
            Manifest::Raw(bytes) => {
                let file = dir.join("manifest.dtb");
                std::fs::write(&file, bytes)?;
                Some(file)
            }
            Manifest::Edited(from, to) => {
                let usual = test::manifest(false);
                let text = std::fs::read_to_string(&usual)?;
                ensure!(
                    text.contains(from),
                    "{} has no `{from}` to replace",
                    usual.display()
                );
                let file = dir.join("manifest.dts");
                std::fs::write(&file, text.replace(from, to))?;
                Some(file)
            }
        })
    }
}

const NO_BL33: &str = "boot/no-bl33";

/// BL2's list has no BL33: EL3 says so and stops.
///
/// TF-A's BL2 never leaves BL33 out, so its image is edited: its record of BL31 names BL33 as the
/// image that follows, and then none.
fn no_bl33(bench: &Bench) -> Result<()> {
    let dir = paths::out().join("test/boot_no-bl33");
    std::fs::create_dir_all(&dir)?;
    let options = Options {
        dispatcher: Dispatcher::None,
        ..Options::default()
    };
    let mut built = tfa::build(&options, None)?;
    built.bl2 = without_bl33(&built.bl2, &dir)?;
    let images = Images {
        bl31: bench.bl31(&options)?,
        bl33: Some(bench.hypervisor.clone()),
        ..Images::default()
    };
    let machine = Machine::new(fip::pack(&built, &images, &dir)?);
    stops(bench, NO_BL33, &machine, "BL33")
}

const GICV2: &str = "boot/gicv2";

/// A machine with an interrupt controller that is out of scope: EL3 says so and stops.
fn gicv2(bench: &Bench) -> Result<()> {
    let dir = paths::out().join("test/boot_gicv2");
    std::fs::create_dir_all(&dir)?;
    let (options, images) = bench.images(1)?;
    let machine = Machine {
        properties: Some("gic-version=2".into()),
        ..bench.machine(GICV2, &options, &images, "", &[])?
    };
    stops(bench, GICV2, &machine, "GICv2 is not supported")
}

/// Boots `machine`: EL3 has to say `why`, and the normal world must not run.
fn stops(bench: &Bench, name: &str, machine: &Machine, why: &str) -> Result<()> {
    let log = paths::out().join(format!("log/qemu-{}.log", name.replace('/', "_")));
    let step = ui::step(name);
    let mut running = console::start(&bench.qemu, machine, &log, false, Limits::secs(60, 120))?;
    for text in [why, "this core stops here"] {
        if let Err(error) = running.expect(Uart::Normal, text) {
            bail!(
                "the console does not say `{text}`: {error:#}\nlog: {}\n{}",
                log.display(),
                running.last_lines()
            );
        }
    }
    ensure!(
        !running.normal.contains("hypervisor:"),
        "the normal world ran (log: {})",
        log.display()
    );
    step.done();
    Ok(())
}

/// Writes a BL2 whose list ends with BL31.
fn without_bl33(bl2: &Path, dir: &Path) -> Result<PathBuf> {
    // A record of BL2's table of images: the image's ID at 0, and at NEXT the ID of the one that follows.
    const NEXT: usize = 120;
    let mut bytes = std::fs::read(bl2).with_context(|| format!("cannot read {}", bl2.display()))?;
    let word =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let last = bytes.len().saturating_sub(NEXT + 4);
    let records: Vec<usize> = (0..last)
        .step_by(8)
        .filter(|at| word(*at) == 3 && word(at + NEXT) == 5)
        .collect();
    let [record] = records[..] else {
        bail!(
            "BL2's record of BL31 was found {} times, not once",
            records.len()
        )
    };
    bytes[record + NEXT..record + NEXT + 4].fill(0xff);
    let file = dir.join("bl2.bin");
    std::fs::write(&file, bytes)?;
    Ok(file)
}
