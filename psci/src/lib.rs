// SPDX-License-Identifier: BSD-3-Clause

//! PSCI's power state logic: pure, total, host-tested.
//!
//! A call goes in as register values and comes out as a [`Decision`]. Nothing here touches a device, a system register
//! or another world. The *monitor*, which is the EL3 runtime around this crate, carries the decision out, and says when
//! it has reached a step that other cores can see. The specification is DEN0022, version 1.3.
//!
//! Decisions are orders: match them without a `_`, so that a new one does not compile until it is carried out.
//!
//! # Who calls what, when
//!
//! `core` is always the number of the calling core, `now` the system counter.
//!
//! **Boot.** The boot core: [`Psci::init`], once, before any other core can arrive.
//!
//! **A call** from the normal world: [`Psci::call`] with the function ID and x1 to x3. (Calls from
//! the secure world are NOT_SUPPORTED and do not come here; nor does bit 16 of the function ID,
//! the SVE hint.) Then by the decision:
//!
//! **[`Decision::TurnOn`]**, on the calling core:
//! 1. release the target core, by whatever the platform has (hold pen, power controller);
//! 2. if that fails: return [`Psci::turn_on_failed`] to the caller, else 0.
//!
//! **A core arrives at EL3** (CPU_ON, or a suspend in which it lost everything):
//! 1. its own EL3 environment: MMU, per-core data, GIC (`Redistributor::init` after CPU_ON);
//! 2. [`Psci::arrive`]. `None`: no call turned the core on. Back into the platform's waiting place;
//! 3. [`Psci::wake`], with the platform's hook for the levels above;
//! 4. the SPMC: booted on this core after CPU_ON, told "warm boot" after a suspend;
//! 5. [`Psci::started`], immediately before the entry into the normal world at
//!    [`Arrival::entry`]. Up to here AFFINITY_INFO says ON_PENDING after CPU_ON.
//!
//! **[`Decision::TurnOff`]**:
//! 1. ask the SPMC. It refuses: return DENIED; nothing has happened;
//! 2. the GIC CPU interface and redistributor, unless [`TurnOff::freeze`];
//! 3. [`Psci::going_off`], with the platform's hook: prepare power off of core and cluster;
//! 4. write back whatever the core's caches hold;
//! 5. [`Psci::off`], the last access to shared memory. From here another core may turn this one
//!    on: it may not use a stack or per-core data any more;
//! 6. power off, or wait for the release in the platform's loop.
//!
//! **[`Decision::Suspend`], a standby state** ([`StateType::Retention`]): [`Psci::suspend`], WFI,
//! [`Psci::wake`], return 0. [`Psci::standby`] is a short way to the same.
//!
//! **[`Decision::Suspend`], a power-down state**:
//! 1. an interrupt is pending already (ISR_EL1): return 0; nothing has happened. PSCI allows a suspend to end
//!    early, and this saves the SPMC two messages;
//! 2. ask the SPMC. It refuses: return DENIED; nothing has happened;
//! 3. [`Psci::suspend`], with the platform's hook. An error (OS-initiated mode: another core woke
//!    up meanwhile): send the SPMC its warm boot message, and return the error;
//! 4. GIC CPU interface, redistributor, caches; then the platform's power-down, which on some
//!    platforms is a WFI that returns, and on others ends in "a core arrives at EL3";
//! 5. where it returns: [`Psci::wake`], the GIC, the SPMC's warm boot message,
//!    [`Psci::started`], and into the normal world at [`Suspend::entry`].
//!
//! **[`Decision::SystemOff`], [`Decision::SystemReset`]**: the platform does it; it does not return.
//!
//! # Example
//!
//! A machine of two cores in one cluster, on which core 0 turns core 1 on.
//!
//! ```
//! use core::ops::Range;
//! use janus_psci::{Decision, PowerTable, Psci, PsciPlatform, psci::*};
//!
//! struct Board {
//!     memory: [Range<u64>; 1],
//! }
//!
//! impl PsciPlatform for Board {
//!     const POWER: PowerTable = PowerTable::NONE;
//!
//!     fn core(&self, affinity: u64) -> Option<usize> {
//!         (affinity < 2).then_some(affinity as usize)
//!     }
//!     fn affinity(&self, core: usize) -> Option<u64> {
//!         (core < 2).then_some(core as u64)
//!     }
//!     fn domain(&self, _core: usize, _level: usize) -> usize {
//!         0
//!     }
//!     fn memory(&self) -> &[Range<u64>] {
//!         &self.memory
//!     }
//! }
//!
//! let psci: Psci<Board, 2> = Psci::new(Board { memory: [0x4000_0000..0x8000_0000] });
//! psci.init(0, 0);
//!
//! // An entry point outside the normal world's memory is INVALID_ADDRESS.
//! let call = [1, 0x1000, 0];
//! assert_eq!(psci.call(0, PSCI_CPU_ON_64, call), Decision::Return(-9));
//!
//! let call = [1, 0x4000_0000, 7];
//! assert_eq!(psci.call(0, PSCI_CPU_ON_64, call), Decision::TurnOn { core: 1, affinity: 1 });
//!
//! // On core 1, once it has arrived at EL3.
//! let arrival = psci.arrive(1).expect("somebody turned it on");
//! assert_eq!((arrival.entry, arrival.context), (0x4000_0000, 7));
//! psci.wake(1, 0, |_| {});
//! psci.started(1);
//! assert_eq!(psci.call(0, PSCI_AFFINITY_INFO_64, [1, 0, 0]), Decision::Return(0)); // ON
//! ```
#![cfg_attr(not(feature = "loom"), no_std)]
#![forbid(unsafe_code)]

