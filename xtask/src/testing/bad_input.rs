//! Unusable input from BL2: the console must say what is wrong, the normal world must boot, and FF-A must be
//! NOT_SUPPORTED. Without a normal world EL3 must say so and stop.

use super::boots::Setup;
use super::{Tally, payload};
use crate::cli::Plat;
use crate::console::{self, Limits, Uart};
use crate::fip::{self, Images};
use crate::qemu::Machine;
use crate::stacks::test;
use crate::tfa::{self, Dispatcher, Options};
use crate::{paths, ui};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};

/// A case: one unusable input.
struct Bad {
    /// The case.
    name: &'static str,
    /// How BL2 is configured.
    dispatcher: Dispatcher,
    /// The change to the manifest of the test SPMC at S-EL1.
    manifest: Manifest,
    /// What the console has to say; upper and lower case are alike.
    says: &'static str,
}

/// The manifest that a case hands over.
enum Manifest {
    /// No manifest.
    None,
    /// These bytes.
    Raw(&'static [u8]),
    /// The usual one, with the first text replaced by the second.
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

/// Runs the cases that are asked for; on the FVP, those that need no BL2 of their own.
///
/// # Errors
/// The machines cannot be set up.
pub fn run(setup: &Setup) -> Result<Tally> {
    let mut tally = Tally::default();
    let qemu = setup.plat == Plat::Qemu;
    for bad in CASES
        .iter()
        .filter(|bad| qemu || bad.dispatcher == Dispatcher::SpmdEl1)
        .filter(|bad| setup.context.wants(bad.name))
    {
        let result = bad.run(setup);
        tally.case(bad.name, result);
    }
    if !qemu {
        if setup.context.wants(BL33_SPSR) {
            tally.case(BL33_SPSR, bl33_spsr(setup));
        }
        return Ok(tally);
    }
    if setup.context.wants(NO_VECTORS) {
        tally.case(NO_VECTORS, no_vectors(setup));
    }
    if setup.context.wants(NO_BL33) {
        tally.case(NO_BL33, no_bl33(setup));
    }
    if setup.context.wants(BL33_SPSR) {
        tally.case(BL33_SPSR, bl33_spsr(setup));
    }
    if setup.context.wants(GICV2) {
        tally.case(GICV2, gicv2(setup));
    }
    Ok(tally)
}

impl Bad {
    fn run(&self, setup: &Setup) -> Result<()> {
        let dir = paths::out().join("test").join(self.name.replace('/', "_"));
        std::fs::create_dir_all(&dir)?;
        let options = Options {
            plat: setup.plat,
            dispatcher: self.dispatcher,
            ..Options::default()
        };
        let images = Images {
            bl31: setup.bl31(&options)?,
            bl32: (self.dispatcher != Dispatcher::None).then(|| setup.spmc.clone()),
            manifest: self.manifest.write(setup.plat, &dir)?,
            bl33: Some(setup.hypervisor.clone()),
            ..Images::default()
        };
        boots_without_ffa(setup, self.name, &options, &images, self.says)
    }
}

impl Manifest {
    fn write(&self, plat: Plat, dir: &Path) -> Result<Option<PathBuf>> {
        Ok(match self {
            Manifest::None => None,
            Manifest::Raw(bytes) => {
                let file = dir.join("manifest.dtb");
                std::fs::write(&file, bytes)?;
                Some(file)
            }
            Manifest::Edited(from, to) => {
                let usual = test::manifest(plat, test::usual_manifest(false))?;
                let text = std::fs::read_to_string(&usual)?;
                // The text is the one for QEMU.
                let address = |plat: Plat| format!("{:#010x}", plat.spmc());
                let from = from.replace(&address(Plat::Qemu), &address(plat));
                ensure!(
                    text.contains(&from),
                    "{} has no `{from}` to replace",
                    usual.display()
                );
                let file = dir.join("manifest.dts");
                std::fs::write(&file, text.replace(&from, to))?;
                Some(file)
            }
        })
    }
}

/// Boots. The console has to say `says`, and the normal world must find no FF-A.
fn boots_without_ffa(
    setup: &Setup,
    name: &str,
    options: &Options,
    images: &Images,
    says: &str,
) -> Result<()> {
    let machine = setup.machine(name, options, images, "noffa/", &[])?;
    let report = payload::run(name, &setup.qemu, &machine)?;
    let log = paths::out().join(format!("log/qemu-{}.log", name.replace('/', "_")));
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
        said.contains(says),
        "the console does not say `{}` (log: {})",
        says,
        log.display()
    );
    Ok(())
}

const NO_VECTORS: &str = "boot/spmc-without-vectors";

/// Boots an SPMC whose first instruction, before it has set its vectors, is undefined: EL3 must report its end.
fn no_vectors(setup: &Setup) -> Result<()> {
    let dir = paths::out().join("test/boot_spmc-without-vectors");
    std::fs::create_dir_all(&dir)?;
    let udf = dir.join("udf.bin");
    std::fs::write(&udf, [0; 4])?;
    for level in [1, 2] {
        let (options, mut images) = setup.images(level)?;
        images.bl32 = Some(udf.clone());
        let says = format!("exception before it set vbar_el{level}: esr 0x2000000, elr 0xe100000");
        boots_without_ffa(setup, NO_VECTORS, &options, &images, &says)?;
    }
    Ok(())
}

const NO_BL33: &str = "boot/no-bl33";

/// BL2's list has no BL33: EL3 must say so and stop.
///
/// TF-A's BL2 never leaves BL33 out, so its image is edited: its record of BL31 says that BL33 follows, and then that
/// nothing does.
fn no_bl33(setup: &Setup) -> Result<()> {
    let dir = paths::out().join("test/boot_no-bl33");
    std::fs::create_dir_all(&dir)?;
    let options = Options {
        plat: setup.plat,
        dispatcher: Dispatcher::None,
        ..Options::default()
    };
    let mut built = tfa::build(&options, None)?;
    built.bl2 = without_bl33(&built.bl2, &dir)?;
    let images = Images {
        bl31: setup.bl31(&options)?,
        bl33: Some(setup.hypervisor.clone()),
        ..Images::default()
    };
    let machine = Machine::new(options.plat, fip::pack(&built, &images, &dir)?);
    stops(setup, NO_BL33, &machine, "BL33")
}

const BL33_SPSR: &str = "boot/bl33-spsr";

/// BL2 gives BL33 a state that no ERET can reach: EL3 must say so and stop.
///
/// TF-A's BL2 always gives a possible state, so BL31's first instruction is replaced by a detour that writes another
/// one into BL2's list.
fn bl33_spsr(setup: &Setup) -> Result<()> {
    let dir = paths::out().join("test/boot_bl33-spsr");
    std::fs::create_dir_all(&dir)?;
    let (options, images) = setup.images(1)?;
    let image = std::fs::read(&images.bl31)?;
    // AArch32 Supervisor; M[1] set; EL3; EL2 with SPSR.IL.
    for (spsr, why) in [
        (0x1d3, "that is AArch32"),
        (0x3c7, "neither EL1 nor EL2"),
        (0x3cd, "neither EL1 nor EL2"),
        (0x10_03c9, "IL bit"),
    ] {
        let bl31 = dir.join(format!("bl31-{spsr:x}.bin"));
        std::fs::write(&bl31, with_bl33_spsr(&image, spsr)?)?;
        let images = Images {
            bl31,
            ..images.clone()
        };
        let machine = setup.machine(BL33_SPSR, &options, &images, "", &[])?;
        stops(setup, BL33_SPSR, &machine, why)?;
    }
    Ok(())
}

/// A BL31 that writes `spsr` into BL2's entry point of BL33 and then goes on as `image`.
fn with_bl33_spsr(image: &[u8], spsr: u32) -> Result<Vec<u8>> {
    let mut bytes = image.to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let first = bytes.first_chunk().copied().map(u32::from_le_bytes);
    let first = first.context("BL31 is empty")?;
    let detour = u32::try_from(bytes.len() / 4)?;
    let half = |shift: u32| (spsr >> shift & 0xffff) << 5;
    let code = [
        0xf940_0409,            // ldr x9, [x0, #8]: the list's first node
        0xb940_012a,            // 1: ldr w10, [x9]: its image
        0x7100_155f,            // cmp w10, #5: BL33?
        0x5400_0060,            // b.eq 2f
        0xf940_0d29,            // ldr x9, [x9, #24]
        0x17ff_fffc,            // b 1b
        0xf940_092a,            // 2: ldr x10, [x9, #16]: its entry point
        0x5280_000b | half(0),  // mov w11, #spsr[15:0]
        0x72a0_000b | half(16), // movk w11, #spsr[31:16], lsl #16
        0xb900_114b,            // str w11, [x10, #16]
        first,                  // BL31's first instruction
    ];
    let back = 1_u32.wrapping_sub(detour + code.len() as u32);
    for word in code.into_iter().chain([0x1400_0000 | back & 0x03ff_ffff]) {
        bytes.extend(word.to_le_bytes());
    }
    bytes[..4].copy_from_slice(&(0x1400_0000 | detour).to_le_bytes());
    Ok(bytes)
}

const GICV2: &str = "boot/gicv2";

/// A machine with a GICv2, which Janus does not support: EL3 must say so and stop.
fn gicv2(setup: &Setup) -> Result<()> {
    let dir = paths::out().join("test/boot_gicv2");
    std::fs::create_dir_all(&dir)?;
    let (options, images) = setup.images(1)?;
    let machine = Machine {
        properties: Some("gic-version=2".into()),
        ..setup.machine(GICV2, &options, &images, "", &[])?
    };
    stops(setup, GICV2, &machine, "GICv2 is not supported")
}

/// Boots `machine`. EL3 has to say `why`, and the normal world must not run.
pub(super) fn stops(setup: &Setup, name: &str, machine: &Machine, why: &str) -> Result<()> {
    let log = paths::out().join(format!("log/qemu-{}.log", name.replace('/', "_")));
    let step = ui::step(name);
    let mut running = console::start(&setup.qemu, machine, &log, false, Limits::secs(60, 120))?;
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
    // In a record of BL2's table of images, the image's ID is at 0, and the ID of the image that follows at NEXT.
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
