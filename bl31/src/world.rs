//! A world's saved state, and the call that runs it.
//!
//! [`WorldContext`] holds what a world owns by itself. The general-purpose registers are in it whenever
//! EL3 runs, because the vectors store them there; ELR_EL3 and SPSR_EL3 stay in the CPU until
//! [`crate::core_data::CoreData::switch_to`] saves them. The system registers that the worlds share are
//! not here: there is one set of them a core, [`crate::core_data::CoreData::parked`].

use crate::black_box::BlackBox;
use crate::context::El3Regs;
use crate::hw::cpu;
use core::mem::offset_of;

/// The number of general-purpose registers, x0 to x30.
pub const GPR_COUNT: usize = 31;

/// One world's state on one core.
#[repr(C, align(64))]
pub struct WorldContext {
    /// Where the world goes on. Valid while the other world is the current one.
    pub elr_el3: u64,
    /// The processor state the world goes on with. Valid while the other world is the current one.
    pub spsr_el3: u64,
    /// How EL3's registers are set while this world runs.
    pub el3: El3Regs,
    /// x0 to x30, valid whenever EL3 runs.
    pub gpr: [u64; GPR_COUNT],
    /// EL3's own x19 and stack pointer while this world runs. Only vectors.S touches them.
    el3_frame: [u64; 2],
    /// Where the normal world's calls are kept. The secure world has none.
    pub black_box: BlackBox,
}

impl WorldContext {
    /// Where vectors.S keeps EL3's own registers.
    pub const EL3_FRAME: usize = offset_of!(Self, el3_frame);
    /// Where vectors.S finds the record that is open.
    pub const RECORD: usize = offset_of!(Self, black_box);

    /// All zero: a world that was never started.
    pub const EMPTY: Self = Self {
        gpr: [0; GPR_COUNT],
        el3_frame: [0; 2],
        black_box: BlackBox::NONE,
        elr_el3: 0,
        spsr_el3: 0,
        el3: El3Regs::EMPTY,
    };

    /// Keeps where the world, which is current, goes on.
    #[inline(always)]
    pub fn save_return(&mut self) {
        // Both are read first: the compiler then stores them as a pair.
        let (elr, spsr) = cpu::return_state();
        (self.elr_el3, self.spsr_el3) = (elr, spsr);
    }

    /// Sets where the world, which becomes current, goes on.
    #[inline(always)]
    pub fn load_return(&self) {
        // SAFETY: what the world's last exception left there (`save_return`), or an entry point: that of the SPMC by
        // `spsr::entry`, of the normal world by it or after `spsr::check`.
        unsafe { cpu::set_return_state(self.elr_el3, self.spsr_el3) };
    }

    /// x0 to x17: all that a call can carry (SMCCC 1.2).
    pub fn args(&mut self) -> &mut [u64; 18] {
        let (args, _) = self
            .gpr
            .split_first_chunk_mut()
            .expect("31 registers hold 18");
        args
    }
}

/// Why a world came back to EL3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A synchronous exception: ESR_EL3 says which.
    Synchronous,
    /// A physical IRQ that is routed to EL3.
    Irq,
    /// A physical FIQ that is routed to EL3.
    Fiq,
    /// A physical SError that is routed to EL3.
    SError,
}