mod arguments;
mod cores;
mod decision;
mod error;
mod functions;
mod idle;
pub mod names;
pub mod platform;
mod sync;
mod tree;

pub use decision::{Arrival, ArrivalReason, Composite, Decision, Reset, Suspend, TurnOff};
pub use functions::{HIBERNATE_OFF, PSCI_SYSTEM_OFF2_32, PSCI_SYSTEM_OFF2_64, in_range};
pub use platform::{PowerState, PowerTable, PsciPlatform, StateType};
/// The types and numbers of PSCI 1.1.
pub use smccc::psci;

use cores::Cores;
use error::Error;
use functions::{Functions, Kind};
use idle::Idle;
use janus_arm::{AFFINITY_MASK, SMC64, SVE_HINT};
use smccc::psci::PowerState as HwState;
use smccc::psci::error::SUCCESS;
use smccc::psci::*;
use sync::{AtomicBool, AtomicUsize, Lock, Ordering, fence};
use tree::Tree;

/// The bits of the arguments of a call: an SMC32 call has 32-bit ones.
const fn argument_mask(function: u32) -> u64 {
    match function & SMC64 {
        0 => u32::MAX as u64,
        _ => u64::MAX,
    }
}

/// What PSCI_VERSION says.
pub const VERSION: Version = Version { major: 1, minor: 3 };

/// A number that no core has.
const NOBODY: usize = usize::MAX;

/// The state of all cores of platform `P`, of which there can be `CORES`. One static, shared by
/// all cores.
#[derive(Debug)]
pub struct Psci<P, const CORES: usize> {
    platform: P,
    cores: Cores<CORES>,
    tree: Lock<Tree<CORES>>,
    idle: [Idle; CORES],
    /// OS-initiated mode. Written with the tree locked.
    os_initiated: AtomicBool,
    mem_protect: AtomicBool,
    /// The core that a uniprocessor SPMC is bound to.
    resident: AtomicUsize,
}

/// A standby state that a core is in by itself ([`Psci::standby`]).
#[derive(Debug)]
#[must_use = "the core sleeps until `wake`"]
pub struct Standby<'a> {
    idle: &'a Idle,
    target: Composite,
}

impl Standby<'_> {
    /// Returns what sleeps: the core alone.
    pub fn target(&self) -> &Composite {
        &self.target
    }

    /// Notes that the core is awake. `now` is the system counter.
    #[inline(always)]
    pub fn wake(self, now: u64) -> Composite {
        let _ = self.idle.leave(now);
        self.target
    }
}

