//! The program of the secure world: boot on each core, message loop, default answers.
//!
//! In boots for this, the SPMC has oddities, which are in the configuration's `spmc` key:
//!
//! | oddity | what the SPMC does |
//! |---|---|
//! | `primary-ep` | registers no secondary entry point: every core comes in at the base |
//! | `boot-error` | ends the boot of its first core by FFA_ERROR |
//! | `boot-error-N` | ends the boot of core N by FFA_ERROR |
//! | `v1.0`, `v1.1`, `v1.3` | speaks this FF-A version, which its manifest must say too |
//! | `greeter` | has a partition that BL31's example of an EL3 logical partition greets |
//! | `locks` | refuses FFA_VERSION once it has got another message, as Hafnium does below 1.3 |
//! | `stuck` | repeats one wrong call for ever once it is told of SYSTEM_OFF or SYSTEM_RESET |
//! | `silent-at-off` | loops without any call and with interrupts masked once it is told of SYSTEM_OFF or SYSTEM_RESET |
//! | `needs-el2` | says and does nothing unless it is entered at S-EL2 |
//! | `retry` | answers every direct request with RETRY |
//! | `deaf` | never comes back from an interrupt |
//! | `switch-all` | its manifest has `janus,switch-all`: uses EL1 and FP state also at S-EL2 |
//!
//! (`old` says that the SPMC is another program, [`super::old_spmc`].)

use super::case::Case;
use super::regs::Regs;
use super::text::Text;
use super::{config, console, control, ffa, psci};
use crate::arch::{MAX_CORES, cpu, entry, gic, smc, timer};
use crate::{cases, machine, println};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};

/// Returns the FF-A version of the SPMC: 1.2, or that of an oddity.
pub fn version() -> u32 {
    let odd = [("v1.0", 0x1_0000), ("v1.1", 0x1_0001), ("v1.3", 0x1_0003)];
    odd.into_iter()
        .find(|(name, _)| config::spmc_has(name))
        .map_or(0x1_0002, |(_, version)| version)
}

/// The SPMC on one core, as a case's secure side sees it.
pub struct Secure {
    /// The core's number.
    pub core: usize,
    /// Whether the SPMC runs at S-EL2 (else at S-EL1).
    pub sel2: bool,
}

impl Secure {
    /// Returns this core's SPMC state.
    pub fn here() -> Self {
        Self {
            core: cpu::number(),
            sel2: cpu::el() == 2,
        }
    }

    /// Fails the case: the secure world found something wrong.
    pub fn fail(&self, why: core::fmt::Arguments) {
        control::record_failure(Text::of(format_args!(
            "secure world, core {}: {why}",
            self.core
        )));
    }

    /// Fails the case unless both are equal.
    pub fn expect_eq(&self, got: u64, want: u64, what: &str) {
        if got != want {
            self.fail(format_args!("{what}: {got:#x}, should be {want:#x}"));
        }
    }

    /// Fails the case unless the condition holds.
    pub fn expect(&self, condition: bool, what: &str) {
        if !condition {
            self.fail(format_args!("{what}"));
        }
    }
}

/// Whether a panic has ended the SPMC. Every further message is then answered by ABORTED.
static DEAD: AtomicBool = AtomicBool::new(false);
/// Whether a message has come that ends the negotiation of versions.
static LOCKED: AtomicBool = AtomicBool::new(false);
/// A bit for each core on which the SPMC was entered.
static CORES: AtomicU64 = AtomicU64::new(0);
/// The number of secure timer interrupts that were handled, per core.
static TIMER_INTERRUPTS: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(0) }; MAX_CORES];
/// The core that booted first.
static FIRST: AtomicU32 = AtomicU32::new(0);
/// w0 of the answer to FFA_SECONDARY_EP_REGISTER.
static EP_ANSWER: AtomicU32 = AtomicU32::new(0);

/// Returns a bit for each core on which the SPMC was entered.
pub fn cores_seen() -> u64 {
    CORES.load(SeqCst)
}

/// Returns the core that booted first.
pub fn first_core() -> usize {
    FIRST.load(SeqCst) as usize
}

/// Returns the number of secure timer interrupts that core `number` has handled.
pub fn timer_interrupts(number: usize) -> u32 {
    TIMER_INTERRUPTS[number].load(SeqCst)
}

