// SPDX-License-Identifier: BSD-3-Clause

//! The power domain tree: who sleeps how deep, what that means for the domains above, their statistics. (The cores'
//! own level is in `idle.rs`.)
//!
//! Plain data behind one lock. Only suspend, wake-up, CPU_ON and CPU_OFF come here, and the
//! platform's hook runs while the lock is held: a cluster that goes to sleep and a core of it that
//! wakes up at that moment never work on the cluster at once.

use crate::decision::{Composite, Suspend};
use crate::error::Error;
use crate::idle::Idle;
use crate::platform::{LEVELS, LevelStates, PsciPlatform, STATES, StateType};
use smccc::psci::{PSCI_CPU_SUSPEND_32, PSCI_CPU_SUSPEND_64, PowerState as HwState, SuspendMode};

/// The levels above the cores' own.
const ABOVE: usize = LEVELS - 1;

/// What a core that is off asks for at each level: the deepest state that there is.
const OFF: u8 = u8::MAX;

/// How long a node was in one state, in ticks, and how often.
#[derive(Clone, Copy, Debug, Default)]
struct Statistic {
    ticks: u64,
    count: u64,
}

/// A low-power state that a node is in.
#[derive(Clone, Copy, Debug, Default)]
struct Sleep {
    depth: u8,
    since: u64,
}

/// The tree. The data of a domain are those of its first core.
#[derive(Debug)]
pub(crate) struct Tree<const CORES: usize> {
    /// Per core: what it asks for at each level; 0 while it runs.
    request: [LevelStates; CORES],
    /// Per core: whether it sleeps through CPU_SUSPEND.
    suspended: [bool; CORES],
    /// Per core: the domains above it, from level 1 on.
    sleep: [[Sleep; ABOVE]; CORES],
    statistics: [[[Statistic; STATES]; ABOVE]; CORES],
}

impl<const CORES: usize> Tree<CORES> {
    /// All zero; see [`Tree::all_off`].
    pub(crate) const fn new() -> Self {
        Self {
            request: [[0; LEVELS]; CORES],
            suspended: [false; CORES],
            sleep: [[Sleep { depth: 0, since: 0 }; ABOVE]; CORES],
            statistics: [[[Statistic { ticks: 0, count: 0 }; STATES]; ABOVE]; CORES],
        }
    }

    /// All cores are off.
    pub(crate) fn all_off(&mut self) {
        self.request = [[OFF; LEVELS]; CORES];
    }

    /// The cores of the domain of `core` at `level`. At level 0 that is the core itself, which costs
    /// no search.
    fn peers<P: PsciPlatform>(
        &self,
        platform: &P,
        core: usize,
        level: usize,
    ) -> impl Iterator<Item = usize> {
        let (domain, candidates) = match level {
            0 => (0, core..core.saturating_add(1)),
            _ => (platform.domain(core, level), 0..CORES),
        };
        candidates.filter(move |&peer| {
            level == 0
                || platform.affinity(peer).is_some() && platform.domain(peer, level) == domain
        })
    }

    /// The first core of the domain of `core` at `level`, which has the domain's data.
    #[inline(never)]
    fn first_above<P: PsciPlatform>(&self, platform: &P, core: usize, level: usize) -> usize {
        self.peers(platform, core, level).next().unwrap_or(core)
    }

    /// Returns what `peer` asks for at `level`; a core that is off asks for [`OFF`].
    fn asks(&self, peer: usize, level: usize) -> u8 {
        let request = self.request.get(peer).and_then(|r| r.get(level));
        request.copied().unwrap_or(0)
    }

    /// Lets `core` sleep as `suspend` says, and finds what the domains above do.
    ///
    /// # Errors
    ///
    /// OS-initiated mode only: DENIED if the core is not the last of a domain it asks for,
    /// INVALID_PARAMETERS if a core or a domain below runs or sleeps less deep than the domain would.
    pub(crate) fn suspend<P: PsciPlatform>(
        &mut self,
        platform: &P,
        idle: &[Idle; CORES],
        mode: SuspendMode,
        core: usize,
        suspend: &Suspend,
        now: u64,
    ) -> Result<Composite, Error> {
        // The other suspends leave the choice to the platform.
        let by_caller = matches!(suspend.function, PSCI_CPU_SUSPEND_32 | PSCI_CPU_SUSPEND_64);
        let by_os = by_caller && matches!(mode, SuspendMode::OsInitiated);
        if by_os {
            self.check_os_initiated(platform, idle, core, suspend.levels)?;
        }
        if let (Some(request), Some(suspended)) =
            (self.request.get_mut(core), self.suspended.get_mut(core))
        {
            *request = suspend.levels;
            *suspended = by_caller;
        }
        // Nothing to coordinate: SYSTEM_SUSPEND is alone, and a core may always sleep by itself.
        let composite = if by_os || suspend.system || suspend.levels[1] == 0 {
            Composite {
                levels: suspend.levels,
            }
        } else {
            self.coordinate(platform, mode, core)
        };
        self.enter(platform, idle, core, composite, now);
        Ok(composite)
    }

