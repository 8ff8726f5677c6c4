//! Where the registers go when EL3 itself takes an exception: one record per core, at TPIDR_EL3.

/// The registers at an exception that EL3 took. Written by vectors.S.
#[repr(C, align(16))]
pub struct CrashRecord {
    /// x0 to x30.
    pub gpr: [u64; 31],
    /// SP_EL3.
    pub sp: u64,
    /// Not of a crash, but found by TPIDR_EL3 too: what [`crate::speculation`] has this core's vectors do first: so many
    /// branches; 0: the MMU off and on.
    pub branches: u64,
}

impl CrashRecord {
    /// Nothing happened yet.
    pub const EMPTY: Self = Self {
        gpr: [0; 31],
        sp: 0,
        branches: 0,
    };
}
