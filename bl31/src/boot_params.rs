//! BL2's hand-over as TF-A's parameter list, version 2 (`bl_params`). The list is not trusted.
//!
//! The list lies in memory that BL2 owns and that the platform maps as shared RAM. Every pointer is
//! checked against that memory before it is followed, at most `MAX_NODES` nodes are read, and what is
//! needed is copied out at once. A fault in the list is a [`ParamsFault`] that the boot reports; it is
//! never a crash.

use core::fmt;
use core::ops::Range;

/// TF-A's image number of the SPMC.
const BL32: u32 = 4;
/// TF-A's image number of the normal world's first image.
const BL33: u32 = 5;
/// `PARAM_BL_PARAMS`, the header type of the list.
const TYPE_BL_PARAMS: u8 = 5;
/// `PARAM_EP`, the header type of an entry point.
const TYPE_ENTRY_POINT: u8 = 1;
/// `PARAM_IMAGE_BINARY`, the header type of an image's place and size. QEMU's and other platforms
/// of TF-A label these records as entry points instead.
const TYPE_IMAGE: u8 = 2;
/// The version of all three headers.
const VERSION_2: u8 = 2;
/// The other version that the entry point in a transfer list may have. Its layout is that of version 2.
const VERSION_1: u8 = 1;
/// The size of an entry point in bytes.
const ENTRY_POINT_SIZE: usize = 88;
/// The name of an entry point in a fault's message.
const ENTRY: &str = "an image's entry point";
/// More nodes than BL2 has images to load: a longer list has a cycle.
const MAX_NODES: usize = 32;

/// Where BL2 wants an image to be entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryPoint {
    /// Address of the first instruction.
    pub pc: u64,
    /// SPSR_EL3 to enter with; zero leaves it to EL3.
    pub spsr: u32,
    /// x0 to x7 at the first instruction.
    pub args: [u64; 8],
}

/// An image that BL2 has loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedImage {
    /// Where the image is entered.
    pub entry: EntryPoint,
    /// Where the image lies; None if BL2 kept no record of that.
    pub place: Option<Range<u64>>,
}

/// The images that the list names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootParams {
    /// The SPMC.
    pub bl32: Option<LoadedImage>,
    /// The normal world's first image.
    pub bl33: Option<LoadedImage>,
}

/// Why the list, or a part of it, cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamsFault {
    /// A pointer (named first) is null, misaligned, or leads out of the shared RAM.
    Pointer(&'static str, u64),
    /// A structure (named first) has this header type and version instead of TF-A's version 2.
    Header(&'static str, u32, u32),
    /// The list has more than `MAX_NODES` nodes.
    Endless,
    /// A structure (named first) has only this many bytes.
    Short(&'static str, usize),
}

impl fmt::Display for ParamsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Pointer(what, at) => {
                write!(f, "{what} at {at:#x} is not in BL2's memory")
            }
            Self::Header(what, kind, version) => {
                write!(
                    f,
                    "{what} has type {kind}, version {version}: is this TF-A's BL2?"
                )
            }
            Self::Endless => f.write_str("the list does not end"),
            Self::Short(what, size) => write!(f, "{what} has only {} bytes", size as u32),
        }
    }
}

/// The world that an entry point is for, by its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// The secure world.
    Secure,
    /// The normal world.
    Normal,
    /// The Realm or the Root state.
    Other,
}

/// Reads an entry point of `size` bytes at address `at` that is not part of a parameter list.
///
/// # Errors
///
/// The first [`ParamsFault`] found.
pub fn entry_point(
    memory: &impl Memory,
    at: u64,
    size: usize,
) -> Result<(World, EntryPoint), ParamsFault> {
    const NSE: u32 = 1 << 5;
    let mut reader = Reader {
        memory,
        fault: None,
    };
    if size < ENTRY_POINT_SIZE {
        return Err(ParamsFault::Short(ENTRY, size));
    }
    let entry = reader.entry_point(at, &[VERSION_1, VERSION_2]);
    let attributes = (reader.word(ENTRY, at, 0) >> 32) as u32;
    let world = match attributes & (NSE | 1) {
        0 => World::Secure,
        1 => World::Normal,
        _ => World::Other,
    };
    reader.fault.map_or(Ok((world, entry)), Err)
}

/// The memory that the list may lie in. The host tests have an implementation of their own.
pub trait Memory {
    /// The aligned word at `address`; None outside the memory.
    fn word(&self, address: u64) -> Option<u64>;
}

impl BootParams {
    /// Reads the parameter list at address `list`.
    ///
    /// # Errors
    ///
    /// The first [`ParamsFault`] found. Nothing of a faulty list is kept.
    pub fn read(&mut self, memory: &impl Memory, list: u64) -> Result<(), ParamsFault> {
        const NODE: &str = "an image's node";
        const LIST: &str = "the parameter list";
        let mut reader = Reader {
            memory,
            fault: None,
        };
        reader.header(LIST, list, &[TYPE_BL_PARAMS], &[VERSION_2]);
        let mut node = reader.word(LIST, list, 8);
        for _ in 0..MAX_NODES {
            if node == 0 {
                break;
            }
            let image = match reader.word(NODE, node, 0) as u32 {
                BL32 => Some(&mut self.bl32),
                BL33 => Some(&mut self.bl33),
                _ => None,
            };
            if let Some(image) = image {
                *image = Some(reader.image(node));
            }
            node = reader.word(NODE, node, 24);
        }
        if node != 0 {
            reader.fault.get_or_insert(ParamsFault::Endless);
        }
        match reader.fault {
            None => Ok(()),
            Some(fault) => {
                *self = Self::default();
                Err(fault)
            }
        }
    }
}