impl<P: PsciPlatform, const CORES: usize> Psci<P, CORES> {
    /// Makes a value of zeros only, so that a static takes no room in the image. Call [`Psci::init`] before
    /// any other function.
    #[cfg(not(feature = "loom"))]
    pub const fn new(platform: P) -> Self {
        Self {
            platform,
            cores: Cores::new(),
            tree: Lock::new(Tree::new()),
            idle: [const { Idle::new() }; CORES],
            os_initiated: AtomicBool::new(false),
            mem_protect: AtomicBool::new(false),
            resident: AtomicUsize::new(0),
        }
    }

    /// Makes a value of zeros only, so that a static takes no room in the image. Call [`Psci::init`] before
    /// any other function.
    #[cfg(feature = "loom")]
    pub fn new(platform: P) -> Self {
        Self {
            platform,
            cores: Cores::new(),
            tree: Lock::new(Tree::new()),
            idle: core::array::from_fn(|_| Idle::new()),
            os_initiated: AtomicBool::new(false),
            mem_protect: AtomicBool::new(false),
            resident: AtomicUsize::new(0),
        }
    }

    /// Returns the platform that [`Psci::new`] was given.
    pub const fn platform(&self) -> &P {
        &self.platform
    }

    /// Returns how many functions there are; one that is both SMC32 and SMC64 counts twice.
    pub const fn function_count(&self) -> u32 {
        Functions::<P>::COUNT
    }

    /// Sets the state at boot: `core`, the boot core, is on, all others are off, no SPMC is bound to a core.
    /// `now` is the system counter.
    pub fn init(&self, core: usize, now: u64) {
        self.resident.store(NOBODY, Ordering::Relaxed);
        let mut tree = self.tree.lock_out_of_line();
        tree.all_off();
        let _ = tree.wake(&self.platform, &self.idle, self.mode(), core, now);
        self.cores.boot(core);
    }

    /// Binds the SPMC to `core`, from which it cannot migrate: MIGRATE_INFO_TYPE answers 1, and
    /// CPU_OFF of that core is DENIED. Without this call it answers 2, "no migration needed". (Janus's own image
    /// does not call it: its SPMCs run on every core.)
    pub fn bind_spmc(&self, core: usize) {
        self.resident.store(core, Ordering::Release);
    }

    /// Handles a PSCI call that `core` makes from the normal world: the function ID (w0; the SVE hint
    /// is ignored) and x1 to x3.
    ///
    /// Takes any values. A call that is refused changes no state.
    pub fn call(&self, core: usize, function: u32, arguments: [u64; 3]) -> Decision {
        match self.answer(function, arguments[0], arguments[1]) {
            Some(x0) => Decision::Return(x0),
            None => self.decide(core, function, arguments),
        }
    }

    /// Answers the frequent calls that only ask something, and those that do not exist: the first half of
    /// [`Psci::call`]. `None`: go on with [`Psci::decide`].
    #[inline(always)]
    pub fn answer(&self, function: u32, x1: u64, x2: u64) -> Option<i64> {
        Some(match Functions::<P>::kind(function) {
            Kind::Unknown => Error::NotSupported.into(),
            Kind::Version => i64::from(u32::from(VERSION)),
            Kind::Features => self.features(x1 as u32),
            Kind::AffinityInfo64 => self.affinity_info(x1, x2 as u32),
            Kind::AffinityInfo32 => self.affinity_info(u64::from(x1 as u32), x2 as u32),
            _ => return None,
        })
    }

    /// Decides about a call that [`Psci::answer`] did not answer: the second half of [`Psci::call`].
    #[inline(always)]
    pub fn decide(&self, core: usize, function: u32, arguments: [u64; 3]) -> Decision {
        let function = function & !SVE_HINT;
        match Functions::<P>::kind(function) {
            Kind::CpuSuspend => self.cpu_suspend_call(function, arguments),
            kind => self.other_call(core, kind, function, arguments),
        }
    }

