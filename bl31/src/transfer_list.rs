//! Transfer lists of Arm's Firmware Handoff (DEN0135). Those of boot firmware are read without trusting them; one is
//! written for the normal world.
//!
//! A transfer list is a header and entries, each with a tag. A value in x1 says that x3 is the address of a list.
//! [`TransferList::read`] checks everything before it is used: signature, version, sizes, checksum, alignment, and
//! that each entry lies in the list. A fault is a [`ListFault`] that the boot reports.
//!
//! This module touches no hardware: a list is a slice of bytes and their address.

use core::fmt;

/// The header's first word.
pub const SIGNATURE: u32 = 0x4a0f_b10b;
/// The value of x1 in a hand-over in AArch64: version 1 of the register convention, and the signature.
pub const X1: u64 = 1 << 32 | SIGNATURE as u64;
/// The size of the header in version 1, in bytes. Later versions may have a longer one.
pub const HEADER: usize = 24;
/// The least size of an entry's header, in bytes.
const ENTRY_HEADER: usize = 8;
/// The alignment of the list and of its entries, in bytes.
const GRANULE: usize = 8;
/// The version that is written, and the oldest version that is read.
const VERSION: u8 = 1;
/// Bit 0 of the flags: the checksum is in use.
const HAS_CHECKSUM: u32 = 1;
/// The size of the largest list that is accepted, in bytes. A larger size is taken for a fault.
pub const MAX_SIZE: usize = 1 << 20;
/// The largest alignment that is accepted, as a power of two.
const MAX_ALIGNMENT: u8 = 16;

/// An entry's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub u32);

impl Tag {
    /// An empty entry, which fills a gap.
    pub const EMPTY: Tag = Tag(0);
    /// The device tree of the hardware.
    pub const DEVICE_TREE: Tag = Tag(1);
    /// The SPMC's manifest.
    pub const SPMC_MANIFEST: Tag = Tag(0x101);
    /// Where an image is entered (AArch64).
    pub const ENTRY_POINT: Tag = Tag(0x102);

    /// Returns whether the normal world may have an entry with this tag. Tags below 0x100 are for every stage; the
    /// others are for firmware alone.
    const fn is_for_normal_world(self) -> bool {
        self.0 != Self::EMPTY.0 && self.0 < 0x100
    }
}

/// Why a list cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFault {
    /// The list begins with this word and not with the signature.
    Signature(u64),
    /// The list has this version, which is too old.
    Version(u32),
    /// The list's address is no multiple of 8, or its alignment is larger than 2^`MAX_ALIGNMENT`.
    Alignment,
    /// A size in the header (this one) contradicts another size, or the memory that the list lies in.
    Size(u64),
    /// The sum of the list's bytes is this and not zero.
    Checksum(u64),
    /// The entry at this offset does not fit into the list.
    Entry(u64),
    /// The memory for a new list is too small.
    Full,
}

impl fmt::Display for ListFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Signature(word) => write!(f, "its signature is {word:#x}"),
            Self::Version(version) => write!(f, "its version is {version}"),
            Self::Alignment => f.write_str("its alignment is wrong"),
            Self::Size(size) => write!(f, "its size {size:#x} does not fit"),
            Self::Checksum(sum) => write!(f, "its checksum is wrong by {sum:#x}"),
            Self::Entry(offset) => write!(f, "its entry at {offset:#x} does not fit into it"),
            Self::Full => f.write_str("its copy does not fit"),
        }
    }
}

/// A list that has been checked.
#[derive(Clone, Copy, Debug)]
pub struct TransferList<'a> {
    /// Exactly the used bytes.
    bytes: &'a [u8],
    at: u64,
}

/// An entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The kind of the data.
    pub tag: Tag,
    /// The data.
    pub data: &'a [u8],
    /// The address of the data.
    pub at: u64,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

