// SPDX-License-Identifier: BSD-3-Clause

//! The SPMC manifest (DEN0077A, "SPMC manifest"; `compatible = "arm,ffa-core-manifest-1.0"`): a device
//! tree of at most one page that BL2 hands over with BL32.
//!
//! It is data from outside: nothing in it panics the parser, and each fault has an error that says
//! what to change. Properties of Janus's own, in the `attribute` node, are named `janus,…`.

#![no_std]
#![forbid(unsafe_code)]

mod fdt;

use core::fmt;
use core::ops::Range;
use fdt::{Malformed, Token, Tokens};
use janus_arm::ffa::Version;

/// The largest manifest: one page.
pub const MAX_SIZE: usize = 4096;

/// The value that `compatible` must have.
pub const COMPATIBLE: &str = "arm,ffa-core-manifest-1.0";

/// The SGI that is the schedule receiver interrupt if the manifest names none.
pub const DEFAULT_SRI: u32 = 8;

/// What the manifest says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// `spmc_id`: the SPMC's FF-A ID.
    pub id: u16,
    /// `maj_ver`, `min_ver`: its version.
    pub version: Version,
    /// `load_address`: the physical address of its image.
    pub load_address: Option<u64>,
    /// `entrypoint`: a physical address.
    pub entry: Option<u64>,
    /// `binary_size`: bytes from `load_address`.
    pub size: Option<u32>,
    /// `janus,spmc-el`: the secure exception level it runs at, 1 or 2.
    pub exception_level: Option<u8>,
    /// Whether there is a `hypervisor` node, which Hafnium's format demands.
    pub hypervisor: bool,
    /// `janus,switch-all`: EL1, EL2 and FP state are all switched.
    pub switch_all: bool,
    /// `janus,sri-id`: the SGI that is the schedule receiver interrupt.
    pub sri: u32,
    /// `janus,doorbell-sgi`: the Group 0 SGI by which the SPMC asks EL3 to send it.
    pub doorbell: Option<u32>,
    /// For [`Manifest::warnings`].
    oddities: Oddities,
}

/// What is wrong with a manifest that is accepted all the same.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Oddities {
    /// The properties whose form is wrong, a bit each, by their index in [`NAMES`].
    forms: u16,
    /// There is no `exec_state`.
    no_state: bool,
}

/// What the manifest should say otherwise. TF-A's C BL31 takes it, and so does Janus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The property should have so many 32-bit cells.
    Cells(&'static str, u32),
    /// There is no `exec_state`: taken as AArch64.
    NoExecutionState,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Cells(name, 1) => write!(f, "`{name}` should be one cell: {name} = <VALUE>"),
            Self::Cells(name, cells) => write!(
                f,
                "`{name}` should be {cells} cells: {name} = <HIGH LOW>, such as <0x0 0xe100000>"
            ),
            Self::NoExecutionState => {
                f.write_str("no `exec_state`, taken as AArch64: add exec_state = <0>")
            }
        }
    }
}

/// What else tells at which level the SPMC runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Known {
    /// The CPU has S-EL2.
    pub cpu_has_sel2: bool,
    /// The exception level in BL2's entry point of the SPMC, where that names one.
    pub bl2_level: Option<u8>,
}

/// What decided the SPMC's exception level.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// `janus,spmc-el`.
    Property,
    /// The CPU has no S-EL2.
    Cpu,
    /// The `hypervisor` node.
    Hypervisor,
    /// BL2's entry point.
    Bl2,
    /// Nothing: S-EL1, for want of better.
    Nothing,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Property => "janus,spmc-el",
            Self::Cpu => "the CPU has no S-EL2",
            Self::Hypervisor => "its manifest has a `hypervisor` node",
            Self::Bl2 => "BL2 says so",
            Self::Nothing => "a guess",
        })
    }
}

/// Where the SPMC is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpmcImage {
    /// The physical addresses it occupies.
    pub range: Range<u64>,
    /// Its entry point, in that range.
    pub entry: u64,
}

