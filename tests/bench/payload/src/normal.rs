//! The bench's normal world: makes each call between its marks, checks the answer, says so.
//!
//! On UART0, each on a line: `@row ID NAME` before a row, `@fail NAME: why` when an answer is
//! wrong, `@done` at the end. Row 0 is the boot, before the first instruction here. A row is made
//! [`ROUNDS`] times; the first warms up what EL3 decides once.
//!
//! The text at [`machine::CONFIGURATION`] says which part runs: `table`, on one core; `extensions` and `fp`, on
//! one: requests for an SPMC that uses them; `calls`, on one: calls of a platform's own; `power`, on two: CPU_ON and
//! CPU_OFF, and power-down suspends where a core loses its power; `crowd=N`: N cores send direct requests at once;
//! `storm=N`: N cores come and go at once.
#![no_std]
#![no_main]

mod arch;
mod machine;

use arch::{MAX_CORES, Regs, SECURE_SGI, smc_asm};
use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering};

const ROUNDS: usize = 4;
/// Direct requests of each core in row 24.
const CROWD_ROUNDS: usize = 200;

const SUCCESS: u64 = 0x8400_0061;
const NOT_SUPPORTED: u64 = 0xffff_ffff_ffff_ffff;
/// The hypervisor's direct request to the SPMC (ID 0x8000), and the answer's IDs.
const TO_SPMC: u64 = 0x8000;
const FROM_SPMC: u64 = 0x8000_0000;
const DIRECT_REQ: u64 = 0x8400_006f;
const CPU_OFF: u64 = 0x8400_0002;
const CPU_SUSPEND: u64 = 0xc400_0001;
const CPU_ON: u64 = 0xc400_0003;
const SVE_HINT: u64 = 1 << 16;
const USE_FP: u64 = 0xf9;
const USE_EXTENSIONS: u64 = 0xfa;

/// The core that arrived in [`main`] last; one is turned on at a time.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);
/// What secondary cores wait for.
static ORDER: AtomicUsize = AtomicUsize::new(0);
const OFF: usize = 1;
const CROWD: usize = 2;
const OFF_AT_ONCE: usize = 3;
/// Whether each core is on, in a storm.
static HERE: [AtomicUsize; MAX_CORES] = [const { AtomicUsize::new(0) }; MAX_CORES];
static DONE: AtomicUsize = AtomicUsize::new(0);

/// Makes the call in `regs` between the marks of `ROW`, with nothing else in between.
fn measured<const ROW: u16>(regs: &mut Regs) {
    // SAFETY: as for an SMC; the marks are without effect.
    unsafe {
        smc_asm!(regs, "movz xzr, #{row}", "smc #0", "movz xzr, #{row}, lsl #16", row = const ROW)
    }
}