impl<'a> TransferList<'a> {
    /// Reads and checks the list at the start of `bytes`, which are at address `at`. `bytes` may be longer than the
    /// list.
    ///
    /// # Errors
    ///
    /// The first [`ListFault`] found. Nothing of a faulty list is used.
    pub fn read(bytes: &'a [u8], at: u64) -> Result<Self, ListFault> {
        let header: &[u8; HEADER] = bytes
            .first_chunk()
            .ok_or(ListFault::Size(bytes.len() as u64))?;
        let field = |offset| word(header, offset).unwrap_or_default();
        if field(0) != SIGNATURE {
            return Err(ListFault::Signature(field(0).into()));
        }
        let [_, version, header_size, alignment] = field(4).to_le_bytes();
        if version < VERSION {
            return Err(ListFault::Version(version.into()));
        }
        if !at.is_multiple_of(GRANULE as u64) || alignment > MAX_ALIGNMENT {
            return Err(ListFault::Alignment);
        }
        let (used, most, flags) = (field(8), field(12), field(16));
        let fits = usize::from(header_size) >= HEADER
            && used >= u32::from(header_size)
            && most >= used
            && used as usize <= MAX_SIZE;
        let bytes = bytes.get(..used as usize).filter(|_| fits);
        let bytes = bytes.ok_or(ListFault::Size(used.into()))?;
        let sum = sum(bytes);
        if flags & HAS_CHECKSUM != 0 && sum != 0 {
            return Err(ListFault::Checksum(sum.into()));
        }
        let list = Self { bytes, at };
        let mut offset = list.first();
        while offset < bytes.len() {
            (_, offset) = list.entry(offset).ok_or(ListFault::Entry(offset as u64))?;
        }
        Ok(list)
    }

    /// Returns the address of the list.
    pub fn address(&self) -> u64 {
        self.at
    }

    /// Returns the offset of the first entry.
    fn first(&self) -> usize {
        let header_size = self.bytes.get(6).copied().unwrap_or_default();
        usize::from(header_size).next_multiple_of(GRANULE)
    }

    /// Returns the entry at an offset, and the offset of the next one.
    fn entry(&self, offset: usize) -> Option<(Entry<'a>, usize)> {
        let first = word(self.bytes, offset)?;
        let size = word(self.bytes, offset.checked_add(4)?)? as usize;
        let header_size = (first >> 24) as usize;
        if header_size < ENTRY_HEADER {
            return None;
        }
        let start = offset.checked_add(header_size)?;
        let end = start.checked_add(size)?;
        let entry = Entry {
            tag: Tag(first & 0xff_ffff),
            data: self.bytes.get(start..end)?,
            at: self.at.checked_add(start as u64)?,
        };
        Some((entry, end.checked_next_multiple_of(GRANULE)?))
    }

    /// Returns the entries, in the order of the list.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        let list = *self;
        let mut offset = list.first();
        core::iter::from_fn(move || {
            let (entry, next) = list.entry(offset)?;
            offset = next;
            Some(entry)
        })
    }

    /// Returns the first entry with this tag.
    pub fn find(&self, tag: Tag) -> Option<Entry<'a>> {
        self.entries().find(|entry| entry.tag == tag)
    }

    /// Returns the largest alignment of the entries' data, in bytes.
    fn alignment(&self) -> u64 {
        let alignment = self.bytes.get(7).copied().unwrap_or_default();
        (1 << alignment.min(MAX_ALIGNMENT)).max(GRANULE as u64)
    }

    /// Writes a list with the entries that the normal world may have to `to`, which is memory at address `at`.
    /// Returns the address of the device tree in it, or 0 if there is none.
    ///
    /// # Errors
    ///
    /// [`ListFault::Full`]: the list does not fit. [`ListFault::Alignment`]: `at` is no multiple of 8.
    pub fn write_for_normal_world(&self, to: &mut [u8], at: u64) -> Result<u64, ListFault> {
        let mut list = Writer::new(to, at)?;
        let mut device_tree = 0;
        for entry in self.entries() {
            if !entry.tag.is_for_normal_world() {
                continue;
            }
            // Keep the alignment that the data have now, up to the alignment that the list asks for.
            let aligned = 1 << entry.at.trailing_zeros().min(u32::from(MAX_ALIGNMENT));
            let address = list.add(entry.tag, entry.data, self.alignment().min(aligned))?;
            if entry.tag == Tag::DEVICE_TREE && device_tree == 0 {
                device_tree = address;
            }
        }
        list.end();
        Ok(device_tree)
    }
}