/// Reads TF-A's structures from a memory, and keeps the first fault.
struct Reader<'a, M> {
    memory: &'a M,
    /// The first fault. A word that cannot be read is returned as zero; nothing is used of a list with a fault.
    fault: Option<ParamsFault>,
}

impl<M: Memory> Reader<'_, M> {
    #[inline(never)]
    fn word(&mut self, what: &'static str, base: u64, offset: u64) -> u64 {
        let address = base.checked_add(offset).filter(|a| a % 8 == 0);
        let word = address.and_then(|address| self.memory.word(address));
        if word.is_none() {
            self.fault.get_or_insert(ParamsFault::Pointer(what, base));
        }
        word.unwrap_or(0)
    }

    #[inline(never)]
    fn header(&mut self, what: &'static str, at: u64, kinds: &[u8], versions: &[u8]) {
        let [found, version, ..] = self.word(what, at, 0).to_le_bytes();
        if !kinds.contains(&found) || !versions.contains(&version) {
            self.fault
                .get_or_insert(ParamsFault::Header(what, found.into(), version.into()));
        }
    }

    #[inline(never)]
    fn image(&mut self, node: u64) -> LoadedImage {
        const PLACE: &str = "an image's record";
        let info = self.word(PLACE, node, 8);
        let mut place = None;
        if info != 0 {
            self.header(PLACE, info, &[TYPE_IMAGE, TYPE_ENTRY_POINT], &[VERSION_2]);
            let base = self.word(PLACE, info, 8);
            let size = self.word(PLACE, info, 16) & 0xffff_ffff;
            let end = base.checked_add(size).filter(|_| size != 0);
            place = end.map(|end| base..end);
        }
        let at = self.word(ENTRY, node, 16);
        let entry = self.entry_point(at, &[VERSION_2]);
        LoadedImage { entry, place }
    }

    #[inline(never)]
    fn entry_point(&mut self, at: u64, versions: &[u8]) -> EntryPoint {
        self.header(ENTRY, at, &[TYPE_ENTRY_POINT], versions);
        let mut entry = EntryPoint {
            pc: self.word(ENTRY, at, 8),
            spsr: self.word(ENTRY, at, 16) as u32,
            args: [0; 8],
        };
        let mut offset = 24;
        for arg in &mut entry.args {
            *arg = self.word(ENTRY, at, offset);
            offset += 8;
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const BASE: u64 = 0x0e05_b000;

    /// A memory of a few words, starting at BASE.
    struct Words(Vec<u64>);

    impl Memory for Words {
        fn word(&self, address: u64) -> Option<u64> {
            let offset = address.checked_sub(BASE)?;
            self.0.get(usize::try_from(offset / 8).ok()?).copied()
        }
    }

    fn parse(memory: &Words, list: u64) -> Result<BootParams, ParamsFault> {
        let mut params = BootParams::default();
        let read = params.read(memory, list);
        assert!(read.is_ok() || params == BootParams::default());
        read.map(|()| params)
    }

    fn header(kind: u8) -> u64 {
        u64::from_le_bytes([kind, 2, 0, 0, 0, 0, 0, 0])
    }

    /// A list with BL32 (node at word 2) and BL33 (node at word 6).
    fn list() -> Words {
        let at = |word: u64| BASE + word * 8;
        let mut words = std::vec![
            header(5),
            at(2),
            4,
            at(10),
            at(16),
            at(6),
            5,
            0,
            at(28),
            0,
            header(1),
            0x0e10_0000,
            0x7_0000_1000,
            0,
            0,
            0,
        ];
        words.extend([header(1), 0x0e10_0000, 0]);
        words.extend([0x0e00_2000, 1, 2, 3, 4, 5, 6, 7, 0]);
        words.extend([header(1), 0x6000_0000, 0x3c9]);
        words.extend([8, 9, 10, 11, 12, 13, 14, 15]);
        Words(words)
    }

    #[test]
    fn a_good_list_is_read_whole() {
        let params = parse(&list(), BASE).unwrap();
        let bl32 = params.bl32.unwrap();
        assert_eq!(bl32.place, Some(0x0e10_0000..0x0e10_1000));
        assert_eq!(bl32.entry.args, [0x0e00_2000, 1, 2, 3, 4, 5, 6, 7]);
        let bl33 = params.bl33.unwrap();
        assert_eq!(bl33.place, None);
        assert_eq!(bl33.entry.pc, 0x6000_0000);
        assert_eq!(bl33.entry.spsr, 0x3c9);
        assert_eq!(bl33.entry.args, [8, 9, 10, 11, 12, 13, 14, 15]);
    }

    #[test]
    fn a_cycle_ends() {
        let mut words = list();
        words.0[9] = BASE + 16;
        assert_eq!(parse(&words, BASE), Err(ParamsFault::Endless));
    }

    #[test]
    fn headers_are_checked() {
        let mut words = list();
        words.0[0] = header(1);
        assert_eq!(
            parse(&words, BASE),
            Err(ParamsFault::Header("the parameter list", 1, 2))
        );
    }

    /// Parsing ends with a result, whichever word of the list is wrong.
    #[test]
    fn no_word_makes_it_fail_otherwise() {
        for word in 0..list().0.len() {
            for value in [
                0,
                1,
                7,
                BASE,
                BASE + 3,
                BASE + 8,
                0x4000_0000,
                u64::MAX,
                u64::MAX - 7,
            ] {
                let mut words = list();
                words.0[word] = value;
                let _ = parse(&words, BASE);
            }
        }
        for at in [0, 1, BASE - 8, BASE + 4, u64::MAX, u64::MAX - 6] {
            assert!(parse(&list(), at).is_err());
        }
    }
}
