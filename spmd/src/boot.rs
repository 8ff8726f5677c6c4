// SPDX-License-Identifier: BSD-3-Clause

//! The SPMC comes up on a core: from its entry to its first FFA_MSG_WAIT.
//!
//! The boot core enters at the image's entry point, the others where the SPMC registered by
//! FFA_SECONDARY_EP_REGISTER, or at the same point. What it says before FFA_MSG_WAIT never reaches the
//! normal world, which does not run yet.

use crate::action::{Action, Work, refuse};
use crate::call::{Call, ErrorCode, Regs, WITHOUT_HINT, make_smc64, set_error, set_success};
use crate::dispatch::{SpmcConfig, Spmd};
use crate::state::{Core, State};
use crate::table::FromSecure;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

impl Core {
    /// Begins the SPMC's boot on a core that comes up: `primary` on the one that boots the system, once.
    ///
    /// On `true` enter the SPMC at [`Spmd::entry`] until it is ready or has failed. On `false` there
    /// is nothing to enter: no SPMC, one that failed on the boot core, or one that died on this core
    /// (or the core is not off: [`Core::turn_off`] was forgotten).
    #[must_use]
    pub fn begin_boot(&mut self, spmd: &Spmd, primary: bool) -> bool {
        let usable = spmd.spmc.is_some() && (primary || spmd.ready.load(Acquire));
        if !usable || !matches!(self.state, State::Off | State::Failed) {
            return false;
        }
        self.enter(State::Booting { primary });
        true
    }
}

impl Spmd {
    /// Returns the physical address at which the SPMC is entered on the boot core (`primary`) or on another
    /// one; 0 without an SPMC.
    pub fn entry(&self, primary: bool) -> u64 {
        let first = self.spmc.as_ref().map_or(0, |spmc| spmc.entry);
        match self.secondary_entry() {
            Some(entry) if !primary => entry,
            _ => first,
        }
    }

    /// Returns the entry point that the SPMC registered by FFA_SECONDARY_EP_REGISTER, if it did.
    pub fn secondary_entry(&self) -> Option<u64> {
        match self.secondary_entry.load(Relaxed) {
            0 => None,
            entry => Some(entry),
        }
    }

    /// Handles FFA_SECONDARY_EP_REGISTER: w1 or x1 is the physical address of an instruction in the SPMC's image.
    ///
    /// The 64-bit call gets the 64-bit FFA_SUCCESS or FFA_ERROR, which SPMCs expect (docs/spmd.md, "The convention of
    /// EL3's answers").
    pub(crate) fn register_entry(
        &self,
        core: &Core,
        spmc: &SpmcConfig,
        is_64: bool,
        caller: &mut Regs,
    ) {
        let entry = if is_64 {
            caller[1]
        } else {
            u64::from(caller[1] as u32)
        };
        if core.state != (State::Booting { primary: true }) {
            set_error(caller, ErrorCode::Denied);
        } else if !spmc.image.contains(&entry) || !entry.is_multiple_of(4) || entry == 0 {
            set_error(caller, ErrorCode::InvalidParameters);
        } else {
            self.secondary_entry.store(entry, Relaxed);
            set_success(caller, 0);
        }
        if is_64 {
            make_smc64(caller);
        }
    }

    /// Decides about a call that would hand over to the normal world, which may not run yet.
    #[inline(never)]
    pub(crate) fn secure_booting(
        &self,
        core: &mut Core,
        primary: bool,
        call: Call,
        rule: FromSecure,
        caller: &mut Regs,
    ) -> Action {
        let work = match rule {
            FromSecure::MsgWait => {
                core.enter(State::Running);
                if primary {
                    // Orders the entry point before it for the cores that come up later.
                    self.ready.store(true, Release);
                }
                return Action::El3(Work::SpmcReady);
            }
            // Ends a secure interrupt, and none is being handled.
            FromSecure::Resume => return refuse(caller, ErrorCode::Denied),
            FromSecure::Error => Work::SpmcFailed(caller[2] as u32 as i32),
            _ => Work::SpmcCalledEarly(call.id(WITHOUT_HINT)),
        };
        core.enter(State::Failed);
        Action::El3(work)
    }
}