/// A list that is being written. The header is written last.
struct Writer<'a> {
    header: &'a mut [u8; HEADER],
    /// The memory that is still free.
    rest: &'a mut [u8],
    /// The address of `rest`.
    at: u64,
    /// The bytes that are used, those of the header included.
    used: u32,
    /// The bytes that there are.
    most: u32,
    /// The sum of the entries' bytes.
    sum: u8,
    alignment: u64,
}

impl<'a> Writer<'a> {
    fn new(to: &'a mut [u8], at: u64) -> Result<Self, ListFault> {
        if !at.is_multiple_of(GRANULE as u64) {
            return Err(ListFault::Alignment);
        }
        let most = to.len();
        let in_memory = at.checked_add(2 * MAX_SIZE as u64).is_some();
        let (header, rest) = to
            .split_first_chunk_mut()
            .filter(|_| most <= MAX_SIZE && in_memory)
            .ok_or(ListFault::Full)?;
        Ok(Self {
            header,
            rest,
            at: at.wrapping_add(HEADER as u64),
            used: HEADER as u32,
            most: most as u32,
            sum: 0,
            alignment: GRANULE as u64,
        })
    }

    /// Adds an entry whose data are aligned to `alignment` bytes, a power of two that is at least 8. Returns the
    /// address of the data.
    fn add(&mut self, tag: Tag, data: &[u8], alignment: u64) -> Result<u64, ListFault> {
        let here = self.at.wrapping_add(ENTRY_HEADER as u64);
        let gap = here.wrapping_neg() & alignment.wrapping_sub(1);
        // The gap is a multiple of 8, the size of an entry's header: an empty entry fits into it.
        if let Some(size) = gap.checked_sub(ENTRY_HEADER as u64) {
            self.put(Tag::EMPTY, size as usize, &[])?;
        }
        self.alignment = self.alignment.max(alignment);
        self.put(tag, data.len(), data)
    }

    /// Adds an entry of `size` bytes, which begin with `data` and end with zeros. Returns their address.
    fn put(&mut self, tag: Tag, size: usize, data: &[u8]) -> Result<u64, ListFault> {
        let rest = core::mem::take(&mut self.rest);
        let (header, rest) = rest.split_first_chunk_mut().ok_or(ListFault::Full)?;
        let room = size.checked_next_multiple_of(GRANULE);
        let (body, rest) = room
            .and_then(|room| rest.split_at_mut_checked(room))
            .ok_or(ListFault::Full)?;
        let first = u64::from(tag.0) | (ENTRY_HEADER as u64) << 24 | (size as u64) << 32;
        *header = first.to_le_bytes();
        body.fill(0);
        if let Some(body) = body.get_mut(..data.len()) {
            body.copy_from_slice(data);
        }
        self.sum = self.sum.wrapping_add(sum(header)).wrapping_add(sum(data));
        let at = self.at.wrapping_add(ENTRY_HEADER as u64);
        self.at = at.wrapping_add(body.len() as u64);
        self.used = self.used.wrapping_add((ENTRY_HEADER + body.len()) as u32);
        self.rest = rest;
        Ok(at)
    }

    /// Writes the header.
    fn end(self) {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&SIGNATURE.to_le_bytes());
        let alignment = self.alignment.trailing_zeros() as u8;
        header[5..8].copy_from_slice(&[VERSION, HEADER as u8, alignment]);
        header[8..12].copy_from_slice(&self.used.to_le_bytes());
        header[12..16].copy_from_slice(&self.most.to_le_bytes());
        header[16..20].copy_from_slice(&HAS_CHECKSUM.to_le_bytes());
        header[4] = 0u8.wrapping_sub(sum(&header)).wrapping_sub(self.sum);
        *self.header = header;
    }
}