    /// CPU_SUSPEND: what cores do when they have nothing to do.
    #[inline(never)]
    fn cpu_suspend_call(&self, function: u32, arguments: [u64; 3]) -> Decision {
        let mask = argument_mask(function);
        let [power_state, entry, context] = arguments.map(|argument| argument & mask);
        arguments::power_state::<P>(power_state as u32)
            .ok_or(Error::InvalidParameters)
            .and_then(|state| self.cpu_suspend(function, state.levels, entry, context))
            .unwrap_or_else(Decision::from)
    }

    /// All other calls.
    #[inline(never)]
    fn other_call(&self, core: usize, kind: Kind, function: u32, arguments: [u64; 3]) -> Decision {
        self.decide_other(core, kind, function, arguments)
            .unwrap_or_else(Decision::from)
    }

    /// Some of the SMC64 calls have 32-bit arguments, too.
    #[inline(always)]
    fn decide_other(
        &self,
        core: usize,
        kind: Kind,
        function: u32,
        arguments: [u64; 3],
    ) -> Result<Decision, Error> {
        let mask = argument_mask(function);
        let [x1, x2, x3] = arguments;
        let (x1, x2, x3) = (x1 & mask, x2 & mask, x3 & mask);
        let w1 = x1 as u32;
        Ok(match kind {
            Kind::CpuOn => return self.cpu_on(x1, x2, x3),
            Kind::CpuOff | Kind::CpuFreeze => {
                if self.resident.load(Ordering::Acquire) == core {
                    return Err(Error::Denied);
                }
                Decision::TurnOff(TurnOff {
                    function,
                    freeze: kind == Kind::CpuFreeze,
                })
            }
            Kind::CpuDefaultSuspend => {
                let levels = P::POWER.default_suspend.ok_or(Error::NotSupported)?;
                return self.cpu_suspend(function, levels, x1, x2);
            }
            Kind::SystemSuspend => return self.system_suspend(core, function, x1, x2),
            Kind::NodeHwState => return self.node_hw_state(x1, x2 as u32),
            Kind::StatResidency => Decision::Return(self.statistic(x1, x2 as u32).0 as i64),
            Kind::StatCount => Decision::Return(self.statistic(x1, x2 as u32).1 as i64),
            Kind::MemProtect => {
                Decision::Return(self.mem_protect.swap(w1 != 0, Ordering::AcqRel).into())
            }
            Kind::MemProtectCheckRange => {
                if !arguments::within(self.platform.protected(), x1, x2) {
                    return Err(Error::Denied);
                }
                Decision::Return(SUCCESS.into())
            }
            Kind::SystemReset => self.reset(function, None, 0),
            Kind::SystemReset2 => {
                if !P::POWER.resets.contains(&w1) {
                    return Err(Error::InvalidParameters);
                }
                self.reset(function, Some(w1), x2)
            }
            Kind::SystemOff => Decision::SystemOff {
                function,
                hibernate: false,
            },
            Kind::SystemOff2 => {
                // 0 is the default type; the cookie has no meaning yet.
                if w1 > HIBERNATE_OFF || x2 != 0 {
                    return Err(Error::InvalidParameters);
                }
                Decision::SystemOff {
                    function,
                    hibernate: true,
                }
            }
            Kind::SetSuspendMode => {
                let mode = match w1 {
                    0 => SuspendMode::PlatformCoordinated,
                    1 => SuspendMode::OsInitiated,
                    _ => return Err(Error::InvalidParameters),
                };
                self.set_mode(core, mode)?;
                Decision::Return(SUCCESS.into())
            }
            Kind::MigrateInfoType => {
                let bound = self.resident.load(Ordering::Acquire) != NOBODY;
                Decision::Return(if bound {
                    MigrateType::NotMigrateCapable as i64
                } else {
                    MigrateType::MigrationNotRequired as i64
                })
            }
            Kind::MigrateInfoUpCpu => return self.migrate_info_up_cpu(),
            // Not here: `decide` and `answer` know them.
            Kind::CpuSuspend
            | Kind::Version
            | Kind::Features
            | Kind::AffinityInfo32
            | Kind::AffinityInfo64
            | Kind::Unknown => return Err(Error::NotSupported),
        })
    }

