//! From BL2's hand-over to the first instruction of the normal world.
//!
//! The boot core reads the parameters and the SPMC manifest, decides what applies on this machine,
//! sets up what all cores share ([`System`]) and boots the SPMC. Only then does the normal world
//! start. A secondary core comes the same way, without the parameters, when PSCI CPU_ON releases it.
//!
//! Whatever is wrong with the SPMC or its manifest is said on the console, and the normal world boots
//! without FF-A.

use crate::boot_params::{self, BootParams, EntryPoint, Image, Memory};
use crate::console::{error, info, warning};
use crate::context::{Features, Policy, SpmcMode, SysRegs};
use crate::core_data::{self, CoreData, MAX_CORES};
use crate::power::{PSCI, now};
use crate::services::SpmcEvent;
use crate::system::{self, Spmc, Sri, System};
use crate::{console, entry, gic, mmu, pen, run, services, sri};
use aarch64_cpu::asm::wfi;
use aarch64_cpu::registers::{ID_AA64PFR0_EL1, Readable};
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use janus_plat::{Plat, Platform};
use janus_spmd::manifest::{MAX_SIZE as MANIFEST_MAX, Manifest, ManifestError};
use janus_spmd::text::{Text, dec, hex};
use janus_spmd::{SpmcConfig, Spmd, World};

/// MPIDR_EL1's affinity fields.
pub const AFFINITY: u64 = 0xff_00ff_ffff;
/// SPSR_EL3 for an entry at EL2 with its own stack pointer and everything masked.
const SPSR_EL2H: u64 = 0x3c9;
/// The same at EL1.
const SPSR_EL1H: u64 = 0x3c5;
/// ID_AA64PFR0_EL1.EL2, bits 11:8.
const PFR0_EL2: u64 = 0xf << 8;

/// Bit 31 of MPIDR_EL1, which is RES1: an MPIDR is never zero.
const MPIDR_RES1: u64 = 1 << 31;

/// Each core's affinity and [`MPIDR_RES1`] by its number, zero where there is no core; entry.S looks a
/// starting core up here.
#[unsafe(no_mangle)]
static CORE_AFFINITIES: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];

/// The number of the boot core. Called by entry.S with its MPIDR_EL1 as second argument.
#[unsafe(no_mangle)]
extern "C" fn cold_core_index(_: u64, mpidr: u64) -> usize {
    let Some(index) = Plat::core_index(mpidr & AFFINITY) else {
        panic!("boot: the boot core has an impossible MPIDR");
    };
    index
}

/// Whether this machine has the core with this number.
#[inline(always)]
pub fn core_exists(index: usize) -> bool {
    CORE_AFFINITIES
        .get(index)
        .is_some_and(|affinity| affinity.load(Ordering::Relaxed) != 0)
}

/// An entry into the normal world as PSCI has it: at its highest EL, everything masked, x0 the
/// caller's context ID.
pub fn normal_entry(pc: u64, context_id: u64) -> EntryPoint {
    let el2 = ID_AA64PFR0_EL1.get() & PFR0_EL2 != 0;
    let mut entry = EntryPoint {
        pc,
        spsr: if el2 { SPSR_EL2H } else { SPSR_EL1H } as u32,
        ..EntryPoint::default()
    };
    entry.args[0] = context_id;
    entry
}

/// Whether an entry point of BL2's can be ERETed to: an instruction in the normal world's memory, at
/// EL1 or EL2 in AArch64, or in AArch32.
fn fits_normal_world(entry: &EntryPoint) -> bool {
    const AARCH32: u32 = 1 << 4;
    let el = entry.spsr >> 2 & 3;
    let mode_fits = entry.spsr & AARCH32 != 0 || el == 1 || el == 2;
    mode_fits && Plat::NORMAL_RAM.iter().any(|ram| ram.contains(&entry.pc))
}

/// The boot core in Rust, called by entry.S with BL2's x0.
#[unsafe(no_mangle)]
extern "C" fn cold_main(parameters: u64, index: usize) -> ! {
    let bl33 = set_up_system(parameters, index);
    // SAFETY: `index` is this core's, and entry.S calls this function once.
    let core = unsafe { core_data::take(index) };
    start(core, true, &bl33)
}