/// Returns w0 of the answer to FFA_SECONDARY_EP_REGISTER at boot.
pub fn secondary_ep_answer() -> u32 {
    EP_ANSWER.load(SeqCst)
}

/// Runs the SPMC on a core. Entered once per power-on.
pub fn main(core: usize) -> ! {
    while config::spmc_has("needs-el2") && cpu::el() != 2 {
        core::hint::spin_loop();
    }
    let first = come_up(core);

    let failing = if first {
        config::spmc_has("boot-error")
    } else {
        boot_error_wanted(core)
    };
    if first {
        if !config::spmc_has("primary-ep") {
            let got = ffa::call(
                ffa::SECONDARY_EP_REGISTER | ffa::SMC64,
                &[entry::secondary_entry()],
            );
            EP_ANSWER.store(got.function(), SeqCst);
            println!("spmc: FFA_SECONDARY_EP_REGISTER: {got}");
        }
        cases::ffa::partition::discover();
        // One interrupt comes while the normal world boots, before it has asked for any version. For `deaf` it comes
        // at once: else the normal world could be done before.
        let after = if config::spmc_has("deaf") { 0 } else { 20_000 };
        timer::start_secure(after);
    }
    serve(if failing {
        ffa::error(ffa::NO_MEMORY)
    } else {
        boot_end()
    })
}

/// Sets up the SPMC on this core. Returns whether the core is the machine's first.
pub(super) fn come_up(core: usize) -> bool {
    let first = CORES.fetch_or(1 << core, SeqCst) == 0;
    if first {
        console::init(machine::HERE.uart_secure);
        FIRST.store(core as u32, SeqCst);
    }
    cases::fuzz::came_on(core);
    gic::init_cpu_interface();
    gic::enable_secure_group1(core, timer::secure_intid());
    let state = entry::my_boot_state();
    let at = if state.secondary == 1 {
        "secondary entry point"
    } else {
        "image base"
    };
    println!(
        "spmc: core {core} up at S-EL{}, entered at the {at}, x0 = {:#x}",
        cpu::el(),
        state.x[0]
    );
    first
}

/// The value, plus the register's number, in x1 and the registers that follow of the call that ends a core's boot.
pub const LEFT_OVER: u64 = 0x1a57_9a27_1710_0000;

/// Returns the FFA_MSG_WAIT by which Hafnium ends its boot: the other registers still hold values of the
/// last partition.
pub(super) fn boot_end() -> Regs {
    let mut wait = ffa::request(ffa::MSG_WAIT, &[]);
    for (number, register) in wait.0.iter_mut().enumerate().skip(1) {
        *register = LEFT_OVER | number as u64;
    }
    wait
}

/// Returns whether the configuration has the boot of this secondary core fail.
fn boot_error_wanted(core: usize) -> bool {
    let name = Text::of(format_args!("boot-error-{core}"));
    config::spmc_has(name.as_str())
}

/// Answers messages for ever, beginning with the call that ends this core's boot.
fn serve(mut answer: Regs) -> ! {
    loop {
        let message = smc::call(answer);
        answer = dispatch(&Secure::here(), &message);
    }
}

/// Returns the answer to a message: that of the case, or the default one.
pub(super) fn dispatch(secure: &Secure, message: &Regs) -> Regs {
    if control::is_control(message) {
        return control::answer(message);
    }
    if DEAD.load(SeqCst) {
        return ffa::error(ffa::ABORTED);
    }
    let case: Option<&Case> = control::current_case().and_then(cases::all_by_index);
    case.and_then(|c| (c.secure)(secure, message))
        .unwrap_or_else(|| default_answer(secure, message))
}

/// Returns the answer to a message that ends a loop of a case's secure side.
pub fn other(message: &Regs) -> Option<Regs> {
    let secure = Secure::here();
    Some(if control::is_control(message) {
        control::answer(message)
    } else {
        default_answer(&secure, message)
    })
}

/// Does what an SPMC does that has panicked: sends one response for ever, to a sender that has asked nothing.
pub fn stay_stuck() -> ! {
    loop {
        smc::call(ffa::request(
            ffa::DIRECT_RESP,
            &[ffa::route(0x8001, ffa::SPMD)],
        ));
    }
}