/// Why a manifest cannot be used. The message says what to do about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not a flattened device tree.
    NotADeviceTree,
    /// Its own size, in bytes, is more than there is.
    TooLarge(u32),
    /// A device tree of something else.
    NotCompatible,
    /// There is no `/attribute` node.
    NoAttributeNode,
    /// A property is missing.
    Missing(&'static str),
    /// A property has another size than this number of 32-bit cells.
    WrongSize(&'static str, u32),
    /// `spmc_id` is not that of a secure partition.
    BadId(u32),
    /// The version is none of 1.0 to 1.3.
    BadVersion(u32, u32),
    /// `exec_state` is not AArch64.
    BadExecutionState(u32),
    /// `janus,spmc-el` is neither 1 nor 2.
    BadExceptionLevel(u32),
    /// `janus,spmc-el` is 2 and the CPU has no S-EL2.
    NoSecureEl2,
    /// `janus,sri-id` or `janus,doorbell-sgi` is not an SGI it can be.
    BadSgi(&'static str, u32),
    /// The image is empty or its end overflows.
    BadImage(u64, u64),
    /// The entry point is not that of an instruction in the image.
    BadEntry(u64),
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotADeviceTree => {
                f.write_str("not a device tree: pass a compiled manifest (dtc) as TOS_FW_CONFIG")
            }
            Self::TooLarge(size) => {
                write!(
                    f,
                    "{size} bytes: make it at most {} bytes (one page)",
                    MAX_SIZE as u32
                )
            }
            Self::NotCompatible => {
                write!(
                    f,
                    "not an SPMC manifest: set compatible = \"{COMPATIBLE}\" in its root"
                )
            }
            Self::NoAttributeNode => f.write_str("no `attribute` node: add one"),
            Self::Missing(name) => {
                write!(f, "no `{name}`: add it to the `attribute` node")
            }
            Self::WrongSize(name, cells) => {
                write!(
                    f,
                    "`{name}` has the wrong size: make it {cells} 32-bit cell(s)"
                )
            }
            Self::BadId(id) => {
                let id = u64::from(id);
                write!(
                    f,
                    "spmc_id {id:#x}: use 0x8000 to 0xfffe (bit 15 set, 0xffff is the SPMD's)"
                )
            }
            Self::BadVersion(major, minor) => {
                write!(
                    f,
                    "FF-A version {major}.{minor}: use maj_ver 1 and min_ver 0 to 3"
                )
            }
            Self::BadExecutionState(state) => {
                write!(f, "exec_state {state}: only 0 (AArch64) is supported")
            }
            Self::BadExceptionLevel(level) => {
                write!(f, "janus,spmc-el {level}: use 1 or 2")
            }
            Self::NoSecureEl2 => {
                f.write_str("janus,spmc-el 2, but this CPU has no S-EL2: use an SPMC for S-EL1")
            }
            Self::BadSgi(name, sgi) => {
                write!(f, "{name} {sgi}: use 0 to 15, and not one SGI for both")
            }
            Self::BadImage(base, size) => {
                write!(
                    f,
                    "image at {base:#x} of {size:#x} bytes: correct load_address or binary_size"
                )
            }
            Self::BadEntry(entry) => {
                write!(
                    f,
                    "entrypoint {entry:#x}: must be 4-aligned and inside the image"
                )
            }
        }
    }
}

impl core::error::Error for ManifestError {}

impl Manifest {
    /// Reads the manifest at the start of `page`, of which only the device tree's own size counts.
    ///
    /// # Errors
    /// The first fault found.
    pub fn parse(page: &[u8]) -> Result<Self, ManifestError> {
        let mut tree = Tree::default();
        if tree.read(trim(page)?) == Err(Malformed) {
            return Err(ManifestError::NotADeviceTree);
        }
        if !tree.compatible {
            return Err(ManifestError::NotCompatible);
        }
        if !tree.has_attribute {
            return Err(ManifestError::NoAttributeNode);
        }
        let attribute = &mut tree.attribute;
        let (id, major) = (attribute.required(SPMC_ID), attribute.required(MAJ_VER));
        let minor = attribute.required(MIN_VER);
        let state = match attribute.values[EXEC_STATE] {
            Some(_) => attribute.cell(EXEC_STATE).unwrap_or(0),
            None => {
                attribute.odd |= 1 << EXEC_STATE;
                0
            }
        };
        let load_address = attribute.address(LOAD_ADDRESS);
        let entry = attribute.address(ENTRYPOINT);
        let size = attribute.cell(BINARY_SIZE);
        let exception_level = attribute.cell(SPMC_EL);
        let sri = attribute.cell(SRI_ID).unwrap_or(DEFAULT_SRI);
        let doorbell = attribute.cell(DOORBELL_SGI);
        if let Some(fault) = attribute.fault {
            return Err(fault);
        }
        if !(0x8000..=0xFFFE).contains(&id) {
            return Err(ManifestError::BadId(id));
        }
        if major != 1 || minor > u32::from(Version::OWN.minor()) {
            return Err(ManifestError::BadVersion(major, minor));
        }
        if state != 0 {
            return Err(ManifestError::BadExecutionState(state));
        }
        if let Some(level) = exception_level.filter(|level| !matches!(level, 1..=2)) {
            return Err(ManifestError::BadExceptionLevel(level));
        }
        if sri > 15 {
            return Err(ManifestError::BadSgi(NAMES[SRI_ID], sri));
        }
        if let Some(doorbell) = doorbell.filter(|&sgi| sgi > 15 || sgi == sri) {
            return Err(ManifestError::BadSgi(NAMES[DOORBELL_SGI], doorbell));
        }
        Ok(Self {
            id: id as u16,
            version: Version::new(1, minor as u16),
            load_address,
            entry,
            size,
            exception_level: exception_level.map(|level| level as u8),
            hypervisor: tree.hypervisor,
            switch_all: attribute.values[SWITCH_ALL].is_some(),
            sri,
            doorbell,
            oddities: Oddities {
                forms: attribute.odd,
                no_state: attribute.values[EXEC_STATE].is_none(),
            },
        })
    }

