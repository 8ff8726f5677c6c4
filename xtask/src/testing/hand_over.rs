//! The hand-over by transfer list (DEN0135), and images that are not loaded to the usual address.
//!
//! There are two forms. TF-A built with TRANSFER_LIST=1 hands over BL2's own list beside a transfer list. Later
//! versions of TF-A hand over the transfer list alone on other platforms; that form is made here. BL2 loads and enters
//! a few instructions and a list that stand before the image, and the instructions enter the image.

use super::boots::Setup;
use super::{Tally, bad_input, payload};
use crate::cli::Plat;
use crate::fip::{self, Images};
use crate::paths;
use crate::stacks::test;
use crate::tfa::Options;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;

const BOTH: &str = "handover/both";
const ALONE: &str = "handover/alone";
const NO_MANIFEST: &str = "handover/no-manifest";
const BAD: &str = "handover/bad";
const MISPLACED: &str = "handover/misplaced";

/// A case's function.
type Test = fn(&Setup) -> Result<()>;

const TESTS: &[(&str, Test)] = &[
    (BOTH, both),
    (ALONE, alone),
    (NO_MANIFEST, no_manifest),
    (BAD, bad),
    (MISPLACED, misplaced),
];

/// Runs the cases that are asked for.
pub fn run(setup: &Setup) -> Tally {
    let mut tally = Tally::default();
    for (name, test) in TESTS.iter().filter(|(name, _)| setup.context.wants(name)) {
        tally.case(name, test(setup));
    }
    tally
}

/// TF-A's own form: BL31 has another base, and both lists are there.
fn both(setup: &Setup) -> Result<()> {
    let (mut options, images) = setup.images(1)?;
    options.more = vec!["TRANSFER_LIST=1".to_owned()];
    let (filter, says) = match setup.plat {
        Plat::Qemu => ("boot/", "transfer list at"),
        // The FVP has no parameter list, and no manifest in the transfer list.
        Plat::Fvp => ("noffa/", "nor in its transfer list"),
    };
    runs(setup, BOTH, &options, &images, filter, says)
}

/// A transfer list alone.
fn alone(setup: &Setup) -> Result<()> {
    let (options, images) = setup.images(1)?;
    let images = behind(&images, ALONE, &Detour::usual(setup, ALONE)?)?;
    runs(setup, ALONE, &options, &images, "boot/", "transfer list at")
}

/// A transfer list alone, without the SPMC's manifest, as from TF-A 2.12 on the FVP: no FF-A.
fn no_manifest(setup: &Setup) -> Result<()> {
    let (options, images) = setup.images(1)?;
    let mut detour = Detour::usual(setup, NO_MANIFEST)?;
    detour.entries.retain(|(tag, _)| *tag != SPMC_MANIFEST);
    let images = behind(&images, NO_MANIFEST, &detour)?;
    let says = "nor in its transfer list";
    runs(setup, NO_MANIFEST, &options, &images, "noffa/", says)
}

/// Lists that cannot be used: EL3 says why, and that there is no normal world.
fn bad(setup: &Setup) -> Result<()> {
    let (options, images) = setup.images(1)?;
    let usual = Detour::usual(setup, BAD)?;
    let with = |change: fn(&mut Detour)| {
        let mut detour = usual.clone();
        change(&mut detour);
        detour
    };
    for (detour, why) in [
        (
            with(|d| d.damage = Some((30, 0x40))),
            "its checksum is wrong by",
        ),
        (with(|d| d.damage = Some((0, 1))), "its signature is"),
        (with(|d| d.x1 += 1 << 32), "is not known"),
        (with(|d| d.list_at += 4), "its alignment is wrong"),
        (
            with(|d| d.x3 = Some(0x6000_0000)),
            "x3 = 0x60000000 is not in BL2's memory",
        ),
        (
            with(|d| d.entries.last_mut().expect("BL33").1.truncate(80)),
            "has only 80 bytes",
        ),
        (
            with(|d| d.entries.last_mut().expect("BL33").1[0] = 9),
            "has type 9",
        ),
    ] {
        let images = behind(&images, BAD, &detour)?;
        let machine = setup.machine(BAD, &options, &images, "", &[])?;
        bad_input::stops(setup, BAD, &machine, why)?;
    }
    Ok(())
}

/// An image that cannot run at its address: it has to say so.
fn misplaced(setup: &Setup) -> Result<()> {
    let (options, images) = setup.images(1)?;
    let usual = Detour::usual(setup, MISPLACED)?;
    let loaded = setup.plat.bl31();
    // In the middle of a page; and with the end above EL3's memory, if BL2 can load it there.
    let offsets: &[usize] = match setup.plat {
        Plat::Qemu => &[0x1840, 0x4_0000],
        Plat::Fvp => &[0x1840],
    };
    for &offset in offsets {
        let detour = Detour {
            image_at: offset,
            ..usual.clone()
        };
        let why = format!("BL31 is at {:#x} to", loaded + offset as u64);
        let images = behind(&images, MISPLACED, &detour)?;
        let machine = setup.machine(MISPLACED, &options, &images, "", &[])?;
        bad_input::stops(setup, MISPLACED, &machine, &why)?;
    }
    Ok(())
}

