//! Tests the entries of EL3 that go through AArch32 (bl31/src/speculation.rs). QEMU has no CPU model that needs them.
//!
//! Cortex-A73 needs them, by the image's table of CPU models. In that table the test exchanges Cortex-A73 with Cortex-A72,
//! which QEMU has. The rest is the image that users get.

use super::boots::{self, Setup};
use super::{Context, Tally, payload};
use crate::cli::Runtime;
use crate::qemu::Machine;
use crate::{bl31, image, paths};
use anyhow::{Context as _, Result, ensure};
use object::{Object, ObjectSymbol};
use std::path::Path;

/// The boot's name.
const NAME: &str = "S-EL1, cortex-a72 whose entries are cortex-a73's";
/// The cases that run there: calls, interrupts, power.
const CASES: &str = "ffa/";
/// The table, by its path.
const TABLE: &str = "janus_bl31::speculation::MODELS";
/// MIDR_EL1.PartNum of the two.
const CORTEX_A72: [u8; 2] = 0xd08_u16.to_le_bytes();
const CORTEX_A73: [u8; 2] = 0xd09_u16.to_le_bytes();

/// Returns whether the boot is asked for.
pub fn asked(context: &Context) -> bool {
    let args = &context.args;
    args.bl31 == Runtime::Janus
        && match &args.boot {
            Some(boot) => NAME.contains(boot.as_str()),
            None => boots::among(CASES, &context.filter).is_some(),
        }
}

/// Runs the boot.
///
/// # Errors
/// Something cannot be built or found.
pub fn run(setup: &Setup) -> Result<Tally> {
    let filter = &setup.context.filter;
    let cases = boots::among(CASES, filter).unwrap_or(filter);
    let dir = paths::out().join("test/detour");
    std::fs::create_dir_all(&dir)?;
    let (options, mut images) = setup.images(1)?;
    images.bl31 = dir.join("bl31.bin");
    exchange(&bl31::elf(&setup.context.build())?, &images.bl31)?;
    let machine = setup.machine(NAME, &options, &images, cases, &[])?;
    let machine = Machine {
        cpu: "cortex-a72".into(),
        smp: 4,
        ..machine
    };
    Ok(payload::run(NAME, &setup.qemu, &machine)?.tally)
}

/// Writes the flat image of `elf` to `to`, with the two models exchanged in the table.
fn exchange(elf: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(elf)?;
    let file = object::File::parse(&*bytes)?;
    let table = file
        .symbols()
        .find(|symbol| {
            let name = symbol.name().unwrap_or_default();
            format!("{:#}", rustc_demangle::demangle(name)) == TABLE
        })
        .with_context(|| format!("the image has no `{TABLE}`"))?;
    let (base, mut flat) = image::loaded(&file)?;
    let start = (table.address() - base) as usize;
    let mut found = 0;
    for line in flat[start..start + table.size() as usize].chunks_exact_mut(4) {
        for part in [0, 2] {
            let part = &mut line[part..part + 2];
            let other = match [part[0], part[1]] {
                CORTEX_A72 => CORTEX_A73,
                CORTEX_A73 => CORTEX_A72,
                _ => continue,
            };
            part.copy_from_slice(&other);
            found += 1;
        }
    }
    ensure!(found == 2, "`{TABLE}` has {found} of the two models");
    std::fs::write(to, flat)?;
    Ok(())
}
