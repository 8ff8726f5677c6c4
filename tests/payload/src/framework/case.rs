//! A test case: both sides of it, and what it needs.
//!
//! `normal` runs on the hypervisor's boot core and may use the others through
//! [`super::cores`]. `secure` is asked for every message that reaches the SPMC
//! on any core while the case runs, FFA_INTERRUPT and framework messages
//! included; `None` leaves the message to the default answer (direct requests
//! are echoed). It may itself call EL3 before it answers. What it finds wrong
//! it says with [`super::spmc::Secure::fail`], which fails the case.
//!
//! Both sides are compiled into both images, but statics are not shared
//! between them: only registers go across.

use super::regs::Regs;
use super::spmc::Secure;
use super::text::Text;
use bitflags::bitflags;

bitflags! {
    /// What a case needs; it is skipped (and says so) where it is missing.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub struct Needs: u32 {
        /// More than one core.
        const CORES = 1 << 0;
        /// Janus: the C BL31 is known to do otherwise.
        const JANUS = 1 << 1;
        /// An SPMC at S-EL2.
        const SEL2 = 1 << 2;
        /// An SPMC at S-EL1.
        const SEL1 = 1 << 3;
        /// FF-A 1.2 or later on both sides.
        const V1_2 = 1 << 4;
        /// Nothing but FFA_VERSION has been called: the case runs before the others.
        const FIRST = 1 << 5;
        /// Works without FF-A: may run where there is no SPMC.
        const NO_FFA = 1 << 6;
        /// Leaves a core without its SPMC: runs after the others.
        const LAST = 1 << 7;
        /// The hypervisor's FF-A version is below 1.2.
        const BELOW_1_2 = 1 << 8;
    }
}

/// Why a case did not pass.
pub enum Why {
    /// Something that must hold does not.
    Failed(Text),
    /// It cannot be tried here.
    Skipped(Text),
}

/// Of a case or a part of it.
pub type Outcome = Result<(), Why>;

/// The secure world's side of a case: the answer to a message, `None` for the default one.
pub type SecureSide = fn(&Secure, &Regs) -> Option<Regs>;

/// A test case.
pub struct Case {
    /// `area/what`.
    pub name: &'static str,
    /// What the case needs of the machine.
    pub needs: Needs,
    /// The key=value that the configuration must have, for cases with boots of their own.
    pub boot: Option<(&'static str, &'static str)>,
    /// The normal world's side.
    pub normal: fn() -> Outcome,
    /// The secure world's side.
    pub secure: SecureSide,
}

fn default_answer(_: &Secure, _: &Regs) -> Option<Regs> {
    None
}

impl Case {
    /// A case whose secure side is the SPMC's default behaviour.
    pub const fn new(name: &'static str, normal: fn() -> Outcome) -> Self {
        Self {
            name,
            needs: Needs::empty(),
            boot: None,
            normal,
            secure: default_answer,
        }
    }

    /// Adds the case's part in the SPMC.
    pub const fn secure(mut self, secure: SecureSide) -> Self {
        self.secure = secure;
        self
    }

    /// Adds what the case needs of the machine.
    pub const fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// Runs the case only in boots whose configuration has `value` in the list of `key`.
    pub const fn in_boot(mut self, key: &'static str, value: &'static str) -> Self {
        self.boot = Some((key, value));
        self
    }
}

/// Ends this part of the case: it failed.
#[macro_export]
macro_rules! fail {
    ($($argument:tt)*) => {
        return Err($crate::framework::case::Why::Failed($crate::framework::text::Text::of(format_args!($($argument)*))))
    };
}

/// Ends this part of the case: it cannot be tried here.
#[macro_export]
macro_rules! skip {
    ($($argument:tt)*) => {
        return Err($crate::framework::case::Why::Skipped($crate::framework::text::Text::of(format_args!($($argument)*))))
    };
}

/// Fails this part of the case unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($argument:tt)*) => {
        if !$condition {
            $crate::fail!($($argument)*)
        }
    };
}

/// Fails this part of the case unless both are equal: `ensure_eq!(got, want, "what it is")`.
#[macro_export]
macro_rules! ensure_eq {
    ($got:expr, $want:expr, $($argument:tt)*) => {{
        let (got, want) = ($got, $want);
        if got != want {
            $crate::fail!("{}: {:#x}, should be {:#x}", format_args!($($argument)*), got, want)
        }
    }};
}
