//! Cases about the entry into each world, on the first core and on all others.

use crate::arch::{cpu, entry, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{config, control, cores, ffa};
use crate::{ensure, ensure_eq, fail, mrs};

pub const CASES: &[Case] = &[
    Case::new("boot/cores", every_core).needs(Needs::NO_FFA),
    Case::new("boot/entry-normal", entry_normal).needs(Needs::NO_FFA),
    Case::new("boot/entry-secure", entry_secure_normal).secure(entry_secure_secure),
    Case::new("boot/spmc-on-every-core", spmc_on_every_core),
    Case::new("boot/secondary-entry", entry_secure_normal)
        .secure(secondary_entry_secure)
        .needs(Needs::CORES),
    Case::new("boot/secure-interrupt-first", interrupt_first).secure(interrupt_first_secure),
    Case::new("boot/transfer-list", transfer_list_normal)
        .secure(transfer_list_secure)
        .in_boot("handover", "list"),
    Case::new("boot/log-on-two-cores", log_on_two_cores)
        .secure(log_secure)
        .needs(Needs::CORES)
        .in_boot("crash", "log"),
];

/// DAIF with everything masked.
const MASKED: u64 = 0x3c0;

/// Every core of the machine takes work, has the right number, runs at the highest level that the machine has, and has
/// CNTFRQ_EL0 set.
fn every_core() -> Outcome {
    let frequency = mrs!("cntfrq_el0");
    ensure!(frequency != 0, "CNTFRQ_EL0 is zero");
    cores::on_each(|n| {
        ensure_eq!(cpu::number(), n, "core number");
        let has_el2 = mrs!("id_aa64pfr0_el1") >> 8 & 0xf != 0;
        ensure_eq!(cpu::el(), 1 + u64::from(has_el2), "exception level");
        ensure_eq!(mrs!("cntfrq_el0"), frequency, "CNTFRQ_EL0");
        Ok(())
    })
}

/// The normal world starts at NS-EL2 with the MMU off and all interrupts masked, on every core.
fn entry_normal() -> Outcome {
    for n in 0..cores::count() {
        let state = entry::boot_state(n);
        ensure_eq!(state.sctlr & 1, 0, "SCTLR_EL2.M of core {n}");
        ensure_eq!(state.daif, MASKED, "DAIF of core {n}");
        ensure_eq!(state.spsel, 1, "SPSel of core {n}");
        ensure_eq!(
            state.secondary,
            u64::from(n != cores::boot_core()),
            "entry point of core {n}"
        );
        for x in 1..8 {
            ensure!(
                n == cores::boot_core() || state.x[x] == 0,
                "x{x} of core {n} at CPU_ON: {:#x}",
                state.x[x]
            );
        }
    }
    Ok(())
}

/// Asks the SPMC of each core to check how it was entered.
fn entry_secure_normal() -> Outcome {
    cores::on_each(|_| {
        let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
        ensure_eq!(
            got.function(),
            ffa::DIRECT_RESP,
            "answer to a direct request"
        );
        Ok(())
    })
}

/// The SPMC starts with the MMU off and all interrupts masked. The first core gets the manifest in x0.
fn entry_secure_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        let state = entry::my_boot_state();
        s.expect_eq(state.sctlr & 1, 0, "SCTLR.M at entry");
        s.expect_eq(state.daif, MASKED, "DAIF at entry");
        s.expect_eq(state.spsel, 1, "SPSel at entry");
        if state.x[4] == 0 && s.core == 0 {
            s.expect(
                state.x[0] != 0 && state.x[0] < 1 << 32,
                "x0 is not the manifest's address",
            );
        }
    }
    None
}

/// The SPMC was entered on each core before the normal world.
fn spmc_on_every_core() -> Outcome {
    let (_, seen) = control::who().map_err(crate::framework::case::Why::Failed)?;
    ensure_eq!(
        seen,
        (1 << cores::count()) - 1,
        "cores that the SPMC was entered on"
    );
    Ok(())
}

/// Other cores enter the SPMC at the entry point that it has registered, or else at its base.
fn secondary_entry_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        let registered = !config::spmc_has("primary-ep");
        if registered {
            s.expect_eq(
                u64::from(spmc::secondary_ep_answer()),
                u64::from(ffa::SUCCESS | ffa::SMC64),
                "the answer to FFA_SECONDARY_EP_REGISTER_64",
            );
        }
        let want = registered && s.core != spmc::first_core();
        s.expect_eq(
            entry::my_boot_state().secondary,
            u64::from(want),
            "entered at the secondary entry point",
        );
    }
    None
}

