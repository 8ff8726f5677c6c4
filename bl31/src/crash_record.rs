//! The crash record: the registers at an exception of EL3 itself. One record per core, at TPIDR_EL3.

/// The registers at an exception of EL3 itself. Written by vectors.S.
#[repr(C, align(16))]
pub struct CrashRecord {
    /// x0 to x30.
    pub gpr: [u64; 31],
    /// SP_EL3.
    pub sp: u64,
    /// The number of branches that this core's vectors begin with; 0: they turn the MMU off and on instead;
    /// [`CrashRecord::AARCH32`] ([`crate::speculation`]). It is here because the vectors find it by TPIDR_EL3.
    pub branches: u64,
}

impl CrashRecord {
    /// The value of [`CrashRecord::branches`] of a core whose vectors go to AArch32. They look at bit 63 alone.
    pub const AARCH32: u64 = 1 << 63;

    /// The record of a core that has not crashed.
    pub const EMPTY: Self = Self {
        gpr: [0; 31],
        sp: 0,
        branches: 0,
    };
}
