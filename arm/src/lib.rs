// SPDX-License-Identifier: BSD-3-Clause

//! Definitions from the Arm specifications that more than one of Janus' crates needs.

#![no_std]
#![forbid(unsafe_code)]

pub mod cpu_model;
pub mod ffa;

/// One of the two worlds that share a core, by SCR_EL3.NS. The caller of a call is the world that EL3 was entered
/// from, whatever its registers say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum World {
    /// The normal world: hypervisor or kernel (SCR_EL3.NS = 1).
    Normal,
    /// The secure world: the SPMC at S-EL2 or S-EL1 (SCR_EL3.NS = 0).
    Secure,
}

impl World {
    /// Returns the other world.
    #[inline(always)]
    pub const fn other(self) -> Self {
        match self {
            Self::Normal => Self::Secure,
            Self::Secure => Self::Normal,
        }
    }
}

/// Bit 30 of a function ID: the SMC64 convention, arguments and results of 64 bits (SMCCC, DEN0028, 2.5).
pub const SMC64: u32 = 1 << 30;

/// Bit 16 of a function ID: the caller has no live SVE state (SMCCC 1.3, 2.9). A hint, and no part of the
/// function's number.
pub const SVE_HINT: u32 = 1 << 16;

/// Returns the place of a function ID (W0) in a table of the Standard Secure service's functions (owning entity 4): four
/// times its number, plus 2 for a fast call, plus 1 for SMC64. The SVE hint is ignored. A function ID of another owner,
/// or with reserved bits set, has a place beyond 0x3ffff.
///
/// A function ID that is rotated left by two has the kind and the convention of the call below the number. So the place
/// is a small number, which one instruction compares.
#[inline(always)]
pub const fn place(function_id: u32) -> u32 {
    strict_place(function_id & !SVE_HINT)
}

/// Returns what [`place`] does, but takes the SVE hint for a reserved bit.
#[inline(always)]
pub const fn strict_place(function_id: u32) -> u32 {
    const OWNER: u32 = 4 << 24;
    function_id.rotate_left(2) ^ OWNER.rotate_left(2)
}

/// The affinity fields of MPIDR_EL1, by which PSCI and the GIC name a core: Aff3 in bits 39 to 32, Aff2
/// to Aff0 in bits 23 to 0.
pub const AFFINITY_MASK: u64 = 0xff_00ff_ffff;
