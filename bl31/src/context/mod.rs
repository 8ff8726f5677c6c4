//! What the two worlds share of a core, and how it changes hands.
//!
//! A *bank* is a set of system registers that one world's software and the other's both use:
//! [`El2Bank`] where the SPMC runs at S-EL2, [`El1Bank`] where it runs at S-EL1, [`CommonBank`]
//! always. One [`SysRegs`] a core keeps the values of the world that is not in the CPU: a switch is an
//! exchange. [`Policy`], decided once at boot, says which banks and which registers of them apply, and
//! [`Switched`] is what of them is exchanged on a core; a switch then is straight-line code with a few tests
//! of its bits, and reads no ID register.
//!
//! Which registers belong to an extension, and which world may use it, is said in its file in
//! [`crate::cpu_ext`]; the lists' machinery is in [`registers`], the architecture's base lists in
//! [`el1`], [`el2`] and [`common`]. [`live`] knows what both worlds use on a core. Vector and matrix registers are
//! [`simd`]'s, and what a trap becomes is [`undefined`]'s. docs/context.md argues it all.

pub mod common;
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
mod switch;
pub mod sysreg;
#[cfg(test)]
mod tests;
pub mod timers;
pub mod undefined;
pub(crate) mod vectors;

pub use janus_spmd::World;

pub use common::CommonBank;
pub use el1::El1Bank;
pub use el2::El2Bank;
pub use el3::El3Regs;
pub use features::{Feature, Features, Groups, IdRegs, Switch, Switched, field};
pub use live::OpenGroups;
pub use policy::{BootCore, Policy, SpmcMode};
pub use simd::Simd;

/// The system registers that the worlds share on one core, with the values of the world that is not
/// in the CPU. Of a group that is not exchanged, because the secure world has not used it yet, these
/// are the secure world's first values, whichever world is in the CPU.
///
/// What the mode does not switch stays unused here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SysRegs {
    /// Switched in every mode.
    pub common: CommonBank,
    /// Switched for an SPMC at S-EL2.
    pub el2: El2Bank,
    /// Switched for an SPMC at S-EL1.
    pub el1: El1Bank,
}

impl SysRegs {
    /// All zero.
    pub const EMPTY: Self = Self {
        common: CommonBank::EMPTY,
        el2: El2Bank::EMPTY,
        el1: El1Bank::EMPTY,
    };
}