    /// Notes that `core` turns off. Returns what turns off with it.
    pub(crate) fn off<P: PsciPlatform>(
        &mut self,
        platform: &P,
        idle: &[Idle; CORES],
        mode: SuspendMode,
        core: usize,
        now: u64,
    ) -> Composite {
        if let Some(request) = self.request.get_mut(core) {
            *request = [OFF; LEVELS];
        }
        let composite = self.coordinate(platform, mode, core);
        self.enter(platform, idle, core, composite, now);
        composite
    }

    /// Notes that `core` runs again. Returns what slept with it.
    #[inline(never)]
    pub(crate) fn wake<P: PsciPlatform>(
        &mut self,
        platform: &P,
        idle: &[Idle; CORES],
        mode: SuspendMode,
        core: usize,
        now: u64,
    ) -> Composite {
        let mut woken = Composite::default();
        woken.levels[0] = idle.get(core).map_or(0, |idle| idle.leave(now));
        // What this core did not ask for cannot have slept, unless the OS coordinates: then the
        // last core asks for all of them.
        let by_platform = matches!(mode, SuspendMode::PlatformCoordinated);
        if !by_platform || self.asks(core, 1) != 0 {
            self.wake_above(platform, core, by_platform, now, &mut woken);
        }
        if let (Some(request), Some(suspended)) =
            (self.request.get_mut(core), self.suspended.get_mut(core))
        {
            *request = [0; LEVELS];
            *suspended = false;
        }
        woken
    }

    /// Notes that the domains above `core` run again.
    #[inline(never)]
    fn wake_above<P: PsciPlatform>(
        &mut self,
        platform: &P,
        core: usize,
        by_platform: bool,
        now: u64,
        woken: &mut Composite,
    ) {
        for level in 1..LEVELS {
            if by_platform && self.asks(core, level) == 0 {
                break;
            }
            let first = self.first_above(platform, core, level);
            woken.levels[level] = self.wake_node(first, level, now);
        }
    }

    /// Notes that the node of core `first` at `level` runs again, and counts its sleep. Returns how deep it was.
    fn wake_node(&mut self, first: usize, level: usize, now: u64) -> u8 {
        let above = level.wrapping_sub(1);
        let node = self.sleep.get_mut(first);
        let Some(node) = node.and_then(|node| node.get_mut(above)) else {
            return 0;
        };
        let sleep = core::mem::take(node);
        let statistics = self.statistics.get_mut(first);
        if let Some(statistics) = statistics.and_then(|node| node.get_mut(above))
            && let Some(depth) = usize::from(sleep.depth).checked_sub(1)
            && let Some(statistic) = statistics.get_mut(depth)
        {
            statistic.ticks = statistic.ticks.wrapping_add(now.wrapping_sub(sleep.since));
            statistic.count = statistic.count.wrapping_add(1);
        }
        sleep.depth
    }

    /// Each level sleeps as deep as all of its cores allow.
    fn coordinate<P: PsciPlatform>(
        &self,
        platform: &P,
        mode: SuspendMode,
        core: usize,
    ) -> Composite {
        let mut composite = Composite::default();
        let mut off_only = true;
        for level in 0..LEVELS {
            // Without this core's own consent there is nothing to search.
            if self.asks(core, level) == 0 {
                break;
            }
            // The first core that runs ends the search: on a machine with more cores it takes no longer.
            let mut depth = None;
            for peer in self.peers(platform, core, level) {
                let asked = self.asks(peer, level);
                depth = Some(depth.map_or(asked, |least: u8| least.min(asked)));
                if asked == 0 {
                    break;
                }
            }
            let depth = depth.unwrap_or(0);
            if depth == 0 {
                break;
            }
            // In OS-initiated mode the cores that sleep have not been asked for more than that.
            off_only &= depth == OFF;
            if level > 0 && !off_only && matches!(mode, SuspendMode::OsInitiated) {
                break;
            }
            composite.levels[level] = depth.min(STATES as u8);
        }
        composite
    }

