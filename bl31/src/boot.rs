//! From BL2's hand-over to the first instruction of the normal world.
//!
//! The boot core reads the parameters and the SPMC manifest, decides what applies on this machine,
//! sets up what all cores share ([`System`]) and boots the SPMC. Only then does the normal world
//! start. A secondary core does the same, but without parameters, when PSCI CPU_ON starts it.
//!
//! If something is wrong with the SPMC or its manifest, the console says so and the normal world boots
//! without FF-A.

use crate::black_box;
use crate::boot_params::EntryPoint;
use crate::core_data::{self, CoreData};
use crate::hand_over::{self, HandOver, Registers};
use crate::hw::console;
use crate::hw::{cpu, entry, gic, no_vectors, pen};
use crate::messages::{error, info, warning};
use crate::normal_entry;
use crate::power::{self, PSCI};
use crate::services::partitions::{self, Partitions};
use crate::sgis::Owners;
use crate::spmc_event::SpmcEvent;
use crate::spmc_image::NoSpmc;
use crate::system::{self, System};
use crate::{run, served, services, speculation, spmc_image, spmc_vectors, sri, topology};
use janus_context::{Policy, SpmcMode, spsr};
use janus_plat::{Plat, Platform};
use janus_psci::ArrivalReason;
use janus_spmd::{Event, PartitionError, Spmd};

/// Sets the machine up on the boot core. Called by entry.S with BL2's x0, x1 and x3.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn cold_main(x0: u64, x1: u64, x3: u64, index: usize) {
    let partitions = partitions::checked();
    set_up_system(&Registers { x0, x1, x3 }, index, partitions);
    // Called here and not in `set_up_system`, whose frame is large: `open` calls through a pointer, and the stack
    // check counts the deepest possible callee for such a call.
    entry::open();
}

/// Starts the boot core. Called by entry.S after [`cold_main`], with the stack empty.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn boot_main(index: usize) -> ! {
    // SAFETY: `index` is this core's, and entry.S calls this function once.
    let core = unsafe { core_data::claim(index) };
    speculation::guard_entries(&mut core.crash);
    start(core, true, &core.system.bl33)
}

/// Reads what BL2 left, finds out what the machine is and what applies on it, and sets up what all cores
/// share, and where the normal world begins. `index` is the boot core's number. It is not inlined, so that its stack frame
/// is gone when the platform's code is called.
#[inline(never)]
fn set_up_system(
    registers: &Registers,
    index: usize,
    partitions: Result<Partitions, PartitionError>,
) {
    console::init();
    // First: on an unknown machine nothing else is touched.
    match Plat::identify() {
        Ok(machine) => info!("Janus {} on {machine}", env!("CARGO_PKG_VERSION")),
        Err(wrong) => {
            let (register, value) = (wrong.register, wrong.value);
            error!(
                "this machine's {register} is {value:#x}: the image is for {}",
                wrong.wanted
            );
            stop();
        }
    }
    cpu::set_counter_frequency();
    Plat::protect_memory();

    let HandOver { mut params, list } = hand_over::read(registers);
    let Some(bl33) = &mut params.bl33 else {
        error!("BL2 names no BL33: put a normal-world image into the FIP (fiptool --nt-fw)");
        stop();
    };
    if let Err(why) = normal_entry::check(&bl33.entry) {
        let (pc, spsr) = (bl33.entry.pc, u64::from(bl33.entry.spsr));
        error!("BL2 enters BL33 at {pc:#x} with SPSR {spsr:#x}: {why}");
        stop();
    }

    let found = partitions::or_report(partitions).and_then(|partitions| {
        spmc_image::find(params.bl32.as_mut(), list.as_ref(), partitions)
            .map_err(without_ffa)
            .ok()
    });
    let (spmd, spmc) = match found {
        Some((spmd, spmc)) => (spmd, Some(spmc)),
        None => (Spmd::new(), None),
    };
    let policy = Policy::detect(spmc.as_ref().map_or(SpmcMode::None, |spmc| spmc.mode));
    info!("CPU: {policy}");

    let sri = spmc.as_ref().map(|spmc| &spmc.sri);
    let sgis = Owners::new(sri);
    let gic = gic::init(sri.is_some()).and_then(|()| gic::init_core(&sgis, sri.is_some()));
    if let Err(why) = gic {
        error!("interrupts: {why}");
        stop();
    }
    topology::find_cores(gic::has_core, sri::away);
    let normal_el2 = spsr::el(bl33.entry.spsr.into()) == 2;
    if let Some(list) = &list {
        hand_over::give_to_normal_world(list, &mut bl33.entry);
    }
    system::set(System {
        spmd,
        spmc,
        sgis,
        policy,
        boot_core: policy.boot_core(),
        bl33: bl33.entry,
        normal_el2,
    });
    no_vectors::fill();
    PSCI.init(index, cpu::counter());
    pen::init();
}