/// One row of the table: the call with arguments `args` from x0 on, made again and again.
fn row<const ROW: u16>(name: &str, args: &[u64], right: impl Fn(&Regs) -> bool) {
    print(&[
        "@row ",
        decimal(ROW as usize, &mut [0; 20]),
        " ",
        name,
        "\n",
    ]);
    for _ in 0..ROUNDS {
        let mut regs = [0; 18];
        regs[..args.len()].copy_from_slice(args);
        measured::<ROW>(&mut regs);
        if !right(&regs) {
            fail(name, &regs);
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn main(core: usize) -> ! {
    arch::enable_group1();
    // SAFETY: this core's SGI 0: Group 1 for us by EL3's choice; enabled, never taken.
    unsafe { arch::write32(arch::redistributor(core) + arch::GICR_ISENABLER0, 1) };
    if core != 0 {
        secondary(core);
    }
    // SAFETY: GICD_CTLR, Non-secure view: EnableGrp1A.
    unsafe { arch::write32(machine::GICD, 0b10 | 0b10_000) };

    if SUSPENDS.load(Ordering::Relaxed) > 0 {
        suspends();
        end();
    }
    match workload() {
        Workload::Table => table(),
        Workload::Extensions => extensions(),
        Workload::Fp => fp(),
        Workload::Calls => calls(),
        Workload::Power => power(),
        Workload::Crowd(cores) => crowd(cores),
        Workload::Storm(cores) => storm(cores),
    }
    end()
}

fn end() -> ! {
    print(&["@done\n"]);
    let mut regs = [0; 18];
    regs[0] = 0x8400_0008; // SYSTEM_OFF
    arch::smc(&mut regs);
    loop {
        arch::pause();
    }
}

fn table() {
    // The version first: the first other FF-A call fixes it.
    row::<10>("FFA_VERSION", &[0x8400_0063, 0x1_0002], |r| {
        r[0] == 0x1_0002
    });

    row::<1>("SMCCC_VERSION", &[0x8000_0000], |r| {
        (0x1_0002..0x2_0000).contains(&r[0])
    });
    row::<2>("SMCCC_ARCH_FEATURES", &[0x8000_0001, 0x8000_0001], |r| {
        r[0] == 0
    });
    row::<3>("PSCI_VERSION", &[0x8400_0000], |r| {
        (0x1_0001..0x2_0000).contains(&r[0])
    });
    row::<4>("PSCI_FEATURES", &[0x8400_000a, CPU_ON], |r| r[0] == 0);
    row::<5>("AFFINITY_INFO", &[0xc400_0004, 0, 0], |r| r[0] == 0);
    row::<6>("unknown function ID, OEM range", &[0x8300_00ff], |r| {
        r[0] == NOT_SUPPORTED
    });
    row::<7>("unknown function ID, PSCI range", &[0x8400_001f], |r| {
        r[0] as u32 == NOT_SUPPORTED as u32
    });
    row::<28>("unknown function ID, SiP range", &[0x8200_00ff], |r| {
        r[0] == NOT_SUPPORTED
    });
    row::<29>(
        "revision of the Standard Secure service",
        &[0x8400_ff03],
        |r| r[..2] == [0, 1],
    );

    row::<8>("FFA_ID_GET", &[0x8400_0069], |r| r[..3] == [SUCCESS, 0, 0]);
    row::<9>("FFA_SPM_ID_GET", &[0x8400_0085], |r| {
        r[..3] == [SUCCESS, 0, 0x8000]
    });
    row::<11>(
        "FFA_FEATURES, forwarded",
        &[0x8400_0064, 0x8400_006d],
        |r| r[..3] == [SUCCESS, 0, 0],
    );
    row::<12>(
        "FFA_RUN, refused by the SPMC",
        &[0x8400_006d, 0x8001_0000],
        |r| r[0] == 0x8400_0060 && r[2] as u32 == NOT_SUPPORTED as u32,
    );
    row::<13>("FFA_NOTIFICATION_GET", &[0x8400_0082, 0, 7], |r| {
        r[..4] == [SUCCESS, 0, 0, 0x55]
    });
    row::<14>(
        "FFA_PARTITION_INFO_GET_REGS",
        &[0xc400_008b, 1, 2, 0],
        |r| r[3] == 0x0018_0000_0000_0000,
    );
    row::<15>(
        "direct request, 32-bit",
        &[DIRECT_REQ, TO_SPMC, 0, 3, 4, 5, 6, 7],
        |r| r[..8] == [0x8400_0070, FROM_SPMC, 0, 3, 5, 5, 6, 7],
    );
    row::<16>(
        "direct request, 64-bit, x0-x17",
        &[
            0xc400_008d,
            TO_SPMC,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            10,
            11,
            12,
            13,
            14,
            15,
            16,
            17,
        ],
        |r| {
            r[..8] == [0xc400_008e, FROM_SPMC, 2, 3, 5, 5, 6, 7]
                && (8..18).all(|i| r[i] == i as u64)
        },
    );
    interrupt();
    standby();

    let args = [DIRECT_REQ, TO_SPMC, 0, 3];
    let answer = |r: &Regs| r[..5] == [0x8400_0070, FROM_SPMC, 0, 3, 1];
    row::<17>(
        "direct request, FP not live",
        &[DIRECT_REQ | SVE_HINT, args[1], 0, 3],
        answer,
    );
    fill_fp();
    row::<18>("direct request, FP live", &args, answer);
}

/// Direct requests when the SPMC has used every extension that EL3 lends it on its first use.
fn extensions() {
    row::<25>(
        "direct request, the SPMC uses every extension",
        &[DIRECT_REQ, TO_SPMC, 0, USE_EXTENSIONS],
        |r| r[..5] == [0x8400_0070, FROM_SPMC, 0, USE_EXTENSIONS, 1],
    );
}

/// Calls of a platform's own, in an image that has them (plat/src/qemu/calls.rs).
fn calls() {
    // The platform's EL3 partitions start with the first call after the version.
    for call in [&[0x8400_0063, 0x1_0002][..], &[0x8400_0069]] {
        let mut regs = [0; 18];
        regs[..call.len()].copy_from_slice(call);
        arch::smc(&mut regs);
    }
    let word = 0x1234_5678;
    row::<30>(
        "a platform's call that returns its parameter",
        &[0xc200_0001, word],
        |r| r[..3] == [0, 0, word],
    );
    row::<31>(
        "a platform's call that asks a partition",
        &[0xc200_0004, word],
        |r| r[..2] == [0, word],
    );
}

/// A direct request with which the SPMC uses the FP registers too. Not in the table: the C BL31
/// of TF-A 2.12 traps an SPMC's FP to EL3, and stops there.
fn fp() {
    let name = "direct request, FP live, and the SPMC uses FP";
    fill_fp();
    row::<19>(name, &[DIRECT_REQ, TO_SPMC, 0, USE_FP], |r| {
        r[..5] == [0x8400_0070, FROM_SPMC, 0, USE_FP, 1]
    });
    let v31: u64;
    // SAFETY: reads v31.
    unsafe {
        asm!(
            ".arch_extension fp", ".arch_extension simd",
            "umov {}, v31.d[1]",
            ".arch_extension nosimd", ".arch_extension nofp",
            out(reg) v31,
        );
    }
    if v31 != 0x1111_1111_1111_1111 {
        fail(name, &[v31; 18]);
    }
}

/// A secure interrupt while the normal world runs: SGI 9 is Secure Group 1, and the SPMC lets the
/// normal world send it.
fn interrupt() {
    let name = "secure interrupt";
    print(&["@row 20 ", name, "\n"]);
    for _ in 0..ROUNDS {
        let canary: u64;
        // SAFETY: ICC_ASGI1R_EL1: Secure Group 1 SGI to core 0; no register may change.
        unsafe {
            asm!(
                "movz xzr, #20", "msr S3_0_C12_C11_6, x0", "isb", "nop", "movz xzr, #20, lsl #16",
                inout("x0") ((SECURE_SGI as u64) << 24) | 1 => canary,
            );
        }
        if canary != ((SECURE_SGI as u64) << 24) | 1 {
            fail(name, &[canary; 18]);
        }
    }
}

/// CPU_SUSPEND to standby with the interrupt that wakes the core already pending (SGI 0).
fn standby() {
    let name = "CPU_SUSPEND, standby";
    print(&["@row 21 ", name, "\n"]);
    for _ in 0..ROUNDS {
        // SAFETY: ICC_SGI1R_EL1: SGI 0 to core 0, which PSTATE.I keeps pending.
        unsafe { asm!("msr S3_0_C12_C11_5, {}", "isb", in(reg) 1u64) };
        let mut regs = [0; 18];
        (regs[0], regs[1]) = (CPU_SUSPEND, STANDBY);
        measured::<21>(&mut regs);
        let woken_by = arch::take_group1();
        if regs[0] != 0 || woken_by != 0 {
            regs[1] = woken_by;
            fail(name, &regs);
        }
    }
}

/// CPU_SUSPEND's power_state in the original format: core level, standby, state ID 1.
const STANDBY: u64 = 1;

/// CPU_ON of core 1 to its first instruction here, where the row ends; then CPU_OFF there.
fn power() {
    print(&["@row 22 CPU_ON to first normal-world instruction\n"]);
    give_way();
    let mut regs = turn_on_args(1);
    // SAFETY: as for an SMC; the mark is without effect.
    unsafe { smc_asm!(regs, "movz xzr, #22", "smc #0") };
    await_arrival(&regs, 1);
    print(&["@row 23 CPU_OFF\n"]);
    ORDER.store(OFF, Ordering::Relaxed);
    give_way();
    let mut regs = [0; 18];
    (regs[0], regs[1]) = (0xc400_0004, affinity(1));
    arch::smc(&mut regs);
    if regs[0] != 1 {
        fail("CPU_OFF", &regs);
    }
    suspends();
}

/// How many suspends have begun.
static SUSPENDS: AtomicUsize = AtomicUsize::new(0);

/// The next power-down suspend, from which [`main`] comes back here; returns after the last.
fn suspends() {
    let Some([core, cluster]) = machine::POWER_DOWN else {
        return;
    };
    let timer = machine::WAKE_UP_TIMER;
    // SAFETY: CNTP_CTL of the frame: off.
    unsafe { arch::write32(timer + 0x2c, 0) };
    let done = SUSPENDS.load(Ordering::Relaxed);
    SUSPENDS.store(done + 1, Ordering::Relaxed);
    let name = match done / ROUNDS {
        0 => "CPU_SUSPEND, power-down, and back",
        1 => "CPU_SUSPEND, power-down of the cluster, and back",
        _ => return,
    };
    if done.is_multiple_of(ROUNDS) {
        let row = 26 + done / ROUNDS;
        print(&["@row ", decimal(row, &mut [0; 20]), " ", name, "\n"]);
    }
    let intid = machine::WAKE_UP_INTID;
    // SAFETY: GICD_ISENABLER, this interrupt's bit; CNTP_TVAL, long after the core has gone, and CNTP_CTL.
    unsafe {
        arch::write32(machine::GICD + 0x100 + intid / 32 * 4, 1 << (intid % 32));
        arch::write32(timer + 0x28, 500_000);
        arch::write32(timer + 0x2c, 1);
    }
    let mut regs = [0; 18];
    (regs[0], regs[2]) = (CPU_SUSPEND, arch::entry());
    if done < ROUNDS {
        regs[1] = core;
        measured::<26>(&mut regs);
    } else {
        regs[1] = cluster;
        measured::<27>(&mut regs);
    }
    fail(name, &regs);
}

/// What PSCI calls a core.
fn affinity(core: usize) -> u64 {
    (core as u64) << machine::AFFINITY_SHIFT
}

/// Time for core 1 to be where cores wait at EL3; asking for it would mix this core's EL3 with its.
fn give_way() {
    for _ in 0..1000 {
        arch::pause();
    }
}

fn turn_on_args(core: usize) -> Regs {
    let mut regs = [0; 18];
    (regs[0], regs[1], regs[2]) = (CPU_ON, affinity(core), arch::entry());
    regs
}

fn await_arrival(answer: &Regs, core: usize) {
    if answer[0] != 0 {
        fail("CPU_ON", answer);
        return;
    }
    while ARRIVED.load(Ordering::Relaxed) != core {
        arch::pause();
    }
}

fn secondary(core: usize) -> ! {
    if let Workload::Storm(cores) = workload() {
        turn_on_children(core, cores);
        HERE[core].store(1, Ordering::Relaxed);
    }
    ARRIVED.store(core, Ordering::Relaxed);
    loop {
        match ORDER.load(Ordering::Relaxed) {
            OFF => {
                let mut regs = [0; 18];
                regs[0] = CPU_OFF;
                // SAFETY: as for an SMC; the mark says that it does not return.
                unsafe { smc_asm!(regs, "movz xzr, #23, lsl #32", "smc #0") };
                fail("CPU_OFF", &regs);
            }
            OFF_AT_ONCE => {
                HERE[core].store(0, Ordering::Relaxed);
                let mut regs = [0; 18];
                regs[0] = CPU_OFF;
                // SAFETY: as above.
                unsafe { smc_asm!(regs, "movz xzr, #41, lsl #32", "smc #0") };
                fail("CPU_OFF", &regs);
            }
            CROWD => {
                requests();
                while DONE.load(Ordering::Relaxed) != core - 1 {
                    arch::pause();
                }
                DONE.store(core, Ordering::Relaxed);
                loop {
                    arch::pause();
                }
            }
            _ => arch::pause(),
        }
    }
}

/// Rows 40 and 41: cores turn each other on, as a tree, and all but one turn themselves off at once. The row of the
/// arriving cores has no marks.
fn storm(cores: usize) {
    print(&["@row 40 CPU_ON, all cores at once\n"]);
    print(&["@row 41 CPU_OFF, all cores at once\n"]);
    let others = || HERE[1..cores].iter();
    for _ in 0..ROUNDS {
        ORDER.store(0, Ordering::Relaxed);
        turn_on_children(0, cores);
        while others().any(|here| here.load(Ordering::Relaxed) == 0) {
            arch::pause();
        }
        ORDER.store(OFF_AT_ONCE, Ordering::Relaxed);
        for core in 1..cores {
            let mut regs = [0; 18];
            // AFFINITY_INFO: 1 is OFF.
            while regs[0] != 1 {
                regs = [0; 18];
                (regs[0], regs[1]) = (0xc400_0004, affinity(core));
                arch::smc(&mut regs);
            }
        }
    }
}

/// Turns on the two cores below `core` in the tree of all `cores`.
fn turn_on_children(core: usize, cores: usize) {
    for child in [2 * core + 1, 2 * core + 2] {
        if child < cores {
            let mut regs = turn_on_args(child);
            measured::<40>(&mut regs);
            if regs[0] != 0 {
                fail("CPU_ON, all cores at once", &regs);
            }
        }
    }
}

/// Row 24: `cores` cores send direct requests at once.
fn crowd(cores: usize) {
    print(&["@row 24 direct request, 32-bit, all cores at once\n"]);
    for core in 1..cores {
        let mut regs = turn_on_args(core);
        arch::smc(&mut regs);
        await_arrival(&regs, core);
    }
    ORDER.store(CROWD, Ordering::Relaxed);
    requests();
    while DONE.load(Ordering::Relaxed) != cores - 1 {
        arch::pause();
    }
}

/// The first one is not counted: the version is fixed with it.
fn requests() {
    let mut regs = [0; 18];
    (regs[0], regs[1]) = (DIRECT_REQ, TO_SPMC);
    arch::smc(&mut regs);
    for _ in 0..CROWD_ROUNDS {
        let mut regs = [0; 18];
        regs[..5].copy_from_slice(&[DIRECT_REQ, TO_SPMC, 0, 3, 4]);
        measured::<24>(&mut regs);
        if regs[..5] != [0x8400_0070, FROM_SPMC, 0, 3, 5] {
            fail("direct request, 32-bit, all cores at once", &regs);
        }
    }
}

/// Makes the FP registers of the normal world live.
fn fill_fp() {
    // SAFETY: compiled without FP, this program keeps nothing there. CPTR_EL2 = 0x33ff
    // (E2H = 0): FP, SVE and SME not trapped.
    unsafe {
        asm!(
            ".arch_extension fp", ".arch_extension simd",
            "msr cptr_el2, {cptr}", "isb",
            ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
            "movi v\\n\\().16b, #0x11",
            ".endr",
            ".arch_extension nosimd", ".arch_extension nofp",
            cptr = in(reg) 0x22ffu64,
        );
    }
}

/// What the payload does in this run.
enum Workload {
    Table,
    Extensions,
    Fp,
    Calls,
    Power,
    Crowd(usize),
    Storm(usize),
}

/// Reads the text that QEMU put into memory; the table without one.
fn workload() -> Workload {
    // SAFETY: RAM, filled before the start or zero.
    let text = unsafe { core::slice::from_raw_parts(machine::CONFIGURATION as *const u8, 16) };
    match text {
        [b'e', b'x', b't', ..] => Workload::Extensions,
        [b'f', b'p', ..] => Workload::Fp,
        [b'c', b'a', b'l', b'l', b's', ..] => Workload::Calls,
        [b'p', b'o', b'w', b'e', b'r', ..] => Workload::Power,
        [b'c', b'r', b'o', b'w', b'd', b'=', n @ ..] => Workload::Crowd(cores(n)),
        [b's', b't', b'o', b'r', b'm', b'=', n @ ..] => Workload::Storm(cores(n)),
        _ => Workload::Table,
    }
}

/// The number of cores that `text` begins with.
fn cores(text: &[u8]) -> usize {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let n = digits.fold(0, |n, digit| 10 * n + usize::from(digit - b'0'));
    n.clamp(1, MAX_CORES)
}

fn fail(name: &str, regs: &Regs) {
    print(&["@fail ", name, ":"]);
    for value in regs {
        let mut digits = [0; 18];
        for (i, digit) in digits.iter_mut().enumerate() {
            *digit = match i {
                0 => b' ',
                1 => b'x',
                _ => b"0123456789abcdef"[(value >> (4 * (17 - i)) & 15) as usize],
            };
        }
        print(&[core::str::from_utf8(&digits).unwrap_or("?")]);
    }
    print(&["\n"]);
}

fn decimal(mut n: usize, digits: &mut [u8; 20]) -> &str {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return core::str::from_utf8(&digits[at..]).unwrap_or("?");
        }
    }
}

fn print(parts: &[&str]) {
    for byte in parts.iter().flat_map(|part| part.bytes()) {
        // SAFETY: PL011 UARTDR.
        unsafe { arch::write32(machine::UART, byte.into()) };
    }
}