/// Makes a list at address `at` with these entries (tag, data, alignment), as boot firmware would.
#[cfg(test)]
pub(crate) fn list_at(at: u64, entries: &[(Tag, &[u8], u64)]) -> std::vec::Vec<u8> {
    let mut bytes = std::vec![0xa5; 0x1000];
    let mut writer = Writer::new(&mut bytes, at).unwrap();
    for (tag, data, alignment) in entries {
        writer.add(*tag, data, *alignment).unwrap();
    }
    writer.end();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const AT: u64 = 0x0400_1000;

    fn list(entries: &[(Tag, &[u8], u64)]) -> Vec<u8> {
        list_at(AT, entries)
    }

    fn usual() -> Vec<u8> {
        list(&[
            (Tag::DEVICE_TREE, b"a device tree", 8),
            (Tag::SPMC_MANIFEST, b"the manifest", 8),
            (Tag(3), b"well aligned", 256),
            (Tag::ENTRY_POINT, &[1; 88], 8),
        ])
    }

    /// Writes a byte and puts the checksum right again.
    fn set(bytes: &mut [u8], at: usize, value: u8) {
        bytes[at] = value;
        let used = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
        bytes[4] = 0;
        let used = used.min(bytes.len());
        bytes[4] = 0u8.wrapping_sub(sum(&bytes[..used]));
    }

    #[test]
    fn a_good_list_is_read_whole() {
        let bytes = usual();
        let list = TransferList::read(&bytes, AT).unwrap();
        let tags: Vec<u32> = list.entries().map(|e| e.tag.0).collect();
        assert_eq!(tags, [1, 0x101, 0, 3, 0x102]);
        let manifest = list.find(Tag::SPMC_MANIFEST).unwrap();
        assert_eq!(manifest.data, b"the manifest");
        let offset = (manifest.at - AT) as usize;
        assert_eq!(&bytes[offset..offset + 12], b"the manifest");
        assert_eq!(list.find(Tag(3)).unwrap().at % 256, 0);
        assert!(list.find(Tag(0x103)).is_none());
    }

    /// Reads a list that is written by hand from the specification.
    #[test]
    fn the_layout_is_the_specifications() {
        let mut bytes = std::vec![
            0x0b, 0xb1, 0x0f, 0x4a, // signature
            0, 1, 24, 3, // checksum, version, header size, alignment
            40, 0, 0, 0, // used
            64, 0, 0, 0, // most
            1, 0, 0, 0, // flags
            0, 0, 0, 0, // reserved
            0x01, 0x01, 0x00, 8, // tag 0x101, header size
            3, 0, 0, 0, // size
            b'x', b'y', b'z', 0, 0, 0, 0, 0,
        ];
        bytes[4] = 0u8.wrapping_sub(sum(&bytes));
        let list = TransferList::read(&bytes, AT).unwrap();
        let entry = Entry {
            tag: Tag::SPMC_MANIFEST,
            data: b"xyz",
            at: AT + 32,
        };
        assert_eq!(list.entries().collect::<Vec<_>>(), [entry]);
    }

    #[test]
    fn each_field_is_checked() {
        let read = |at: usize, value: u8| {
            let mut bytes = usual();
            set(&mut bytes, at, value);
            TransferList::read(&bytes, AT).map(|_| ())
        };
        assert_eq!(read(0, 0x0c), Err(ListFault::Signature(0x4a0f_b10c)));
        assert_eq!(read(5, 0), Err(ListFault::Version(0)));
        assert_eq!(read(5, 2), Ok(()));
        assert!(matches!(read(6, 23), Err(ListFault::Size(_))));
        assert_eq!(read(7, 17), Err(ListFault::Alignment));
        // The used size: less than the header, more than the memory, more than the list's maximum.
        assert!(matches!(read(9, 0x20), Err(ListFault::Size(_))));
        assert!(matches!(read(11, 0x80), Err(ListFault::Size(_))));
        assert!(matches!(read(13, 0), Err(ListFault::Size(_))));
        // The header of the first entry is too short, or its data are too long.
        assert_eq!(read(27, 7), Err(ListFault::Entry(24)));
        assert_eq!(read(29, 0x20), Err(ListFault::Entry(24)));
        assert_eq!(read(31, 0xff), Err(ListFault::Entry(24)));
        assert_eq!(
            TransferList::read(&usual(), AT + 4).map(|_| ()),
            Err(ListFault::Alignment)
        );
        assert!(matches!(
            TransferList::read(&[0; 10], AT),
            Err(ListFault::Size(10))
        ));
    }

    #[test]
    fn the_checksum_counts_only_if_it_is_in_use() {
        let mut bytes = usual();
        bytes[40] ^= 4;
        assert!(matches!(
            TransferList::read(&bytes, AT),
            Err(ListFault::Checksum(_))
        ));
        bytes[16] = 0;
        assert!(TransferList::read(&bytes, AT).is_ok());
    }

    #[test]
    fn the_normal_world_gets_what_is_for_it() {
        let bytes = usual();
        let list = TransferList::read(&bytes, AT).unwrap();
        // Another alignment, so that the gaps differ.
        let at = 0x87ff_b008;
        let mut to = std::vec![0xa5; 0x1000];
        let device_tree = list.write_for_normal_world(&mut to, at).unwrap();
        let copy = TransferList::read(&to, at).unwrap();
        let wanted = [Tag::DEVICE_TREE, Tag(3)];
        let entries: Vec<_> = copy.entries().filter(|e| e.tag != Tag::EMPTY).collect();
        assert_eq!(entries.iter().map(|e| e.tag).collect::<Vec<_>>(), wanted);
        for (entry, tag) in entries.iter().zip(wanted) {
            assert_eq!(entry.data, list.find(tag).unwrap().data);
        }
        assert_eq!(entries[0].at, device_tree);
        assert_eq!(entries[1].at % 256, 0);
        // Nothing is written behind the list: no data of the secure world are left there.
        let used = copy.bytes.len();
        assert!(to[used..].iter().all(|byte| *byte == 0xa5));
        let mut small = [0; 64];
        assert_eq!(
            list.write_for_normal_world(&mut small, at),
            Err(ListFault::Full)
        );
    }

    /// Reads everything in a list, if the list is good. Returns the total size of its entries.
    fn walk(bytes: &[u8], at: u64) -> Option<usize> {
        let list = TransferList::read(bytes, at).ok()?;
        let mut total = 0;
        for entry in list.entries() {
            assert!(entry.at >= at + HEADER as u64);
            assert!(entry.at + entry.data.len() as u64 <= at + bytes.len() as u64);
            total += ENTRY_HEADER + entry.data.len();
        }
        assert!(total <= bytes.len());
        let mut to = [0; 512];
        if let Ok(device_tree) = list.write_for_normal_world(&mut to, 0x8000_0000) {
            let copy = TransferList::read(&to, 0x8000_0000).unwrap();
            assert_eq!(copy.find(Tag::DEVICE_TREE).map_or(0, |e| e.at), device_tree);
            let mut tags = copy
                .entries()
                .map(|e| e.tag)
                .filter(|tag| *tag != Tag::EMPTY);
            assert!(tags.all(Tag::is_for_normal_world));
        }
        Some(total)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Reading ends without a panic and stays within the list, for any bytes behind a header that looks good.
        #[test]
        fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..512), at: u64) {
            walk(&bytes, at & !7 & (u64::MAX >> 1));
            if bytes.len() >= HEADER {
                bytes[..4].copy_from_slice(&SIGNATURE.to_le_bytes());
                bytes[5] = 1;
                bytes[7] &= 15;
                bytes[10..12].fill(0);
                bytes[14] = 1;
                let fix = bytes[6];
                set(&mut bytes, 6, fix);
                walk(&bytes, at & !7 & (u64::MAX >> 1));
            }
        }

        /// Reading ends likewise for a good list with a few bytes changed and the checksum corrected.
        #[test]
        fn any_change(changes in proptest::collection::vec((0..512usize, any::<u8>()), 1..6)) {
            let mut bytes = usual();
            for (at, value) in changes {
                set(&mut bytes, at, value);
            }
            walk(&bytes, AT);
        }

        /// Entries that are written are read again, at any address.
        #[test]
        fn what_is_written_is_read(
            entries in proptest::collection::vec(
                (1u32..0x200, proptest::collection::vec(any::<u8>(), 0..100), 3u32..9), 0..8),
            at in 0u64..1 << 40,
        ) {
            let at = at & !7;
            let mut bytes = [0; 0x1000];
            let mut writer = Writer::new(&mut bytes, at).unwrap();
            for (tag, data, alignment) in &entries {
                writer.add(Tag(*tag), data, 1 << alignment).unwrap();
            }
            writer.end();
            let list = TransferList::read(&bytes, at).unwrap();
            let read: Vec<_> = list.entries().filter(|e| e.tag != Tag::EMPTY).collect();
            prop_assert_eq!(read.len(), entries.len());
            for (read, (tag, data, alignment)) in read.iter().zip(&entries) {
                prop_assert_eq!(read.tag, Tag(*tag));
                prop_assert_eq!(read.data, &data[..]);
                prop_assert_eq!(read.at % (1 << alignment), 0);
            }
        }
    }
}
