//! The cores of the normal world, and work for them.
//!
//! Every core but the boot core waits in [`worker`] for work that a case gives it by [`on`] or [`on_each`]. A case can
//! turn cores off and on again by [`turn_off`] and [`turn_on`]. After a case the framework turns on the cores that are
//! off.

use super::case::{Outcome, Why};
use super::{console, psci, text::Text};
use crate::arch::{MAX_CORES, cpu, entry, gic, timer};
use crate::{ensure_eq, fail};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use spin::Mutex;

/// The value of `Slot::suspend` when the core is to turn off and not to suspend.
const NO_SUSPEND: u64 = u64::MAX;
/// The context ID of a core, without its number.
pub const CONTEXT: u64 = 0xc0de_0000_0000_0000;

/// The seconds after which a core that does not come back is taken for lost.
pub const PATIENCE: u64 = 60;

/// The work of a core. It is borrowed from the core that posted it, which waits for its end.
#[derive(Clone, Copy)]
struct Job(&'static (dyn Fn(usize) -> Outcome + Sync));

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
enum State {
    Off,
    Idle,
    Working,
    TurningOff,
}

struct Slot {
    state: AtomicU32,
    job: Mutex<Option<Job>>,
    outcome: Mutex<Outcome>,
    /// The context ID of the last CPU_ON, as it arrived in x0; or the status of a call that should have turned the
    /// core off but returned.
    context: AtomicU64,
    /// The power state to suspend to instead of turning off.
    suspend: AtomicU64,
}

static SLOTS: [Slot; MAX_CORES] = [const {
    Slot {
        state: AtomicU32::new(State::Off as u32),
        job: Mutex::new(None),
        outcome: Mutex::new(Ok(())),
        context: AtomicU64::new(0),
        suspend: AtomicU64::new(NO_SUSPEND),
    }
}; MAX_CORES];

static COUNT: AtomicUsize = AtomicUsize::new(0);
static BOOT_CORE: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of cores of the machine.
pub fn count() -> usize {
    COUNT.load(SeqCst)
}

/// Returns the core on which the cases run.
pub fn boot_core() -> usize {
    BOOT_CORE.load(SeqCst)
}

/// Returns all cores but the boot core.
pub fn others() -> impl Iterator<Item = usize> {
    (0..count()).filter(|&n| n != boot_core())
}

/// Returns a core that is not the boot core. The case must need more than one core.
pub fn another() -> usize {
    others().next().expect("cases that need two cores say so")
}

fn state(number: usize) -> u32 {
    SLOTS[number].state.load(SeqCst)
}

/// Returns whether core `number` is on, as far as the framework knows.
pub fn is_on(number: usize) -> bool {
    state(number) != State::Off as u32
}

/// Finds the cores. Call it once, on the boot core.
pub fn init() {
    COUNT.store(gic::affinities().count(), SeqCst);
    BOOT_CORE.store(cpu::number(), SeqCst);
    SLOTS[cpu::number()]
        .state
        .store(State::Working as u32, SeqCst);
}

/// Enables and unmasks Group 1 interrupts on this core.
pub fn init_interrupts() {
    gic::init_cpu_interface();
    crate::daif!(clear "0x7");
}

/// Runs a secondary core: waits for work and does it, for ever.
pub fn worker() -> ! {
    let me = cpu::number();
    let slot = &SLOTS[me];
    slot.context.store(entry::my_boot_state().x[0], SeqCst);
    init_interrupts();
    slot.state.store(State::Idle as u32, SeqCst);
    cpu::send_event();
    loop {
        let job = slot.job.lock().take();
        if let Some(job) = job {
            let outcome = (job.0)(me);
            *slot.outcome.lock() = outcome;
            if slot.state.load(SeqCst) == State::TurningOff as u32 {
                slot.state.store(State::Off as u32, SeqCst);
                let status = match slot.suspend.swap(NO_SUSPEND, SeqCst) {
                    NO_SUSPEND => psci::call(psci::PSCI_CPU_OFF, &[]),
                    power_state => {
                        let arguments =
                            [power_state, entry::secondary_entry(), CONTEXT | me as u64];
                        psci::call(psci::PSCI_CPU_SUSPEND_64, &arguments)
                    }
                };
                // The call returned: it was refused.
                slot.context.store(status as u32 as u64, SeqCst);
            }
            slot.state.store(State::Idle as u32, SeqCst);
            cpu::send_event();
        } else {
            cpu::wait_for_event();
        }
    }
}

/// Posts `job` to core `number`, which must be idle.
///
/// # Safety
/// The caller must wait for the job's end by [`join`] before anything that the job borrows is dropped.
unsafe fn post(number: usize, job: &(dyn Fn(usize) -> Outcome + Sync)) -> Outcome {
    let slot = &SLOTS[number];
    if slot
        .state
        .compare_exchange(State::Idle as u32, State::Working as u32, SeqCst, SeqCst)
        .is_err()
    {
        fail!(
            "core {number} is not there to take work (state {})",
            state(number)
        );
    }
    // SAFETY: only the lifetime is changed; the caller keeps the borrow alive.
    let job = unsafe {
        core::mem::transmute::<
            &(dyn Fn(usize) -> Outcome + Sync),
            &'static (dyn Fn(usize) -> Outcome + Sync),
        >(job)
    };
    *slot.job.lock() = Some(Job(job));
    cpu::send_event();
    Ok(())
}

/// Waits until core `number` has done its work. A core that does not come back ends the run, because its work borrows
/// from this core.
fn join(number: usize) -> Outcome {
    let done = timer::wait_until(PATIENCE, || state(number) != State::Working as u32);
    assert!(done, "core {number} did not come back from its work");
    core::mem::replace(&mut *SLOTS[number].outcome.lock(), Ok(()))
}

/// Adds the number of the core to a failure.
fn on_core(number: usize, outcome: Outcome) -> Outcome {
    outcome.map_err(|why| match why {
        Why::Failed(text) => Why::Failed(Text::of(format_args!("core {number}: {text}"))),
        skipped => skipped,
    })
}

/// Runs `f` on core `number` and waits for it.
pub fn on(number: usize, f: impl Fn(usize) -> Outcome + Sync) -> Outcome {
    if number == cpu::number() {
        return f(number);
    }
    // SAFETY: the next line waits for its end.
    unsafe { post(number, &f) }?;
    on_core(number, join(number))
}

/// Runs `there` on core `number` while `here` runs on this one.
pub fn beside(
    number: usize,
    there: impl Fn(usize) -> Outcome + Sync,
    here: impl FnOnce() -> Outcome,
) -> Outcome {
    // SAFETY: the code below waits for its end on every path.
    unsafe { post(number, &there) }?;
    let mine = here();
    let theirs = on_core(number, join(number));
    mine.and(theirs)
}

/// Runs `f` on all cores that are on at once, including this one. Returns the first failure.
pub fn on_each(f: impl Fn(usize) -> Outcome + Sync) -> Outcome {
    let me = cpu::number();
    let mut posted = [false; MAX_CORES];
    let mut outcome = Ok(());
    for number in (0..count()).filter(|&n| n != me && is_on(n)) {
        // SAFETY: the code below waits for its end on every path.
        let result = unsafe { post(number, &f) };
        posted[number] = result.is_ok();
        outcome = outcome.and(result);
    }
    outcome = outcome.and(on_core(me, f(me)));
    for number in (0..count()).filter(|&n| posted[n]) {
        outcome = outcome.and(on_core(number, join(number)));
    }
    outcome
}

/// Turns core `number` on and waits until it is ready for work.
pub fn turn_on(number: usize) -> Outcome {
    let context = CONTEXT | number as u64;
    // A core that is just turning off may need a moment.
    let mut status = psci::ALREADY_ON;
    timer::wait_until(PATIENCE, || {
        status = psci::cpu_on(number, context);
        status != psci::ALREADY_ON
    });
    ensure_eq!(status, psci::error::SUCCESS, "CPU_ON of core {number}");
    wait_on(number)?;
    ensure_eq!(
        SLOTS[number].context.load(SeqCst),
        context,
        "x0 of core {number} at its entry"
    );
    Ok(())
}

/// Waits until core `number`, which is coming on, is ready for work.
pub fn wait_on(number: usize) -> Outcome {
    if !timer::wait_until(PATIENCE, || state(number) == State::Idle as u32) {
        fail!("core {number} was turned on and did not come");
    }
    Ok(())
}

/// Returns the context ID that core `number` last found in x0.
pub fn context(number: usize) -> u64 {
    SLOTS[number].context.load(SeqCst)
}

/// Has core `number` call CPU_OFF. Returns the status if the call returned, or None when AFFINITY_INFO says OFF.
pub fn try_turn_off(number: usize) -> Result<Option<i32>, Why> {
    let slot = &SLOTS[number];
    // SAFETY: the job borrows nothing.
    unsafe {
        post(number, &|n| {
            SLOTS[n].state.store(State::TurningOff as u32, SeqCst);
            Ok(())
        })
    }?;
    let done = timer::wait_until(PATIENCE, || {
        state(number) == State::Idle as u32
            || (state(number) == State::Off as u32 && psci::affinity_info(number) == 1)
    });
    if !done {
        fail!("core {number} called CPU_OFF: AFFINITY_INFO never said OFF");
    }
    if state(number) == State::Off as u32 {
        Ok(None)
    } else {
        Ok(Some(slot.context.load(SeqCst) as i32))
    }
}

/// Turns core `number` off and waits until AFFINITY_INFO says so.
pub fn turn_off(number: usize) -> Outcome {
    match try_turn_off(number)? {
        None => Ok(()),
        Some(status) => fail!("CPU_OFF on core {number} came back with {status}"),
    }
}

/// Has core `number` run `first`, then call CPU_SUSPEND with `power_state`, and waits until it is back. Returns the
/// status if the call returned, else x0 at its entry point: [`CONTEXT`] with its number.
pub fn suspend(number: usize, power_state: u32, first: fn(usize)) -> Result<u64, Why> {
    begin_suspend(number, power_state, first)?;
    end_suspend(number)
}

/// Does the first half of [`suspend`]. When it returns, core `number` is about to call CPU_SUSPEND, or has done so.
pub fn begin_suspend(number: usize, power_state: u32, first: fn(usize)) -> Outcome {
    let slot = &SLOTS[number];
    slot.suspend.store(u64::from(power_state), SeqCst);
    begin_going(number, first)
}

/// Has core `number` call CPU_OFF. When it returns, the core is about to do so, or has done so.
pub fn begin_turn_off(number: usize) -> Outcome {
    begin_going(number, |_| {})
}

fn begin_going(number: usize, first: fn(usize)) -> Outcome {
    let slot = &SLOTS[number];
    slot.context.store(u64::MAX, SeqCst);
    let job = |n: usize| {
        first(n);
        SLOTS[n].state.store(State::TurningOff as u32, SeqCst);
        Ok(())
    };
    // SAFETY: the core leaves the job before it goes, and the code below waits until it has.
    unsafe { post(number, &job) }?;
    let gone = || slot.context.load(SeqCst) != u64::MAX || state(number) == State::Off as u32;
    if !timer::wait_until(PATIENCE, gone) {
        fail!("core {number} never came to its CPU_SUSPEND or CPU_OFF");
    }
    Ok(())
}

/// Does the second half of [`suspend`]: waits until the core is back.
pub fn end_suspend(number: usize) -> Result<u64, Why> {
    let slot = &SLOTS[number];
    let back = || state(number) == State::Idle as u32 && slot.context.load(SeqCst) != u64::MAX;
    if !timer::wait_until(PATIENCE, back) {
        fail!("core {number} called CPU_SUSPEND and did not come back");
    }
    Ok(slot.context.load(SeqCst))
}

/// Turns this core off in the midst of its work, which ends with it.
pub fn turn_off_here() {
    SLOTS[cpu::number()].state.store(State::Off as u32, SeqCst);
    psci::call(psci::PSCI_CPU_OFF, &[]);
}

/// Turns on every core that is off.
pub fn turn_all_on() -> Outcome {
    for number in others().filter(|&n| !is_on(n)) {
        turn_on(number)?;
    }
    Ok(())
}

/// A barrier of cores. It can be used repeatedly.
pub struct Barrier {
    waiting: AtomicUsize,
    round: AtomicUsize,
}

impl Barrier {
    /// Makes a barrier at which no core waits.
    pub const fn new() -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
        }
    }

    /// Waits until `cores` cores are here. Fails if some do not come in time.
    pub fn wait(&self, cores: usize) -> Outcome {
        let round = self.round.load(SeqCst);
        if self.waiting.fetch_add(1, SeqCst) + 1 == cores {
            self.waiting.store(0, SeqCst);
            self.round.fetch_add(1, SeqCst);
            return Ok(());
        }
        if !timer::wait_until(PATIENCE / 2, || self.round.load(SeqCst) != round) {
            fail!("waited in vain for the other cores");
        }
        Ok(())
    }
}

impl Default for Barrier {
    fn default() -> Self {
        Self::new()
    }
}

/// Prepares the last words of a core whose panic ends the run.
pub fn last_words() {
    crate::daif!(set "0xf");
    console::take_over();
}
