//! The registers of a core that both worlds use, and how they are exchanged.
//!
//! A *bank* is a set of system registers that the software of both worlds uses: [`El2Bank`] if the SPMC
//! runs at S-EL2, [`El1Bank`] if it runs at S-EL1, [`CommonBank`] always. One [`SysRegs`] per core keeps the
//! values of the world that is not in the CPU: a switch is an exchange. [`Policy`] is decided once at boot: the banks
//! and registers that apply on this machine. [`Switched`] has those that are exchanged on one core. A switch is
//! straight-line code with a few tests of its bits, and reads no ID register.
//!
//! The file of an extension in [`cpu_ext`] says which registers belong to it and which world may use it. The
//! macros for the lists are in [`registers`], the architecture's base lists in [`el1`], [`el2`] and [`common`].
//! [`live`] knows which extensions both worlds use on a core. [`simd`] has the vector and matrix registers,
//! [`undefined`] turns other traps into UNDEFINED exceptions. docs/context.md gives the reasons.
//!
//! Also here: what all of EL3 knows of a core by its registers: [`sysreg`] has them by their names, [`spsr`] says
//! what a saved processor state means.
//!
//! Nothing here knows FF-A, PSCI or a platform, so that it is not built again when these change.

#![cfg_attr(target_os = "none", no_std)]

pub mod common;
pub mod cpu_ext;
mod detect;
mod door;
pub mod el1;
pub mod el2;
pub mod el3;
pub mod features;
pub mod live;
pub mod opening;
pub mod policy;
pub mod registers;
pub mod secure_only;
pub mod simd;
pub mod spsr;
mod switch;
pub mod sysreg;
#[cfg(test)]
mod tests;
pub mod timers;
pub mod undefined;
mod vectors;

use janus_arm::World;

pub use common::CommonBank;
pub use el1::El1Bank;
pub use el2::El2Bank;
pub use el3::El3Regs;
pub use features::{Feature, Features, Groups, IdRegs, Switch, Switched, field};
pub use live::OpenGroups;
pub use policy::{BootCore, Policy, SpmcMode};
pub use simd::Simd;

/// The system registers that the worlds share on one core, with the values of the world that is not
/// in the CPU. A group that the secure world has not used yet is not exchanged. Its values here are the secure
/// world's first values, whichever world is in the CPU.
///
/// Banks that the SPMC's mode does not switch are unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SysRegs {
    /// Switched in every mode.
    pub common: CommonBank,
    /// Switched for an SPMC at S-EL1.
    pub el1: El1Bank,
    /// Switched for an SPMC at S-EL2.
    pub el2: El2Bank,
}

impl SysRegs {
    /// All zero.
    pub const EMPTY: Self = Self {
        common: CommonBank::EMPTY,
        el2: El2Bank::EMPTY,
        el1: El1Bank::EMPTY,
    };
}