    /// Whether `core` may let the domains above it sleep as it asks: it must be the last core that runs
    /// in each of them (else DENIED), and whatever else is below must sleep, too, and have lost its
    /// state if the domain is to lose its own (else INVALID_PARAMETERS).
    fn check_os_initiated<P: PsciPlatform>(
        &self,
        platform: &P,
        idle: &[Idle; CORES],
        core: usize,
        levels: LevelStates,
    ) -> Result<(), Error> {
        let highest = Composite { levels }.level();
        let others = |level| {
            self.peers(platform, core, level)
                .filter(move |&peer| peer != core)
        };
        if others(highest).any(|peer| self.asks(peer, 0) == 0) {
            return Err(Error::Denied);
        }
        let [_, above @ ..] = levels;
        for (level, depth) in (1..LEVELS).zip(above).take(highest) {
            let deeper = state_type::<P>(level, depth);
            // The nodes one level below, by their cores. What is further down sleeps as deep as they do.
            let below = level.saturating_sub(1);
            let beside = |&peer: &usize| {
                below == 0 || platform.domain(peer, below) != platform.domain(core, below)
            };
            let vetoed = others(level).filter(beside).any(|peer| {
                match self.lost(platform, idle, peer, below) {
                    None => true,
                    Some(kept) => kept == StateType::Retention && deeper == StateType::PowerDown,
                }
            });
            if vetoed {
                return Err(Error::InvalidParameters);
            }
        }
        Ok(())
    }

    /// What the node of `core` at `level` has lost, `None` while it runs. An off core has lost
    /// everything, and so has a domain of off cores.
    fn lost<P: PsciPlatform>(
        &self,
        platform: &P,
        idle: &[Idle; CORES],
        core: usize,
        level: usize,
    ) -> Option<StateType> {
        let mut peers = self.peers(platform, core, level).peekable();
        let first = peers.peek().copied().unwrap_or(core);
        if peers.all(|peer| self.asks(peer, level) == OFF) {
            return Some(StateType::PowerDown);
        }
        let depth = match level.checked_sub(1) {
            None => idle.get(core).map_or(0, Idle::depth),
            Some(above) => {
                let sleep = self.sleep.get(first).and_then(|node| node.get(above));
                sleep.map_or(0, |sleep| sleep.depth)
            }
        };
        match depth {
            0 => None,
            depth => Some(state_type::<P>(level, depth)),
        }
    }

    /// Notes what sleeps from now on.
    #[inline(always)]
    fn enter<P: PsciPlatform>(
        &mut self,
        platform: &P,
        idle: &[Idle; CORES],
        core: usize,
        composite: Composite,
        now: u64,
    ) {
        if let Some(idle) = idle.get(core) {
            idle.enter(composite.levels[0], now);
        }
        if composite.levels[1] != 0 {
            self.enter_above(platform, core, composite, now);
        }
    }

    /// Notes which domains above `core` sleep from now on.
    #[inline(never)]
    fn enter_above<P: PsciPlatform>(
        &mut self,
        platform: &P,
        core: usize,
        composite: Composite,
        now: u64,
    ) {
        for level in 1..LEVELS {
            let depth = composite.levels[level];
            if depth == 0 {
                break;
            }
            let first = self.first_above(platform, core, level);
            self.enter_node(first, level, depth, now);
        }
    }

    /// Notes how deep the node of core `first` at `level` sleeps from now on.
    #[inline(always)]
    fn enter_node(&mut self, first: usize, level: usize, depth: u8, now: u64) {
        let node = self.sleep.get_mut(first);
        if let Some(node) = node.and_then(|node| node.get_mut(level.wrapping_sub(1))) {
            *node = Sleep { depth, since: now };
        }
    }

    /// NODE_HW_STATE of `core`'s node at `level`.
    pub(crate) fn hw_state<P: PsciPlatform>(
        &self,
        platform: &P,
        idle: &[Idle; CORES],
        core: usize,
        level: usize,
    ) -> HwState {
        match self.lost(platform, idle, core, level) {
            None => HwState::HwOn,
            Some(StateType::Retention) => HwState::HwStandby,
            Some(StateType::PowerDown) => HwState::HwOff,
        }
    }

    /// Residency (in ticks) and count of state `depth` of the domain of `core` at `level`, which is not 0.
    pub(crate) fn statistic<P: PsciPlatform>(
        &self,
        platform: &P,
        core: usize,
        level: usize,
        depth: u8,
    ) -> (u64, u64) {
        let first = self.first_above(platform, core, level);
        let statistic = self.statistics.get(first).and_then(|node| {
            let state = usize::from(depth).checked_sub(1)?;
            node.get(level.wrapping_sub(1))?.get(state)
        });
        statistic.map_or((0, 0), |statistic| (statistic.ticks, statistic.count))
    }

    /// Returns whether a core sleeps through CPU_SUSPEND with the tree knowing of it.
    pub(crate) fn any_suspended(&self) -> bool {
        self.suspended.iter().any(|suspended| *suspended)
    }
}

/// What `depth` of `level` loses.
pub(crate) fn state_type<P: PsciPlatform>(level: usize, depth: u8) -> StateType {
    P::POWER.state_type(level, depth)
}
