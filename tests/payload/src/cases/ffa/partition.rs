//! Cases about EL3 logical partitions. In a BL31 with the feature `greeter`, an example partition discovers a partition
//! of the SPMC and exchanges messages with it, and the SPMC discovers the example. All of this happens when the normal
//! world makes its first call after FFA_VERSION. The case then checks what the SPMC has seen.

use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{config, ffa, hypervisor};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("ffa/el3-partition-version", version)
        .needs(Needs::JANUS.union(Needs::NO_FFA))
        .in_boot("spmc", "locks"),
    Case::new("ffa/el3-partition", ask)
        .secure(look)
        .needs(Needs::JANUS)
        .in_boot("spmc", "greeter"),
];

/// The example's ID and protocol.
const GREETER: u64 = 0xffc0;
const PROTOCOL: [u64; 2] = [0x4a6e_1c9b_6772_6565, 0x7465_7220_454c_3321];
/// The ID of the partition that the SPMC reports.
const GREETED: u64 = 0x8005;

/// The greetings that were right, one bit each.
static GREETINGS: AtomicU64 = AtomicU64::new(0);
/// x0, x2 to x5 of EL3's answer to FFA_PARTITION_INFO_GET_REGS.
static FOUND: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

/// Asks EL3 for its partitions. The SPMC calls this at boot.
pub fn discover() {
    if config::spmc_has("greeter") {
        let got = ffa::call(ffa::PARTITION_INFO_GET_REGS | ffa::SMC64, &[0, 0, 0]);
        for (slot, n) in FOUND.iter().zip([0, 2, 3, 4, 5]) {
            slot.store(got.x(n), SeqCst);
        }
    }
}

/// Returns the answer of the SPMC and its partition to a message of the example, or None if it is another message.
pub fn answer(message: &Regs) -> Option<Regs> {
    if !config::spmc_has("greeter") {
        return None;
    }
    let function = message.function();
    if function == ffa::PARTITION_INFO_GET_REGS | ffa::SMC64 && message.0[1..3] == PROTOCOL {
        // One descriptor of 24 bytes: the ID, one execution context, can receive direct requests.
        let descriptor = GREETED | 1 << 16 | 0x301 << 32;
        return Some(ffa::request(
            ffa::SUCCESS | ffa::SMC64,
            &[0, 24 << 48, descriptor],
        ));
    }
    if message.x(1) != ffa::route(GREETER, GREETED) {
        return None;
    }
    let (bit, right) = match function {
        ffa::DIRECT_REQ => (1, message.0[2..8] == [0, 1, 2, 3, 4, 5]),
        f if f == ffa::DIRECT_REQ | ffa::SMC64 => (2, message.0[2..5] == [0, 2, 1 << 40]),
        _ => (4, message.0[2..4] == PROTOCOL && message.x(17) == 3),
    };
    if right {
        GREETINGS.fetch_or(bit, SeqCst);
    }
    // FFA_YIELD would give the core to the normal world, which waits for EL3: it must be DENIED.
    let got = ffa::call(ffa::YIELD, &[]);
    if got.0[..8] != ffa::error(ffa::DENIED).0[..8] {
        GREETINGS.store(0, SeqCst);
    }
    Some(ffa::response(message, &[message.x(3) + 1]))
}

/// The normal world negotiates its version although the SPMC accepts no version after the partition's first request.
fn version() -> Outcome {
    crate::ensure!(
        hypervisor::spmc_el() != 0,
        "the SPMC refused FFA_VERSION when the hypervisor asked first"
    );
    Ok(())
}

fn ask() -> Outcome {
    let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
    ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer to the request");
    Ok(())
}

fn look(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        s.expect_eq(
            GREETINGS.load(SeqCst),
            0b111,
            "greetings (REQ, 64-bit REQ, REQ2)",
        );
        let [low, high] = PROTOCOL;
        // The properties: can send both kinds of direct requests, AArch64.
        let descriptor = GREETER | 1 << 16 | 0x502 << 32;
        let want = [
            u64::from(ffa::SUCCESS | ffa::SMC64),
            24 << 48,
            descriptor,
            low,
            high,
        ];
        for (n, (slot, want)) in FOUND.iter().zip(want).enumerate() {
            let what = ["x0", "x2", "x3", "x4", "x5"][n];
            if slot.load(SeqCst) != want {
                s.fail(format_args!(
                    "{what} of FFA_PARTITION_INFO_GET_REGS: {:#x}, should be {want:#x}",
                    slot.load(SeqCst)
                ));
            }
        }
    }
    None
}
