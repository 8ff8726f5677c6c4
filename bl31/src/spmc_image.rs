//! The SPMC as BL2 left it: its image, its manifest, and what follows from them.

use crate::boot_params::LoadedImage;
use crate::hw::shared_ram;
use crate::messages::{info, warning};
use crate::services::partitions::Partitions;
use crate::sgis::Sri;
use crate::system::Spmc;
use crate::transfer_list::{Tag, TransferList, X1};
use core::fmt;
use core::ops::Range;
use janus_context::{Policy, SpmcMode, spsr};
use janus_plat::{Plat, Platform};
use janus_spmd::manifest::{Known, Manifest, ManifestError, Reason};
use janus_spmd::{SpmcConfig, Spmd};

/// Reads BL32's record and the SPMC manifest, which is in the transfer list or at the address in BL32's first
/// argument. Returns the dispatcher and the description of the SPMC.
///
/// # Errors
///
/// The reason why the SPMC cannot be used, for the console.
pub fn find(
    bl32: Option<&mut LoadedImage>,
    list: Option<&TransferList<'static>>,
    partitions: Partitions,
) -> Result<(Spmd, Spmc), NoSpmc> {
    let bl32 = bl32.ok_or(NoSpmc::NoImage)?;
    let args = &mut bl32.entry.args;
    let in_list = list.and_then(|list| list.find(Tag::SPMC_MANIFEST));
    let bytes = match in_list {
        Some(entry) => {
            args[0] = entry.at;
            entry.data
        }
        None => {
            shared_ram::page_from(args[0]).ok_or(NoSpmc::NoManifest(args[0], list.is_some()))?
        }
    };
    if let Some(list) = list {
        args[1..4].copy_from_slice(&[X1, 0, list.address()]);
    }
    let manifest = Manifest::parse(bytes)?;
    let place = bl32.place.clone().unwrap_or_default();
    let image = manifest.image(place.start, place.end - place.start, bl32.entry.pc)?;
    if image.range.start < Plat::SECURE_RAM.start || image.range.end > Plat::SECURE_RAM.end {
        return Err(NoSpmc::Place(image.range));
    }

    for oddity in manifest.warnings() {
        warning!("the SPMC manifest: {oddity}");
    }
    let known = Known {
        cpu_has_sel2: Policy::cpu_has_sel2(),
        // TF-A's BL2 leaves the SPSR zero: EL3 is to choose the level.
        bl2_level: Some(bl32.entry.spsr)
            .filter(|spsr| *spsr != 0)
            .map(|spsr| spsr::el(spsr.into())),
    };
    let (sel2, reason) = manifest.at_sel2(known)?;
    let mode = match (manifest.switch_all, sel2) {
        (true, true) => SpmcMode::All,
        (false, true) => SpmcMode::SEl2,
        // An SPMC at S-EL1 shares no EL2 registers.
        (_, false) => SpmcMode::SEl1,
    };
    let (id, version) = (manifest.id, manifest.version);
    let number = u64::from(id);
    let (entry, level) = (image.entry, 1 + u32::from(sel2));
    info!("SPMC {number:#x}, FF-A {version}, at {entry:#x}, S-EL{level} ({reason})");
    if reason == Reason::Nothing {
        warning!(
            "nothing says at which level the SPMC runs: set janus,spmc-el = <1> or <2> in its manifest"
        );
    }
    if reason == Reason::Cpu && manifest.hypervisor {
        warning!("the manifest has a `hypervisor` node, as an SPMC for S-EL2 has");
    }
    let spmd = Spmd::with_spmc(SpmcConfig {
        id,
        version,
        sel2,
        image: image.range,
        entry: image.entry,
        doorbell_sri: manifest.doorbell.map(|_| manifest.sri),
        partitions,
    });
    let sri = Sri {
        id: manifest.sri,
        doorbell: manifest.doorbell,
    };
    let args = bl32.entry.args;
    Ok((
        spmd,
        Spmc {
            args,
            sel2,
            mode,
            sri,
        },
    ))
}

/// Why there is no SPMC.
pub enum NoSpmc {
    /// BL2 loaded none.
    NoImage,
    /// BL2 gives no manifest at this address; nor is there one in the transfer list, if the flag is set.
    NoManifest(u64, bool),
    /// A manifest that cannot be used.
    Manifest(ManifestError),
    /// The image is outside of secure RAM, at this range.
    Place(Range<u64>),
}

impl From<ManifestError> for NoSpmc {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

impl fmt::Display for NoSpmc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoImage => {
                f.write_str("BL2 loaded no BL32 (put an SPMC into the FIP: fiptool --tos-fw)")
            }
            &Self::NoManifest(at, list) => {
                let nor = if list {
                    ", nor in its transfer list"
                } else {
                    ""
                };
                write!(
                    f,
                    "BL2 gives no SPMC manifest in its memory{nor} (x0 = {at:#x}; fiptool --tos-fw-config)"
                )
            }
            Self::Manifest(error) => write!(f, "the SPMC manifest: {error}"),
            Self::Place(range) => write!(
                f,
                "the SPMC manifest puts the SPMC at {:#x} to {:#x}, outside secure RAM: correct load_address and binary_size",
                range.start, range.end
            ),
        }
    }
}