    /// What was taken though it should be written otherwise.
    pub fn warnings(&self) -> impl Iterator<Item = Warning> {
        let Oddities { forms, no_state } = self.oddities;
        NAMES
            .iter()
            .enumerate()
            .filter(move |(index, _)| forms >> index & 1 != 0)
            .map(move |(index, &name)| match index {
                EXEC_STATE if no_state => Warning::NoExecutionState,
                LOAD_ADDRESS | ENTRYPOINT => Warning::Cells(name, 2),
                _ => Warning::Cells(name, 1),
            })
    }

    /// Where the SPMC is, with BL2's record of the BL32 image (`base`, `size` in bytes, `entry`) for
    /// what the manifest does not say.
    ///
    /// # Errors
    /// [`ManifestError::BadImage`], [`ManifestError::BadEntry`].
    pub fn image(&self, base: u64, size: u64, entry: u64) -> Result<SpmcImage, ManifestError> {
        // BL2's entry point belongs to BL2's image: a manifest that moves the image moves it too.
        let entry = self.entry.or(self.load_address).unwrap_or(entry);
        let base = self.load_address.unwrap_or(base);
        let size = self.size.map_or(size, u64::from);
        let range = match base.checked_add(size) {
            Some(end) if end > base => base..end,
            _ => return Err(ManifestError::BadImage(base, size)),
        };
        if !range.contains(&entry) || !entry.is_multiple_of(4) {
            return Err(ManifestError::BadEntry(entry));
        }
        Ok(SpmcImage { range, entry })
    }

    /// Whether the SPMC runs at S-EL2, and what decided it: `janus,spmc-el`, else what the CPU cannot do,
    /// else the `hypervisor` node, else what BL2 says.
    ///
    /// # Errors
    /// [`ManifestError::NoSecureEl2`].
    pub fn at_sel2(&self, known: Known) -> Result<(bool, Reason), ManifestError> {
        match (self.exception_level, known.bl2_level) {
            (Some(2), _) if !known.cpu_has_sel2 => Err(ManifestError::NoSecureEl2),
            (Some(level), _) => Ok((level == 2, Reason::Property)),
            _ if !known.cpu_has_sel2 => Ok((false, Reason::Cpu)),
            _ if self.hypervisor => Ok((true, Reason::Hypervisor)),
            (None, Some(level @ 1..=2)) => Ok((level == 2, Reason::Bl2)),
            _ => Ok((false, Reason::Nothing)),
        }
    }
}

/// Returns whether a name in the tree is this one. A call: each comparison with a constant in place would be one
/// byte by byte, because EL3 may not read what is not aligned.
#[inline(never)]
fn is(name: &[u8], known: &str) -> bool {
    name == known.as_bytes()
}

/// The device tree at the start of `page`, by the size in its header.
fn trim(page: &[u8]) -> Result<&[u8], ManifestError> {
    let Some(&[m0, m1, m2, m3, s0, s1, s2, s3]) = page.first_chunk() else {
        return Err(ManifestError::NotADeviceTree);
    };
    if [m0, m1, m2, m3] != 0xD00D_FEED_u32.to_be_bytes() {
        return Err(ManifestError::NotADeviceTree);
    }
    let size = u32::from_be_bytes([s0, s1, s2, s3]);
    match page.get(..size as usize) {
        Some(tree) if tree.len() <= MAX_SIZE => Ok(tree),
        _ => Err(ManifestError::TooLarge(size)),
    }
}

/// The properties of the `attribute` node that mean something here, for tools that look for others.
pub const PROPERTIES: &[&str] = &NAMES;