/// Finds out what BL2 left, what the machine is and what applies on it, and sets up what all cores
/// share. Then it lets the other cores in, which park. Returns where the normal world begins. `index` is
/// the boot core's. A call, so that what it keeps on the stack is gone when the worlds run.
#[inline(never)]
fn set_up_system(parameters: u64, index: usize) -> EntryPoint {
    console::init();
    info!(
        "Janus {} on {}",
        env!("CARGO_PKG_VERSION"),
        Text(Plat::NAME)
    );

    let params = boot_params::parse(&SharedRam, parameters).unwrap_or_else(|fault| {
        error!("BL2's parameters cannot be used: {fault}");
        BootParams::default()
    });
    let Some(bl33) = params.bl33 else {
        error!("BL2 names no BL33: put a normal-world image into the FIP (fiptool --nt-fw)");
        stop();
    };
    if !fits_normal_world(&bl33.entry) {
        let (pc, spsr) = (hex(bl33.entry.pc), hex(bl33.entry.spsr));
        error!("BL2 enters BL33 at {pc} with SPSR {spsr}: no address or no EL of the normal world");
        stop();
    }

    let (spmd, spmc) = match find_spmc(params.bl32) {
        Ok((spmd, spmc)) => (spmd, Some(spmc)),
        Err(why) => {
            error!("no FF-A: {why}");
            (Spmd::new(), None)
        }
    };
    let policy = Policy::detect(spmc.as_ref().map_or(SpmcMode::None, |spmc| spmc.mode));
    info!("CPU: {policy}");

    let sri = spmc.as_ref().map(|spmc| &spmc.sri);
    if let Err(why) = gic::init(sri.is_some()).and_then(|()| gic::init_core(sri)) {
        error!("interrupts: {why}");
        stop();
    }
    for (index, affinity) in CORE_AFFINITIES.iter().enumerate() {
        let mpidr = Plat::mpidr(index);
        if gic::has_core(mpidr) {
            affinity.store(mpidr | MPIDR_RES1, Ordering::Relaxed);
            sri::away(index);
        }
    }
    mmu::clean(
        (&raw const CORE_AFFINITIES).addr(),
        size_of_val(&CORE_AFFINITIES),
    );
    system::set(System { spmd, spmc, policy });
    PSCI.init(index, now());
    pen::init();
    Plat::release_held_cores(entry::warm_entry_address(), mmu::clean);
    bl33.entry
}

/// Any other core, and any core that was off, in Rust. Called by entry.S.
#[unsafe(no_mangle)]
extern "C" fn warm_main(index: usize) -> ! {
    // SAFETY: `index` is this core's. If it ran before, it parked, and left Rust for good and its
    // former reference with it.
    let core = unsafe { core_data::take(index) };
    let Some(entry) = services::arrive(core) else {
        gic::listen_for_wake(core.system.sri());
        entry::park(core)
    };
    if let Err(why) = gic::init_core(core.system.sri()) {
        error!("core {}: interrupts: {why}", dec(index));
    }
    start(core, false, &entry)
}

/// Boots the SPMC on this core and then, for good, runs the normal world from `entry`.
fn start(core: &mut CoreData, primary: bool, entry: &EntryPoint) -> ! {
    let system = core.system;
    set_up_normal_world(core, entry);
    system.policy.stop_timers(&core.live, &mut core.parked);
    let doorbell = system.sri().and_then(|sri| sri.doorbell);
    sri::start(core, doorbell.is_some());
    if system.spmc.is_some() && boot_spmc(core, primary) {
        if primary {
            services::partitions::start(core);
        }
        core.switch_to(World::Normal);
    }
    PSCI.started(core.index);
    run::run(core, World::Normal)
}

/// Runs the SPMC on this core until it waits for its first message, or fails. False if it was not
/// even entered: there is none, or none that is fit to run.
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
    context.spsr_el3 = if spmc.sel2 { SPSR_EL2H } else { SPSR_EL1H };
    core.parked = SysRegs::EMPTY;
    system.policy.reset(&mut core.parked);
    if run::run_spmc(core) != SpmcEvent::Ready {
        error!("core {}: no FF-A here", dec(core.index));
    } else if let Err(why) = gic::give_sri(spmc) {
        error!("core {}: interrupts: {why}", dec(core.index));
    }
    true
}

/// Sets this core up for an entry into the normal world at `entry`, with nothing left from before, and
/// opens for both worlds what EL3 opens. The normal world becomes current; its registers must not be
/// needed any more, the secure world's be parked, if they are.
pub fn set_up_normal_world(core: &mut CoreData, entry: &EntryPoint) {
    let policy = &core.system.policy;
    let (normal, secure) = (&mut core.normal, &mut core.secure);
    let lacks = policy.init_el3(
        &mut core.live,
        &mut normal.el3,
        &mut secure.el3,
        &mut core.parked,
    );
    if lacks != Features::NONE {
        warning!(
            "core {}: it does without {lacks}, which the boot core has",
            dec(core.index)
        );
    }
    let context = normal;
    context.gpr = [0; 31];
    context.gpr[..8].copy_from_slice(&entry.args);
    context.elr_el3 = entry.pc;
    context.spsr_el3 = u64::from(entry.spsr);
    core.begin_normal();
}

