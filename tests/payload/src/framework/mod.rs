//! The test cases' framework: what a case is, and the programs that run cases.
//!
//! * [`case`]: a case, its outcome, and the macros that state what must hold.
//! * [`hypervisor`]: the program of the normal world: cores, choice of cases, reports to xtask.
//! * [`spmc`]: the program of the secure world: boot, message loop, default answers.
//! * [`old_spmc`]: another program of the secure world, which relies on EL3 as SPMCs of 2021 and 2022 do.
//! * [`control`]: the messages by which the hypervisor tells the SPMC which case runs, and
//!   reads what the SPMC has found wrong.
//! * [`cores`]: the cores of the normal world, and work for them.
//! * [`event`]: the handler of the event by which EL3 interrupts the normal world of a lab.
//! * [`flag`]: a flag per core, which tells a core that waits without a call that its SPMC has had an interrupt.

pub mod case;
pub mod config;
pub mod console;
pub mod control;
pub mod cores;
pub mod demo;
pub mod event;
pub mod ffa;
pub mod flag;
pub mod hypervisor;
pub mod irq;
pub mod old_spmc;
pub mod psci;
pub mod regs;
pub mod spmc;
pub mod text;
