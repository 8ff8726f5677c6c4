// SPDX-License-Identifier: BSD-3-Clause

//! How a call looks in registers: function IDs, error codes and the two answers EL3 gives itself.
//!
//! Convention: a function *ID* is all of W0; a function *number* is its low byte, 0x60 to 0xEF for
//! FF-A; the calling *convention* is bit 30; bit 16 is SMCCC 1.3's "no live SVE state" hint and part
//! of neither.

use janus_arm::{SMC64, SVE_HINT, World};

/// x0 to x17 of a world, in place in its saved context.
pub type Regs = [u64; 18];

/// The status codes of FF-A (DEN0077A, "Error status codes"), as they stand in w2 of FFA_ERROR.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The call does not exist, or not for this caller.
    NotSupported = -1,
    /// A register holds a value that is not allowed.
    InvalidParameters = -2,
    /// The call is not possible now: something else has to end first.
    Denied = -6,
    /// The callee died over the call.
    Aborted = -8,
}

/// Function IDs that the dispatcher writes or compares with.
pub(crate) mod id {
    pub const ERROR: u32 = 0x8400_0060;
    pub const SUCCESS_32: u32 = 0x8400_0061;
    pub const SUCCESS_64: u32 = 0xC400_0061;
    pub const INTERRUPT: u32 = 0x8400_0062;
    pub const RUN: u32 = 0x8400_006D;
    pub const DIRECT_REQ_32: u32 = 0x8400_006F;
    pub const DIRECT_REQ_64: u32 = 0xC400_006F;
    pub const NORMAL_WORLD_RESUME: u32 = 0x8400_007C;
    pub const PARTITION_INFO_GET_REGS: u32 = 0xC400_008B;
    pub const DIRECT_REQ2: u32 = 0xC400_008D;
}

/// Function numbers that the dispatcher tells apart outside the table.
pub(crate) mod number {
    pub const ERROR: u32 = 0x60;
    pub const INTERRUPT: u32 = 0x62;
    pub const VERSION: u32 = 0x63;
    pub const ID_GET: u32 = 0x69;
    pub const YIELD: u32 = 0x6C;
    pub const DIRECT_RESP: u32 = 0x70;
    pub const DIRECT_RESP2: u32 = 0x8E;
}

/// The FF-A ID of the SPMD itself.
pub(crate) const SPMD_ID: u16 = 0xFFFF;

/// Bit 15 of an FF-A ID marks the secure world.
pub(crate) const fn is_secure(id: u16) -> bool {
    id & 0x8000 != 0
}

/// Masks of a function ID: all of it, and all but the SVE hint.
pub(crate) const WITH_HINT: u32 = !0;
pub(crate) const WITHOUT_HINT: u32 = !SVE_HINT;
/// Function number 0: a fast SMC32 call to the standard secure services.
const OWNER: u32 = 0x8400_0000;

/// Returns whether W0 `function_id` names a call of FF-A's range: fast, owner 4, numbers 0x60 to 0xEF, with
/// or without the SVE hint. Pass exactly these to [`crate::Spmd::call`].
#[inline(always)]
pub const fn is_ffa(function_id: u32) -> bool {
    place(function_id) < PLACES && !Call::named(function_id).is_yielding()
}

/// The number of [`place_from`]s of FF-A's functions.
pub const PLACES: u32 = (0xF0 - 0x60) * 4;

/// Returns the place of a function ID (W0) in a table of FF-A's functions. It is below [`PLACES`] for these functions,
/// and for yielding calls of the same numbers. The SVE hint is ignored.
///
/// `place / 4` is the function number minus 0x60. Bit 0 is set for SMC64. Bit 1 is set for a yielding call, and then
/// `place / 4` is one less.
#[inline(always)]
pub(crate) const fn place(function_id: u32) -> u32 {
    janus_arm::place(function_id).wrapping_sub(FIRST)
}

/// Returns the place in the table of a call of `from` that may need no decision. A call of the SPMC with the SVE hint has
/// its place beyond [`PLACES`]: the hint is not passed on, so the call has to be decided. No SPMC is known to set it.
#[inline(always)]
pub const fn place_from(from: World, function_id: u32) -> u32 {
    match from {
        World::Normal => place(function_id),
        World::Secure => janus_arm::strict_place(function_id).wrapping_sub(FIRST),
    }
}