/// Does what [`entry_secure_normal`] does, but first gives the interrupt time to come: a machine with one core gets
/// here at once.
fn interrupt_first() -> Outcome {
    timer::delay(50_000);
    entry_secure_normal()
}

/// The secure interrupt that the SPMC had set up during its boot has reached it, although the normal world
/// had not asked for any FF-A version then.
fn interrupt_first_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ
        && s.core == spmc::first_core()
        && spmc::timer_interrupts(s.core) == 0
    {
        s.fail(format_args!("the boot's timer interrupt never came"));
    }
    None
}

/// Has the SPMC print a line by FFA_CONSOLE_LOG on another core, and then on this one.
///
/// In an image that crashes while it writes such a line, both calls end in a crash report. The second one comes only
/// after the first has released the console. The case itself does not end there.
fn log_on_two_cores() -> Outcome {
    let logs = || {
        ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
        Ok(())
    };
    cores::beside(
        cores::another(),
        |_| logs(),
        || {
            // Long enough for the other core's report to end: of two reports at once, one is dropped.
            timer::delay(500_000);
            logs()
        },
    )
}

fn log_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        let line = u64::from_le_bytes(*b"a line.\n");
        ffa::call(ffa::CONSOLE_LOG | ffa::SMC64, &[8, line]);
    }
    None
}

/// The contents of a transfer list: its used bytes, the addresses of its first device tree and of the SPMC's manifest
/// (0: none), and whether it has an entry that is for firmware alone.
struct Found {
    used: u64,
    device_tree: u64,
    manifest: u64,
    secret: bool,
}

/// Reads the transfer list (DEN0135) that a world's first registers lead to.
fn transfer_list(x: &[u64; 8]) -> Result<Found, &'static str> {
    if x[1] != 0x1_4a0f_b10b || x[2] != 0 {
        return Err("x1 does not mark a transfer list, or x2 is not 0");
    }
    let at = x[3];
    // SAFETY: this is memory of this world that holds only the list. The caller has checked `at`.
    let word = |offset: u64| unsafe { ((at + offset) as *const u32).read_volatile() };
    let used = u64::from(word(8));
    if word(0) != 0x4a0f_b10b || !(24..=0x5000).contains(&used) {
        return Err("x3 does not lead to a transfer list");
    }
    let bytes = (0..used / 4).flat_map(|n| word(n * 4).to_le_bytes());
    if bytes.fold(0, u8::wrapping_add) != 0 {
        return Err("its checksum is wrong");
    }
    let mut found = Found {
        used,
        device_tree: 0,
        manifest: 0,
        secret: false,
    };
    let mut offset = u64::from(word(4) >> 16 & 0xff);
    while offset + 8 <= used {
        let (header, size) = (word(offset), u64::from(word(offset + 4)));
        let data = offset + u64::from(header >> 24);
        match header & 0xff_ffff {
            1 if found.device_tree == 0 => found.device_tree = at + data,
            0x101 if found.manifest == 0 => found.manifest = at + data,
            _ => {}
        }
        found.secret |= header & 0xff_ffff >= 0x100;
        offset = (data + size).next_multiple_of(8);
    }
    Ok(found)
}

/// The first image of the normal world gets a list of its own: in its memory, with the device tree, and without
/// entries that are for firmware alone.
fn transfer_list_normal() -> Outcome {
    let x = entry::boot_state(cores::boot_core()).x;
    ensure!(
        x[3] >= 0x4000_0000 && x[3].is_multiple_of(8),
        "x3 is {:#x}",
        x[3]
    );
    match transfer_list(&x) {
        Err(why) => fail!("{why}"),
        Ok(found) => {
            ensure!(found.device_tree != 0, "no device tree");
            ensure_eq!(x[0], found.device_tree, "x0");
            ensure!(!found.secret, "there are entries of firmware's");
        }
    }
    entry_secure_normal()
}

/// The SPMC gets boot firmware's list, and the address of its manifest in x0, which is in the list or elsewhere.
fn transfer_list_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ && s.core == spmc::first_core() {
        let x = entry::my_boot_state().x;
        s.expect(
            x[3] < 0x4000_0000 && x[3].is_multiple_of(8) && x[3] != 0,
            "x3 is no list's address",
        );
        match transfer_list(&x) {
            Err(why) => s.fail(format_args!("{why}")),
            Ok(found) if found.manifest != 0 => {
                s.expect_eq(x[0], found.manifest, "x0");
            }
            Ok(found) => {
                let list = x[3]..x[3] + found.used;
                s.expect(x[0] != 0 && !list.contains(&x[0]), "x0 is not the manifest");
            }
        }
    }
    None
}