/// [`PROPERTIES`], in the order of the numbers below.
const NAMES: [&str; 11] = [
    "spmc_id",
    "maj_ver",
    "min_ver",
    "exec_state",
    "load_address",
    "entrypoint",
    "binary_size",
    "janus,spmc-el",
    "janus,switch-all",
    "janus,sri-id",
    "janus,doorbell-sgi",
];
const SPMC_ID: usize = 0;
const MAJ_VER: usize = 1;
const MIN_VER: usize = 2;
const EXEC_STATE: usize = 3;
const LOAD_ADDRESS: usize = 4;
const ENTRYPOINT: usize = 5;
const BINARY_SIZE: usize = 6;
const SPMC_EL: usize = 7;
const SWITCH_ALL: usize = 8;
const SRI_ID: usize = 9;
const DOORBELL_SGI: usize = 10;

/// What the tree has of an SPMC manifest.
#[derive(Default)]
struct Tree<'a> {
    /// The root's `compatible` names one.
    compatible: bool,
    /// There is a `/hypervisor` node.
    hypervisor: bool,
    /// There is an `/attribute` node.
    has_attribute: bool,
    /// Its properties.
    attribute: Attributes<'a>,
}

impl<'a> Tree<'a> {
    /// Reads `tree` to its end, in one pass.
    fn read(&mut self, tree: &'a [u8]) -> Result<(), Malformed> {
        let mut tokens = Tokens::new(tree)?;
        // The root is at depth 1.
        let (mut depth, mut in_attribute) = (0_u32, false);
        while let Some(token) = tokens.next()? {
            match token {
                Token::Begin(name) => {
                    depth = depth.saturating_add(1);
                    if depth == 2 {
                        in_attribute = is(name, "attribute");
                        self.has_attribute |= in_attribute;
                        self.hypervisor |= is(name, "hypervisor");
                    }
                }
                Token::End => depth = depth.checked_sub(1).ok_or(Malformed)?,
                Token::Property { name, value } if depth == 1 && is(name, "compatible") => {
                    let mut names = value.split(|byte| *byte == 0);
                    self.compatible |= names.any(|name| is(name, COMPATIBLE));
                }
                Token::Property { name, value } if depth == 2 && in_attribute => {
                    self.attribute.set(name, value);
                }
                Token::Property { .. } => {}
            }
        }
        match depth {
            0 => Ok(()),
            _ => Err(Malformed),
        }
    }
}

/// The properties in [`NAMES`].
#[derive(Default)]
struct Attributes<'a> {
    /// Their values, of those that the node has.
    values: [Option<&'a [u8]>; NAMES.len()],
    /// The first fault that a look at them found; what it was found with read as absent or zero.
    fault: Option<ManifestError>,
    /// Those that are taken though their form is not the right one: a bit for each.
    odd: u16,
}

impl<'a> Attributes<'a> {
    fn set(&mut self, name: &[u8], value: &'a [u8]) {
        for (known, slot) in NAMES.iter().zip(&mut self.values) {
            if is(name, known) {
                *slot = Some(value);
            }
        }
    }

    /// The big-endian number of `CELLS` cells that a property holds.
    ///
    /// TF-A's C BL31 reads the first cells of a longer property, and does without an address of one
    /// cell. So manifests exist that have these, and they are taken, with a warning.
    #[inline(never)]
    fn number(&mut self, index: usize, cells: u32) -> Option<u64> {
        let value = self.values[index]?;
        let (words, rest) = value.as_chunks::<4>();
        let word = |at: usize| words.get(at).copied().map_or(0, u32::from_be_bytes);
        let (first, second) = (word(0), word(1));
        let pair = u64::from(first) << 32 | u64::from(second);
        let own = index >= SPMC_EL;
        let number = match (words.len(), cells) {
            _ if !rest.is_empty() => None,
            (1, 1) => return Some(first.into()),
            (2, 2) => return Some(pair),
            // What is Janus' own has one form.
            _ if own => None,
            (1, 2) => Some(first.into()),
            // A size of two cells is a number of 64 bits, or C's first cell where that makes no sense.
            (2, 1) if index == BINARY_SIZE && first == 0 => Some(second.into()),
            (2.., 1) => Some(first.into()),
            (3.., 2) => Some(pair),
            _ => None,
        };
        if number.is_some() {
            self.odd |= 1 << index;
        } else {
            let fault = ManifestError::WrongSize(NAMES[index], cells);
            self.fault.get_or_insert(fault);
        }
        number
    }

    fn cell(&mut self, index: usize) -> Option<u32> {
        self.number(index, 1).map(|number| number as u32)
    }

    fn address(&mut self, index: usize) -> Option<u64> {
        self.number(index, 2)
    }

    fn required(&mut self, index: usize) -> u32 {
        if self.values[index].is_none() {
            let fault = ManifestError::Missing(NAMES[index]);
            self.fault.get_or_insert(fault);
        }
        self.cell(index).unwrap_or(0)
    }
}