/// Makes sense of BL32's record and the SPMC manifest.
///
/// # Errors
///
/// What keeps the SPMC from being used, for the console.
fn find_spmc(bl32: Option<Image>) -> Result<(Spmd, Spmc), NoSpmc> {
    let bl32 = bl32.ok_or(NoSpmc::NoImage)?;
    let at = bl32.entry.args[0];
    let bytes = manifest_bytes(at).ok_or(NoSpmc::NoManifest(at))?;
    let manifest = Manifest::parse(bytes)?;
    let place = bl32.place.unwrap_or_default();
    let image = manifest.image(place.start, place.end - place.start, bl32.entry.pc)?;
    if image.range.start < Plat::SECURE_RAM.start || image.range.end > Plat::SECURE_RAM.end {
        return Err(NoSpmc::Place(image.range));
    }

    let sel2 = manifest.at_sel2(Policy::cpu_has_sel2())?;
    let mode = match (manifest.switch_all, sel2) {
        (true, true) => SpmcMode::All,
        (false, true) => SpmcMode::SEl2,
        // An SPMC at S-EL1 shares no more than that.
        (_, false) => SpmcMode::SEl1,
    };
    let (id, version) = (manifest.id, manifest.version);
    info!(
        "SPMC {}, FF-A {version}, at {}, S-EL{}",
        hex(id),
        hex(image.entry),
        dec(1 + u8::from(sel2))
    );
    let spmd = Spmd::with_spmc(SpmcConfig {
        id,
        version,
        sel2,
        image: image.range,
        entry: image.entry,
        doorbell_sri: manifest.doorbell.map(|_| manifest.sri),
        partitions: services::partitions::partitions(),
    });
    let sri = Sri {
        id: manifest.sri,
        doorbell: manifest.doorbell,
    };
    let args = bl32.entry.args;
    Ok((
        spmd,
        Spmc {
            args,
            sel2,
            mode,
            sri,
        },
    ))
}

/// The manifest's page, from `at` to its end.
fn manifest_bytes(at: u64) -> Option<&'static [u8]> {
    let start = usize::try_from(at).ok()?;
    let end = (start & !(MANIFEST_MAX - 1)).checked_add(MANIFEST_MAX)?;
    if start == 0 || start % 8 != 0 || !mmu::in_shared_ram(&(start..end)) {
        return None;
    }
    // SAFETY: boot firmware's RAM, mapped for as long as EL3 runs; nobody writes it any more.
    Some(unsafe { core::slice::from_raw_parts(start as *const u8, end - start) })
}

/// Why there is no SPMC.
enum NoSpmc {
    NoImage,
    NoManifest(u64),
    Manifest(ManifestError),
    Place(Range<u64>),
}

impl From<ManifestError> for NoSpmc {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

impl fmt::Display for NoSpmc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoImage => {
                f.write_str("BL2 loaded no BL32 (put an SPMC into the FIP: fiptool --tos-fw)")
            }
            Self::NoManifest(at) => write!(
                f,
                "BL2 gives no SPMC manifest in its memory (x0 = {}; fiptool --tos-fw-config)",
                hex(*at)
            ),
            Self::Manifest(error) => write!(f, "the SPMC manifest: {error}"),
            Self::Place(range) => write!(
                f,
                "the SPMC manifest puts the SPMC at {} to {}, outside secure RAM: correct load_address and binary_size",
                hex(range.start),
                hex(range.end)
            ),
        }
    }
}

/// What boot firmware left in shared RAM.
struct SharedRam;

impl Memory for SharedRam {
    fn word(&self, address: u64) -> Option<u64> {
        let address = usize::try_from(address).ok()?;
        let word = address..address.checked_add(8)?;
        if address % 8 != 0 || !mmu::in_shared_ram(&word) {
            return None;
        }
        // SAFETY: aligned, and inside memory that is mapped as data for as long as EL3 runs.
        Some(unsafe { (address as *const u64).read_volatile() })
    }
}

/// What is wrong has been said, and nothing can be run.
fn stop() -> ! {
    error!("this core stops here");
    loop {
        wfi();
    }
}