    /// Returns who coordinates the domains above the cores.
    fn mode(&self) -> SuspendMode {
        if self.os_initiated.load(Ordering::Relaxed) {
            SuspendMode::OsInitiated
        } else {
            SuspendMode::PlatformCoordinated
        }
    }

    /// SET_SUSPEND_MODE by `core`.
    fn set_mode(&self, core: usize, mode: SuspendMode) -> Result<(), Error> {
        let tree = self.tree.lock_out_of_line();
        if mode == self.mode() {
            return Ok(());
        }
        if mode == SuspendMode::PlatformCoordinated {
            if !self.cores.alone(core) {
                return Err(Error::Denied);
            }
            self.os_initiated.store(false, Ordering::Relaxed);
            return Ok(());
        }
        // A core that begins a standby alone notes that first, and then reads the mode. Here it is the other way round, so
        // that one of the two sees the other.
        self.os_initiated.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if tree.any_suspended() || self.idle.iter().any(Idle::is_alone) {
            self.os_initiated.store(false, Ordering::Relaxed);
            return Err(Error::Denied);
        }
        Ok(())
    }

    #[inline(always)]
    fn features(&self, function: u32) -> i64 {
        match Functions::<P>::features(function) {
            Some(flags) => flags.into(),
            None if function | SMC64 == PSCI_MIGRATE_INFO_UP_CPU_64
                && self.migrate_info_up_cpu().is_ok() =>
            {
                SUCCESS.into()
            }
            None => Error::NotSupported.into(),
        }
    }

    #[inline(always)]
    fn affinity_info(&self, target: u64, level: u32) -> i64 {
        if level != 0 {
            return self.affinity_info_above(target, level);
        }
        arguments::core(&self.platform, target)
            .ok()
            .and_then(|core| self.cores.affinity_state(core))
            .map_or(Error::InvalidParameters.into(), i64::from)
    }

    /// AFFINITY_INFO of all cores whose affinity fields from `level` up are those of `target`. A level
    /// above the platform's power levels is not supported: INVALID_PARAMETERS.
    #[inline(never)]
    fn affinity_info_above(&self, target: u64, level: u32) -> i64 {
        let fields = match level {
            1 => AFFINITY_MASK & !0xff,
            2 => AFFINITY_MASK & !0xffff,
            _ => return Error::InvalidParameters.into(),
        };
        if target & !AFFINITY_MASK != 0 {
            return Error::InvalidParameters.into();
        }
        let [mut on, mut off, mut pending] = [false; 3];
        for core in 0..CORES {
            if self
                .platform
                .affinity(core)
                .is_some_and(|own| (own ^ target) & fields == 0)
            {
                match self.cores.affinity_state(core) {
                    Some(0) => on = true,
                    Some(1) => off = true,
                    Some(_) => pending = true,
                    None => {}
                }
            }
        }
        match (on, pending, off) {
            (true, ..) => AffinityState::On as i64,
            (_, true, _) => AffinityState::OnPending as i64,
            (.., true) => AffinityState::Off as i64,
            _ => Error::InvalidParameters.into(),
        }
    }

    fn cpu_on(&self, target: u64, entry: u64, context: u64) -> Result<Decision, Error> {
        let core = arguments::core(&self.platform, target)?;
        let entry = arguments::entry(&self.platform, entry)?;
        self.cores.turn_on(core, entry, context)?;
        Ok(Decision::TurnOn {
            core,
            affinity: target,
        })
    }

    fn cpu_suspend(
        &self,
        function: u32,
        levels: platform::LevelStates,
        entry: u64,
        context: u64,
    ) -> Result<Decision, Error> {
        let state_type = tree::state_type::<P>(0, levels[0]);
        // A standby state goes on where it was called: its entry point means nothing.
        let entry = match state_type {
            StateType::PowerDown => arguments::entry(&self.platform, entry)?,
            StateType::Retention => 0,
        };
        Ok(Decision::Suspend(Suspend {
            function,
            state_type,
            levels,
            entry,
            context,
            system: false,
        }))
    }

