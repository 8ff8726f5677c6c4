// SPDX-License-Identifier: BSD-3-Clause

//! A reader of flattened device trees (Devicetree Specification 0.4, chapter 5) as small as one page
//! of manifest needs: the tokens of the structure block, in their order.
//!
//! It is total: every byte is fetched with a bounds check, every token takes at least four bytes, and
//! nothing is kept but what is still to be read. Names are bytes, compared and never shown.

const MAGIC: u32 = 0xD00D_FEED;
/// The version that this reader reads; later ones say by `last_comp_version` whether they are alike.
const VERSION: u32 = 17;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// The bytes are not a flattened device tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed;

/// What a structure block consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Token<'a> {
    /// A node begins; its name with its unit address. The root's is empty.
    Begin(&'a [u8]),
    /// The innermost node ends.
    End,
    /// A property of the innermost node.
    Property {
        /// Its name.
        name: &'a [u8],
        /// Its value, numbers big-endian.
        value: &'a [u8],
    },
}

/// The tokens of a tree that are still to be read.
pub(crate) struct Tokens<'a> {
    structure: &'a [u8],
    strings: &'a [u8],
}

impl<'a> Tokens<'a> {
    /// The tree that fills `tree`.
    ///
    /// # Errors
    /// The header is not that of a tree of this version, or its blocks lie outside.
    pub(crate) fn new(tree: &'a [u8]) -> Result<Self, Malformed> {
        let (words, _) = tree.as_chunks();
        let header = words.first_chunk().ok_or(Malformed)?;
        let [
            magic,
            _,
            structure,
            strings,
            _,
            version,
            compatible,
            _,
            strings_size,
            structure_size,
        ] = header.map(u32::from_be_bytes);
        let block = |offset: u32, size: u32| {
            tree.get(offset as usize..)
                .and_then(|rest| rest.get(..size as usize))
                .ok_or(Malformed)
        };
        if magic != MAGIC || version < VERSION || compatible > VERSION {
            return Err(Malformed);
        }
        Ok(Self {
            structure: block(structure, structure_size)?,
            strings: block(strings, strings_size)?,
        })
    }

    /// The next token; `None` at the end of the tree.
    ///
    /// # Errors
    /// What follows is no token, or reaches out of its block.
    #[inline(never)]
    pub(crate) fn next(&mut self) -> Result<Option<Token<'a>>, Malformed> {
        loop {
            match self.cell()? {
                BEGIN_NODE => {
                    let name = text(self.structure).ok_or(Malformed)?;
                    // The terminator is the name's last byte.
                    self.take_padded(name.len().saturating_add(1))?;
                    return Ok(Some(Token::Begin(name)));
                }
                END_NODE => return Ok(Some(Token::End)),
                PROP => {
                    let (size, offset) = (self.cell()?, self.cell()?);
                    let value = self.take_padded(size as usize)?;
                    let name = self.strings.get(offset as usize..).and_then(text);
                    let name = name.ok_or(Malformed)?;
                    return Ok(Some(Token::Property { name, value }));
                }
                NOP => {}
                END => return Ok(None),
                _ => return Err(Malformed),
            }
        }
    }

    #[inline(never)]
    fn cell(&mut self) -> Result<u32, Malformed> {
        let value = cell(self.structure, 0).ok_or(Malformed)?;
        self.take_padded(4)?;
        Ok(value)
    }

    /// Takes `size` bytes and what pads them to the next token.
    #[inline(never)]
    fn take_padded(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let (taken, _) = self.structure.split_at_checked(size).ok_or(Malformed)?;
        let padded = size.checked_next_multiple_of(4).ok_or(Malformed)?;
        self.structure = self.structure.get(padded..).ok_or(Malformed)?;
        Ok(taken)
    }
}

/// The big-endian 32-bit number at `offset`.
fn cell(bytes: &[u8], offset: usize) -> Option<u32> {
    let chunk = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_be_bytes(*chunk))
}

/// The bytes before the first NUL.
fn text(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.get(..end)
}