/// Starts a secondary core, or a core that comes back after it was off or suspended. Called by entry.S.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn warm_main(index: usize) -> ! {
    // SAFETY: `index` is this core's. If it ran before, it has left Rust for good when it was parked, and its
    // former reference is gone.
    let core = unsafe { core_data::claim(index) };
    speculation::guard_entries(&mut core.crash);
    cpu::set_counter_frequency();
    if Plat::power_down_failed(index) {
        warning!(of: index, "it kept its power in a power-down: something ended its WFI");
    }
    let Some(arrival) = PSCI.arrive(index) else {
        power::stay_off(core)
    };
    let entry = normal_entry::normal_entry(core.system, arrival.entry, arrival.context);
    let system = match arrival.reason {
        ArrivalReason::CpuOn => {
            power::wake(index);
            let system = core.system;
            if let Err(why) = gic::init_core(&system.sgis, system.spmc.is_some()) {
                error!(of: index, "interrupts: {why}");
            }
            start(core, false, &entry)
        }
        // Where suspended cores keep their power, no suspended core comes back this way.
        _ if !Plat::POWER.suspend.lost() => power::stay_off(core),
        ArrivalReason::CpuSuspend => false,
        ArrivalReason::SystemSuspend => true,
    };
    power::wake(index);
    if let Err(why) = gic::restore_core(index) {
        error!(of: index, "interrupts: {why}");
    }
    if system {
        Plat::protect_memory();
    }
    power::restore(core);
    services::come_back(core, &entry, system);
    entry::run(core)
}

/// Ends a power-down state in which this core has kept its power. Called by entry.S with the stack empty.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn come_back_core(
    core: &mut CoreData,
    _: usize,
    pc: u64,
    context: u64,
    system: bool,
) -> ! {
    let entry = normal_entry::normal_entry(core.system, pc, context);
    services::come_back(core, &entry, system);
    entry::run(core)
}

/// Boots the SPMC on this core, then runs the normal world from `entry`. Never returns.
fn start(core: &mut CoreData, primary: bool, entry: &EntryPoint) -> ! {
    let spmc_runs = set_up_worlds(core, primary, entry);
    if !primary {
        partitions::tell(core, Event::CoreOn);
    } else if spmc_runs {
        partitions::start(core);
    }
    PSCI.started(core.index);
    entry::run(core)
}

/// Prepares both worlds on this core and boots the SPMC, if there is one. Returns what [`boot_spmc`] returns. It is
/// not inlined, so that its frame is gone when a logical partition asks the SPMC.
#[inline(never)]
fn set_up_worlds(core: &mut CoreData, primary: bool, entry: &EntryPoint) -> bool {
    let system = core.system;
    normal_entry::set_up(core, entry);
    let doorbell = system.sri().and_then(|sri| sri.doorbell);
    sri::start(&mut core.sri, core.index, doorbell.is_some());
    system.spmc.is_some() && boot_spmc(core, primary)
}

/// Runs the SPMC on this core until it waits for its first message, or fails. Returns false if it was not
/// entered, because there is no SPMC or it cannot run here.
fn boot_spmc(core: &mut CoreData, primary: bool) -> bool {
    let system = core.system;
    let Some(spmc) = &system.spmc else {
        return false;
    };
    if !core.spmd.begin_boot(&system.spmd, primary) {
        return false;
    }
    let context = &mut core.secure;
    context.gpr = [0; 31];
    context.gpr[..8].copy_from_slice(&spmc.args);
    context.gpr[4] = core.index as u64;
    context.elr_el3 = system.spmd.entry(primary);
    context.spsr_el3 = spsr::entry(spmc.sel2);
    spmc_vectors::set(&mut core.parked, spmc.sel2);
    if run::run_spmc(core) != SpmcEvent::Ready {
        error!(of: core.index, "no FF-A here");
        black_box::report(true);
        served::end(core);
        return true;
    }
    served::begin(core);
    if let Err(why) = gic::give_sri(spmc) {
        error!(of: core.index, "interrupts: {why}");
    }
    true
}

/// Reports why there is no FF-A. It is not inlined, so that the check of the stack's depth knows where this message is.
#[cold]
#[inline(never)]
fn without_ffa(why: NoSpmc) {
    error!("no FF-A: {why}");
}

/// Stops this core after a fault that leaves nothing to run. The caller has reported it.
fn stop() -> ! {
    error!("this core stops here");
    cpu::stop()
}