    fn system_suspend(
        &self,
        core: usize,
        function: u32,
        entry: u64,
        context: u64,
    ) -> Result<Decision, Error> {
        let levels = P::POWER.system_suspend.ok_or(Error::NotSupported)?;
        let entry = arguments::entry(&self.platform, entry)?;
        if !self.cores.alone(core) {
            return Err(Error::Denied);
        }
        let state_type = tree::state_type::<P>(0, levels[0]);
        Ok(Decision::Suspend(Suspend {
            function,
            state_type,
            levels,
            entry,
            context,
            system: true,
        }))
    }

    fn node_hw_state(&self, target: u64, level: u32) -> Result<Decision, Error> {
        let core = arguments::core(&self.platform, target)?;
        let level = level as usize;
        if level >= platform::LEVELS {
            return Err(Error::InvalidParameters);
        }
        let power = self.platform.has_power(core, level);
        let state = self
            .tree
            .lock_out_of_line()
            .hw_state(&self.platform, &self.idle, core, level);
        let state = match (power, state) {
            (Some(false), _) => HwState::HwOff,
            (Some(true), HwState::HwOff) => HwState::HwOn,
            _ => state,
        };
        Ok(Decision::Return(state as i64))
    }

    /// STAT_RESIDENCY (microseconds) and STAT_COUNT. PSCI gives them no error: a core or a state that does
    /// not exist has 0.
    fn statistic(&self, target: u64, power_state: u32) -> (u64, u64) {
        let (Ok(core), Some(state)) = (
            arguments::core(&self.platform, target),
            arguments::power_state::<P>(power_state),
        ) else {
            return (0, 0);
        };
        let level = Composite {
            levels: state.levels,
        }
        .level();
        let depth = state.levels.get(level).copied().unwrap_or(0);
        let (ticks, count) = match (level, self.idle.get(core)) {
            (0, Some(idle)) => idle.statistic(depth),
            _ => {
                let tree = self.tree.lock_out_of_line();
                tree.statistic(&self.platform, core, level, depth)
            }
        };
        let frequency = self.platform.frequency().max(1);
        let (seconds, rest) = (ticks / frequency, ticks % frequency);
        let part = rest.saturating_mul(1_000_000) / frequency;
        (
            seconds.saturating_mul(1_000_000).saturating_add(part),
            count,
        )
    }

    fn reset(&self, function: u32, kind: Option<u32>, cookie: u64) -> Decision {
        let clear_memory = self.mem_protect.load(Ordering::Acquire);
        Decision::SystemReset(Reset {
            function,
            kind,
            cookie,
            clear_memory,
        })
    }

    /// MIGRATE_INFO_UP_CPU, which exists while the SPMC is bound to a core.
    #[inline(never)]
    fn migrate_info_up_cpu(&self) -> Result<Decision, Error> {
        let core = self.resident.load(Ordering::Acquire);
        let affinity = self.platform.affinity(core).ok_or(Error::NotSupported)?;
        Ok(Decision::Return(affinity as i64))
    }

    /// Takes a CPU_ON back that the platform could not carry out: `core` is off again. Returns what the
    /// caller gets: INTERNAL_FAILURE; or SUCCESS, with nothing taken back, if the core has arrived all the
    /// same, because it never went off.
    pub fn turn_on_failed(&self, core: usize) -> i64 {
        if self.cores.turn_on_failed(core) {
            Error::InternalFailure.into()
        } else {
            SUCCESS.into()
        }
    }

    /// Returns where `core`, which has just arrived at EL3, goes on. `None`: no call asked for it.
    pub fn arrive(&self, core: usize) -> Option<Arrival> {
        self.cores.arrive(core)
    }