/// Where FF-A's functions begin in [`janus_arm::place`].
const FIRST: u32 = janus_arm::place(OWNER | 0x60);

/// A function ID taken apart.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    id: u32,
}

impl Call {
    /// Reads W0; the upper half of x0 is no part of a function ID in either convention.
    #[inline(always)]
    pub fn of(regs: &Regs) -> Self {
        Self { id: regs[0] as u32 }
    }

    /// Returns the call's [`place`].
    #[inline(always)]
    pub const fn place(self) -> u32 {
        place(self.id)
    }

    /// Returns the call's [`place_from`].
    #[inline(always)]
    pub const fn place_from(self, from: World) -> u32 {
        place_from(from, self.id)
    }

    /// Returns whether the call, whose place is that of a function, is a yielding one. FF-A has none.
    #[inline(always)]
    pub const fn is_yielding(self) -> bool {
        self.place() & 2 != 0
    }

    /// A call named by its function ID.
    pub const fn named(id: u32) -> Self {
        Self { id }
    }

    /// The function number; more than a byte where the owner or the reserved bits are wrong.
    #[inline(always)]
    pub fn number(self) -> u32 {
        (self.id & !(SMC64 | SVE_HINT)).wrapping_sub(OWNER)
    }

    /// Returns whether the call is SMC64.
    #[inline(always)]
    pub fn is_64(self) -> bool {
        self.id & SMC64 != 0
    }

    /// The bits of the function ID that are in `mask`: [`WITH_HINT`] or [`WITHOUT_HINT`].
    #[inline(always)]
    pub fn id(self, mask: u32) -> u32 {
        self.id & mask
    }
}

/// Sender and receiver of a direct message: `w1[31:16]`, `w1[15:0]`.
#[inline(always)]
pub(crate) fn endpoints(regs: &Regs) -> (u16, u16) {
    ((regs[1] >> 16) as u16, regs[1] as u16)
}

/// Writes x0 to x7; what an answer of EL3 does not carry (x8 and up) stays the caller's.
#[inline]
pub(crate) fn set(regs: &mut Regs, first: [u32; 4]) {
    let [w0, w1, w2, w3] = first;
    [regs[0], regs[1]] = [w0.into(), w1.into()];
    [regs[2], regs[3]] = [w2.into(), w3.into()];
    [regs[4], regs[5], regs[6], regs[7]] = [0; 4];
}

/// FFA_ERROR with w2 = `code`, all other registers of the answer zero.
#[cold]
#[inline(never)]
pub(crate) fn set_error(regs: &mut Regs, code: ErrorCode) {
    set(regs, [id::ERROR, 0, code as i32 as u32, 0]);
}

/// FFA_SUCCESS (SMC32) with `w2`, all other registers of the answer zero.
pub(crate) fn set_success(regs: &mut Regs, w2: u32) {
    set(regs, [id::SUCCESS_32, 0, w2, 0]);
}

/// Turns an answer's function ID into that of its 64-bit form.
pub(crate) fn make_smc64(answer: &mut Regs) {
    answer[0] |= u64::from(SMC64);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All numbers of all conventions, kinds and owners, with and without the hint.
    #[test]
    fn a_place_says_owner_number_and_convention() {
        for head in 0..=0xff_u32 {
            for number in 0..=0xff_u32 {
                for hint in [0, SVE_HINT] {
                    let id = head << 24 | number;
                    let found = place(id | hint);
                    assert_eq!(place_from(World::Normal, id | hint), found, "{id:#x}");
                    let secure = place_from(World::Secure, id | hint);
                    if hint == 0 {
                        assert_eq!(secure, found, "{id:#x}");
                    } else {
                        assert!(secure >= PLACES, "{id:#x}");
                    }
                    let ffa = head & !0x40 == 0x84 && (0x60..0xf0).contains(&number);
                    if ffa {
                        assert_eq!(found, (number - 0x60) * 4 + (head >> 6 & 1), "{id:#x}");
                    } else if found < PLACES {
                        assert_eq!((head & !0x40, found & 2), (0x04, 2), "{id:#x}");
                    }
                }
            }
        }
        // Bits 23 to 17 and 15 to 8 are zero in a function of FF-A's.
        for bit in (8..24).filter(|bit| *bit != 16) {
            assert!(place(0x8400_0061 | 1 << bit) >= PLACES, "bit {bit}");
        }
    }
}
