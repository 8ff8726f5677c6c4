//! A test case: its two sides, and what it needs.
//!
//! `normal` runs on the hypervisor's boot core and can use other cores by [`super::cores`]. `secure` is called for each
//! message that reaches the SPMC on any core while the case runs, including FFA_INTERRUPT and framework messages. It
//! returns the answer, or None for the default answer (direct requests are echoed). It can call EL3 before it answers,
//! and fails the case by [`super::spmc::Secure::fail`].
//!
//! Both sides are compiled into both images, but the images do not share statics: only registers go from one to the
//! other.

use super::regs::Regs;
use super::spmc::Secure;
use super::text::Text;
use bitflags::bitflags;

bitflags! {
    /// What a case needs. A case whose needs are not met is skipped, with a message.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub struct Needs: u32 {
        /// More than one core.
        const CORES = 1 << 0;
        /// Janus: the C BL31 is known to behave differently.
        const JANUS = 1 << 1;
        /// An SPMC at S-EL2.
        const SEL2 = 1 << 2;
        /// An SPMC at S-EL1.
        const SEL1 = 1 << 3;
        /// FF-A 1.2 or later on both sides.
        const V1_2 = 1 << 4;
        /// No function but FFA_VERSION has been called: the case runs before the others.
        const FIRST = 1 << 5;
        /// No FF-A: the case can run without an SPMC.
        const NO_FFA = 1 << 6;
        /// The case leaves a core without its SPMC, so that it runs after the others.
        const LAST = 1 << 7;
        /// The hypervisor's FF-A version is below 1.2.
        const BELOW_1_2 = 1 << 8;
    }
}

/// Why a case did not pass.
pub enum Why {
    /// Something that must hold does not.
    Failed(Text),
    /// The case cannot be tried in this boot.
    Skipped(Text),
}

/// The outcome of a case, or of a part of it.
pub type Outcome = Result<(), Why>;

/// The secure world's side of a case. Returns the answer to a message, or None for the default answer.
pub type SecureSide = fn(&Secure, &Regs) -> Option<Regs>;

/// A test case.
pub struct Case {
    /// The name: `area/what`.
    pub name: &'static str,
    /// What the case needs of the machine.
    pub needs: Needs,
    /// The key and value that the configuration must have, for cases with boots of their own.
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
    /// Makes a case whose secure side gives the default answers.
    pub const fn new(name: &'static str, normal: fn() -> Outcome) -> Self {
        Self {
            name,
            needs: Needs::empty(),
            boot: None,
            normal,
            secure: default_answer,
        }
    }

    /// Sets the case's secure side.
    pub const fn secure(mut self, secure: SecureSide) -> Self {
        self.secure = secure;
        self
    }

    /// Sets what the case needs of the machine.
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

/// Ends this part of the case as failed.
#[macro_export]
macro_rules! fail {
    ($($argument:tt)*) => {
        return Err($crate::framework::case::Why::Failed($crate::framework::text::Text::of(format_args!($($argument)*))))
    };
}

/// Ends this part of the case as skipped: it cannot be tried in this boot.
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
