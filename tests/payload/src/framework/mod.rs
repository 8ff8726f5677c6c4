//! What a case is, and the two programs that run cases.
//!
//! * [`case`]: a case, its outcome, and the macros that state what must hold.
//! * [`hypervisor`]: the normal world's program: cores, selection, protocol with xtask.
//! * [`spmc`]: the secure world's program: boot, message loop, default answers.
//! * [`old_spmc`]: another one, which relies on EL3 as SPMCs of 2021 and 2022 do.
//! * [`control`]: the private messages by which the hypervisor tells the SPMC which case runs and
//!   learns what the SPMC found wrong.
//! * [`cores`]: work on any core of the normal world.
//! * [`flag`]: how a core that waits without a call learns that its SPMC has had an interrupt.

pub mod case;
pub mod config;
pub mod console;
pub mod control;
pub mod cores;
pub mod demo;
pub mod ffa;
pub mod flag;
pub mod hypervisor;
pub mod irq;
pub mod old_spmc;
pub mod psci;
pub mod regs;
pub mod spmc;
pub mod text;
