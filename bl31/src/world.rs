//! The saved state of a world.
//!
//! [`WorldContext`] holds what a world does not share with the other. The general-purpose registers are in it
//! whenever EL3 runs, because the vectors store them there. ELR_EL3 and SPSR_EL3 stay in the CPU until
//! [`crate::core_data::CoreData::switch_to`] saves them. The system registers that the worlds share are
//! elsewhere: there is one set of them per core, [`crate::core_data::CoreData::parked`].

use crate::black_box::BlackBox;
use crate::hw::cpu;
use core::mem::offset_of;
use janus_context::El3Regs;

/// The number of general-purpose registers, x0 to x30.
pub const GPR_COUNT: usize = 31;

/// One world's state on one core.
#[repr(C, align(64))]
pub struct WorldContext {
    /// The address at which the world goes on. Valid while the other world is current.
    pub elr_el3: u64,
    /// The processor state with which the world goes on. Valid while the other world is current.
    pub spsr_el3: u64,
    /// The values of EL3's registers while this world runs.
    pub el3: El3Regs,
    /// x0 to x30. Valid whenever EL3 runs.
    pub gpr: [u64; GPR_COUNT],
    /// EL3's own x19 and stack pointer while this world runs. Only vectors.S touches them.
    el3_frame: [u64; 2],
    /// The black box of the normal world; [`BlackBox::NONE`] in the secure world's context.
    pub black_box: BlackBox,
}

impl WorldContext {
    /// The offset at which vectors.S keeps EL3's own registers.
    pub const EL3_FRAME: usize = offset_of!(Self, el3_frame);
    /// The offset at which vectors.S finds the open record of the black box.
    pub const RECORD: usize = offset_of!(Self, black_box);

    /// The context of a world that was never started: all zero.
    pub const EMPTY: Self = Self {
        gpr: [0; GPR_COUNT],
        el3_frame: [0; 2],
        black_box: BlackBox::NONE,
        elr_el3: 0,
        spsr_el3: 0,
        el3: El3Regs::EMPTY,
    };

    /// Saves ELR_EL3 and SPSR_EL3 of this world, which is current.
    #[inline(always)]
    pub fn save_return(&mut self) {
        // Both are read first: the compiler then stores them as a pair.
        let (elr, spsr) = cpu::return_state();
        (self.elr_el3, self.spsr_el3) = (elr, spsr);
    }

    /// Loads ELR_EL3 and SPSR_EL3 of this world, which becomes current.
    #[inline(always)]
    pub fn load_return(&self) {
        // SAFETY: the values are those of the world's last exception (`save_return`), or those of an entry point. The
        // SPMC's comes from `spsr::entry`, the normal world's from `spsr::entry` or has passed `spsr::check`.
        unsafe { cpu::set_return_state(self.elr_el3, self.spsr_el3) };
    }

    /// Returns x0 to x17, the registers of a call (SMCCC 1.2).
    pub fn args(&mut self) -> &mut [u64; 18] {
        let (args, _) = self
            .gpr
            .split_first_chunk_mut()
            .expect("31 registers hold 18");
        args
    }
}

/// Why a world came back to EL3: ESR_EL3 of a synchronous exception, or a negative number for each other kind. Bit 63 of
/// ESR_EL3 is RES0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Exit(i64);

impl Exit {
    /// A physical IRQ that is routed to EL3.
    pub const IRQ: Self = Self(-1);
    /// A physical FIQ that is routed to EL3.
    pub const FIQ: Self = Self(-2);
    /// A physical SError that is routed to EL3.
    pub const SERROR: Self = Self(-3);
    /// `smc #0` in AArch64: exception class 0x17, a 32-bit instruction, immediate zero.
    pub const SMC64_0: Self = Self(0x17 << 26 | 1 << 25);

    /// Takes the value that vectors.S returns.
    #[inline(always)]
    pub const fn from_vectors(said: i64) -> Self {
        Self(said)
    }

    /// Returns the value that vectors.S returns for it.
    pub const fn to_vectors(self) -> i64 {
        self.0
    }

    /// Returns ESR_EL3 of a synchronous exception.
    #[inline(always)]
    pub fn syndrome(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }

    /// Returns the number of its kind in the black box; a synchronous exception is 0.
    pub fn kind(self) -> u64 {
        self.0.min(0).unsigned_abs()
    }
}