/// Returns the answer to a message that no case handles.
pub fn default_answer(secure: &Secure, message: &Regs) -> Regs {
    if let Some(answer) = cases::ffa::partition::answer(message) {
        LOCKED.store(true, SeqCst);
        return answer;
    }
    if message.x(2) & ffa::FRAMEWORK == 0 && message.function() != ffa::INTERRUPT {
        LOCKED.store(true, SeqCst);
    }
    match message.function() & !ffa::SMC64 {
        ffa::DIRECT_REQ if message.x(2) & ffa::FRAMEWORK != 0 => framework(message),
        ffa::DIRECT_REQ | ffa::DIRECT_REQ2 if config::spmc_has("retry") => ffa::error(ffa::RETRY),
        ffa::DIRECT_REQ | ffa::DIRECT_REQ2 => echo(message),
        ffa::INTERRUPT => {
            while config::spmc_has("deaf") {
                core::hint::spin_loop();
            }
            interrupt(secure);
            ffa::request(ffa::NORMAL_WORLD_RESUME, &[])
        }
        _ => ffa::error(ffa::NOT_SUPPORTED),
    }
}

fn ends_the_system(message: &Regs) -> bool {
    matches!(
        message.w(3),
        psci::PSCI_SYSTEM_OFF | psci::PSCI_SYSTEM_RESET | psci::PSCI_SYSTEM_RESET2_64
    )
}

fn framework(message: &Regs) -> Regs {
    match message.x(2) & 0xff {
        ffa::message::VERSION => {
            // Another major version is another protocol, and refused.
            let locked = config::spmc_has("locks") && LOCKED.load(SeqCst);
            let known = message.w(3) >> 16 == 1 && !locked;
            let answer = if known {
                version()
            } else {
                ffa::NOT_SUPPORTED as u32
            };
            ffa::response(message, &[u64::from(answer)])
                .with(2, ffa::FRAMEWORK | ffa::message::VERSION_RESPONSE)
        }
        ffa::message::POWER if ends_the_system(message) && config::spmc_has("stuck") => {
            stay_stuck()
        }
        ffa::message::POWER if ends_the_system(message) && config::spmc_has("silent-at-off") => {
            loop {
                core::hint::spin_loop();
            }
        }
        ffa::message::POWER | ffa::message::WARM_BOOT => {
            ffa::framework_response(message, ffa::message::POWER_RESPONSE, 0)
        }
        ffa::message::VM_CREATED => {
            ffa::framework_response(message, ffa::message::VM_CREATED_RESPONSE, 0)
        }
        ffa::message::VM_DESTROYED => {
            ffa::framework_response(message, ffa::message::VM_DESTROYED_RESPONSE, 0)
        }
        _ => ffa::error(ffa::INVALID_PARAMETERS),
    }
}

/// Returns the response to a direct request that has all of the request's values.
pub fn echo(message: &Regs) -> Regs {
    let values = message.0;
    let mut answer = ffa::response(message, &[]);
    let last = if message.function() & ffa::SMC64 != 0 {
        18
    } else {
        8
    };
    answer.0[3..last].copy_from_slice(&values[3..last]);
    answer.0[2] = message.0[2];
    if message.function() & !ffa::SMC64 == ffa::DIRECT_REQ2 {
        answer.0[2] = 0;
    }
    answer
}

/// Handles all secure interrupts that are pending. Returns the INTID of the last one, or a special INTID if there was
/// none.
pub fn interrupt(secure: &Secure) -> u32 {
    let mut last = gic::SPECIAL + 3;
    loop {
        let intid = gic::acknowledge();
        if intid >= gic::SPECIAL {
            return last;
        }
        if intid == timer::secure_intid() {
            timer::stop_secure();
            TIMER_INTERRUPTS[secure.core].fetch_add(1, SeqCst);
        }
        gic::end(intid);
        last = intid;
    }
}

/// Handles the SPMC's panic: the case fails with `reason`, and the SPMC answers ABORTED from now on.
pub fn panicked(reason: Text) -> ! {
    crate::daif!(set "0xf");
    console::take_over();
    println!("spmc: core {}: {reason}", cpu::number());
    control::record_failure(Text::of(format_args!(
        "secure world, core {}: {reason}",
        cpu::number()
    )));
    DEAD.store(true, SeqCst);
    serve(ffa::error(ffa::ABORTED))
}