/// Boots `images`. Cases of `filter` must run and pass, and the console has to say `says`.
fn runs(
    setup: &Setup,
    name: &str,
    options: &Options,
    images: &Images,
    filter: &str,
    says: &str,
) -> Result<()> {
    let machine = setup.machine(name, options, images, filter, &["handover=list"])?;
    let report = payload::run(name, &setup.qemu, &machine)?;
    let log = paths::out().join(format!("log/qemu-{}.log", name.replace('/', "_")));
    ensure!(report.failed.is_empty(), "cases failed, see above");
    ensure!(!report.passed.is_empty(), "no case ran");
    ensure!(
        std::fs::read_to_string(&log)?.contains(says),
        "the console does not say `{says}` (log: {})",
        log.display()
    );
    Ok(())
}

/// The tags of a list's entries.
const DEVICE_TREE: u32 = 1;
const SPMC_MANIFEST: u32 = 0x101;
const ENTRY_POINT: u32 = 0x102;

/// What stands before the image: instructions that enter it with given registers, and a list.
#[derive(Clone)]
struct Detour {
    x1: u64,
    /// The list's address in x3; `None` for the real one.
    x3: Option<u32>,
    entries: Vec<(u32, Vec<u8>)>,
    /// The offset of the list.
    list_at: usize,
    /// The offset of the image.
    image_at: usize,
    /// A byte of the finished list, and what is added to it.
    damage: Option<(usize, u8)>,
}

impl Detour {
    /// A usable one, with the test payloads.
    fn usual(setup: &Setup, name: &str) -> Result<Self> {
        let dir = directory(name)?;
        let manifest = test::manifest(setup.plat, test::usual_manifest(false))?;
        let manifest = std::fs::read(fip::device_tree(&manifest, &dir)?)?;
        let (spmc, hypervisor) = (setup.plat.spmc(), setup.plat.bl33());
        let entries = vec![
            // An entry that BL31 does not read.
            (DEVICE_TREE, b"a device tree".to_vec()),
            (SPMC_MANIFEST, manifest),
            (ENTRY_POINT, entry_point(0, spmc, 0)),
            (ENTRY_POINT, entry_point(1, hypervisor, 0x3c9)),
        ];
        Ok(Detour {
            x1: 0x1_4a0f_b10b,
            x3: None,
            entries,
            list_at: 0x800,
            image_at: 0x3000,
            damage: None,
        })
    }

    /// The bytes of instructions and list, with the image behind them.
    fn image(&self, bl31: &[u8]) -> Vec<u8> {
        let half = |shift: u32| (self.x1 >> shift & 0xffff) as u32;
        let here = |word: usize, to: usize| ((to - word * 4) >> 2) as u32;
        let adr = |word: usize, to: usize, register: u32| {
            0x1000_0000 | ((to & 3) as u32) << 29 | here(word, to) << 5 | register
        };
        let x3 = match self.x3 {
            None => [adr(0, self.list_at, 3), 0xd503_201f],
            Some(at) => [
                0xd280_0003 | (at & 0xffff) << 5,
                0xf2a0_0003 | (at >> 16) << 5,
            ],
        };
        let code = [
            x3[0],                                // adr x3, list, or movz
            x3[1],                                // nop, or movk
            0xd280_0001 | half(0) << 5,           // mov x1, #...
            0xf2a0_0001 | half(16) << 5,          // movk
            0xf2c0_0001 | half(32) << 5,          // movk
            0xd280_0002,                          // mov x2, #0
            adr(6, self.list_at + 32, 0),         // adr x0, the first entry's data
            0x1400_0000 | here(7, self.image_at), // b image
        ];
        let mut bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(self.list_at, 0);
        bytes.extend(self.list());
        // A list that is longer than the room before the image is cut off. Nobody reads that part.
        bytes.resize(self.image_at, 0);
        bytes.extend(bl31);
        bytes
    }

    fn list(&self) -> Vec<u8> {
        let mut list = vec![0; 24];
        for (tag, data) in &self.entries {
            list.extend((tag | 8 << 24).to_le_bytes());
            list.extend((data.len() as u32).to_le_bytes());
            list.extend(data);
            list.resize(list.len().next_multiple_of(8), 0);
        }
        let size = (list.len() as u32).to_le_bytes();
        list[..4].copy_from_slice(&0x4a0f_b10b_u32.to_le_bytes());
        list[5..8].copy_from_slice(&[1, 24, 3]);
        list[8..12].copy_from_slice(&size);
        list[12..16].copy_from_slice(&size);
        list[16] = 1;
        let sum = list.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        list[4] = 0_u8.wrapping_sub(sum);
        if let Some((at, by)) = self.damage {
            list[at] = list[at].wrapping_add(by);
        }
        list
    }
}

/// An entry point with these attributes, which name its world.
fn entry_point(attributes: u32, pc: u64, spsr: u64) -> Vec<u8> {
    let mut bytes = vec![1, 2, 88, 0];
    bytes.extend(attributes.to_le_bytes());
    bytes.extend(pc.to_le_bytes());
    bytes.extend(spsr.to_le_bytes());
    bytes.resize(88, 0);
    bytes
}

/// The images, with a detour before BL31.
fn behind(images: &Images, name: &str, detour: &Detour) -> Result<Images> {
    let bl31 = directory(name)?.join("bl31.bin");
    let image = std::fs::read(&images.bl31)
        .with_context(|| format!("cannot read {}", images.bl31.display()))?;
    std::fs::write(&bl31, detour.image(&image))?;
    Ok(Images {
        bl31,
        ..images.clone()
    })
}

fn directory(name: &str) -> Result<PathBuf> {
    let dir = paths::out().join("test").join(name.replace('/', "_"));
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