    /// Notes that `core` is awake. `hook` gets what slept with it (a level that is 0 did not, or
    /// another core woke it first) and runs while no other core can go to sleep or wake up, except after a standby state
    /// of the core alone.
    pub fn wake(&self, core: usize, now: u64, hook: impl FnOnce(&Composite)) -> Composite {
        if let Some(idle) = self.idle.get(core)
            && idle.is_alone()
        {
            let mut composite = Composite::default();
            composite.levels[0] = idle.leave(now);
            hook(&composite);
            return composite;
        }
        let mut tree = self.tree.lock();
        let composite = tree.wake(&self.platform, &self.idle, self.mode(), core, now);
        hook(&composite);
        composite
    }

    /// Notes that `core` enters the normal world: AFFINITY_INFO answers ON from now on.
    pub fn started(&self, core: usize) {
        self.cores.on(core);
    }

    /// Notes that `core` is about to turn off. `hook` gets what turns off with it, and runs while no other core can
    /// go to sleep or wake up.
    pub fn going_off(&self, core: usize, now: u64, hook: impl FnOnce(&Composite)) -> Composite {
        let mut tree = self.tree.lock();
        let composite = tree.off(&self.platform, &self.idle, self.mode(), core, now);
        hook(&composite);
        composite
    }

    /// Notes that `core` is off: it only waits, or cuts its power, from now on. AFFINITY_INFO answers OFF,
    /// and CPU_ON works.
    pub fn off(&self, core: usize) {
        self.cores.off(core);
    }

    /// Puts `core` to sleep as [`Decision::Suspend`] says. `hook` gets what sleeps after coordination, and runs while
    /// no other core can go to sleep or wake up, except in a standby state of the core alone.
    ///
    /// # Errors
    ///
    /// In OS-initiated mode, what to return to the caller, sign-extended: DENIED if the core is
    /// not the last one of a domain it named, INVALID_PARAMETERS if a core or a domain in it runs or
    /// sleeps less deep.
    pub fn suspend(
        &self,
        core: usize,
        suspend: &Suspend,
        now: u64,
        hook: impl FnOnce(&Composite),
    ) -> Result<Composite, i64> {
        let by_caller = matches!(suspend.function, PSCI_CPU_SUSPEND_32 | PSCI_CPU_SUSPEND_64);
        if by_caller && let Some(standby) = self.sleep_alone(core, suspend.levels, now) {
            hook(&standby.target);
            return Ok(standby.target);
        }
        let mut tree = self.tree.lock();
        let composite = tree
            .suspend(&self.platform, &self.idle, self.mode(), core, suspend, now)
            .map_err(i64::from)?;
        if suspend.state_type == StateType::PowerDown {
            self.cores
                .suspend(core, suspend.entry, suspend.context, suspend.system);
        }
        hook(&composite);
        Ok(composite)
    }

    /// Begins the standby state `power_state` (x1) of CPU_SUSPEND on `core`, if it is one of the core alone: the short
    /// way of [`Psci::call`] and [`Psci::suspend`], for what idle cores do all the time. The core executes WFI, calls
    /// [`Standby::wake`], and returns 0. `None`: make the call.
    #[inline(always)]
    pub fn standby(&self, core: usize, power_state: u64, now: u64) -> Option<Standby<'_>> {
        let state = arguments::power_state::<P>(power_state as u32)?;
        self.sleep_alone(core, state.levels, now)
    }

    /// Lets `core` sleep as `levels` says without the tree's lock, if it is a standby state of the core alone, and the
    /// platform coordinates: then no other core has a part in it.
    #[inline(always)]
    fn sleep_alone(
        &self,
        core: usize,
        levels: platform::LevelStates,
        now: u64,
    ) -> Option<Standby<'_>> {
        let idle = self.idle.get(core)?;
        let standby = tree::state_type::<P>(0, levels[0]) == StateType::Retention;
        if levels[1] != 0 || !standby {
            return None;
        }
        idle.enter_alone(levels[0], now);
        if self.os_initiated.load(Ordering::Relaxed) {
            idle.run();
            return None;
        }
        let target = Composite { levels };
        Some(Standby { idle, target })
    }

    /// Returns how many cores are not off. 1: the caller is the last one. (PSCI lets the last core turn
    /// itself off, though no core is left to turn it on again: worth a line on the console.)
    pub fn cores_on(&self) -> usize {
        self.cores.not_off()
    }
}
