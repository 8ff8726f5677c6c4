//! Cases with a hypervisor like Xen: it retrieves more than one page of IDs in a loop, repeats "VM destroyed" on RETRY
//! and INTERRUPTED, reclaims memory when it is no longer in use, and gets error codes unchanged.

use crate::arch::{MAX_CORES, smc};
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::ffa::{FRAMEWORK, message as number};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa};
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("lifecycle/xen-info-pages", info_pages)
        .secure(info_pages_secure)
        .needs(Needs::V1_2),
    Case::new("lifecycle/xen-destroy", destroy).secure(destroy_secure),
    Case::new("lifecycle/xen-reclaim", reclaim).secure(reclaim_secure),
];

/// The number of pages of IDs that the SPMC has in a round.
const PAGES: u32 = 5;

/// Returns x2 of a page: bit 0 says that there are more, \[11:7\] is the number of lists, \[63:12\] the size of each.
fn page_x2(page: u32) -> u64 {
    let more = u64::from(page + 1 < PAGES);
    0xedcb_a987_6543_2000 ^ (u64::from(page) << 60) & !0xfff | 20 << 7 | more
}

/// Returns the value of ID register `n` of a page.
fn page_ids(page: u32, n: usize) -> u64 {
    0x8001_8002_8003_8000 + (u64::from(page) << 32) + n as u64
}

const INFO_GET: u32 = ffa::NOTIFICATION_INFO_GET | ffa::SMC64;

/// All 64 bits of x2 and of the ID registers of each page cross, on every core.
fn info_pages() -> Outcome {
    cores::on_each(|_| {
        for page in 0..PAGES {
            let got = ffa::call(INFO_GET, &[]);
            ensure_eq!(got.function(), ffa::SUCCESS | ffa::SMC64, "page {page}");
            ensure_eq!(got.x(2), page_x2(page), "x2 of page {page}");
            for n in 3..8 {
                ensure_eq!(got.x(n), page_ids(page, n), "x{n} of page {page}");
            }
        }
        ffa::expect_error(
            &ffa::call(INFO_GET, &[]),
            ffa::NO_DATA,
            "after the last page",
        )
    })
}

static NEXT: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(0) }; MAX_CORES];

fn info_pages_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != INFO_GET {
        return None;
    }
    let page = NEXT[s.core].fetch_add(1, SeqCst);
    if page == PAGES {
        NEXT[s.core].store(0, SeqCst);
        return Some(ffa::error(ffa::NO_DATA));
    }
    let mut regs = ffa::request(ffa::SUCCESS | ffa::SMC64, &[0, page_x2(page)]);
    (3..8).for_each(|n| regs.0[n] = page_ids(page, n));
    Some(regs)
}

/// The answers to "VM destroyed", one after the other.
const ANSWERS: [i32; 4] = [ffa::RETRY, ffa::INTERRUPTED, ffa::RETRY, 0];

/// "VM destroyed" is repeated while the answer is RETRY or INTERRUPTED. (Xen waits a second in between.)
fn destroy() -> Outcome {
    cores::on_each(|core| {
        for round in 0..10 {
            for want in ANSWERS {
                let got = ffa::call(
                    ffa::DIRECT_REQ,
                    &[
                        ffa::route(0, ffa::SPMC),
                        FRAMEWORK | number::VM_DESTROYED,
                        0,
                        0,
                        core as u64,
                    ],
                );
                ensure_eq!(
                    got.x(2),
                    FRAMEWORK | number::VM_DESTROYED_RESPONSE,
                    "w2 in round {round}"
                );
                ensure_eq!(got.w(3) as i32, want, "status in round {round}");
            }
        }
        Ok(())
    })
}

static ASKED: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(0) }; MAX_CORES];

fn destroy_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ || message.x(2) & FRAMEWORK == 0 {
        return None;
    }
    let asked = ASKED.get(message.x(5) as usize)?.fetch_add(1, SeqCst) as usize;
    Some(ffa::framework_response(
        message,
        number::VM_DESTROYED_RESPONSE,
        ANSWERS[asked % ANSWERS.len()],
    ))
}

/// Error codes that Xen takes as permanent. Each makes Xen leak memory, so EL3 must not invent or change any.
const PERMANENT: [i32; 6] = [
    ffa::NOT_SUPPORTED,
    ffa::INVALID_PARAMETERS,
    ffa::NO_MEMORY,
    ffa::BUSY,
    ffa::ABORTED,
    ffa::NO_DATA,
];

/// Memory is shared. Reclaiming it is DENIED as long as it is in use, and then succeeds.
fn reclaim() -> Outcome {
    cores::on_each(|core| {
        let handle = 0x7000_0000_0000_0000 | core as u64;
        let got = smc::call(ffa::request(ffa::MEM_SHARE, &[0x100, 0x100]));
        ensure_eq!(got.function(), ffa::SUCCESS, "FFA_MEM_SHARE");
        ensure_eq!(got.x(2), core as u64, "the lower half of the handle");
        ensure_eq!(got.x(3), 0x7000_0000, "the upper half of the handle");
        let reclaim = |flags: u64| {
            ffa::call(
                ffa::MEM_RECLAIM,
                &[handle & 0xffff_ffff, handle >> 32, flags],
            )
        };
        for _ in 0..3 {
            ffa::expect_error(&reclaim(0), ffa::DENIED, "FFA_MEM_RECLAIM of memory in use")?;
        }
        ensure_eq!(reclaim(0).function(), ffa::SUCCESS, "FFA_MEM_RECLAIM");
        for (i, code) in PERMANENT.into_iter().enumerate() {
            ffa::expect_error(
                &reclaim(i as u64 + 1),
                code,
                "a permanent error of FFA_MEM_RECLAIM",
            )?;
        }
        Ok(())
    })
}

static DENIALS: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(0) }; MAX_CORES];

fn reclaim_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    match message.function() {
        ffa::MEM_SHARE => {
            s.expect_eq(message.x(1), 0x100, "the length of the descriptor");
            Some(ffa::request(ffa::SUCCESS, &[0, s.core as u64, 0x7000_0000]))
        }
        ffa::MEM_RECLAIM => {
            s.expect_eq(message.x(1), s.core as u64, "the lower half of the handle");
            s.expect_eq(message.x(2), 0x7000_0000, "the upper half of the handle");
            if let Some(code) = PERMANENT.get((message.x(3) as usize).wrapping_sub(1)) {
                return Some(ffa::error(*code));
            }
            let denied = DENIALS[s.core].fetch_add(1, SeqCst) % 4 < 3;
            Some(if denied {
                ffa::error(ffa::DENIED)
            } else {
                ffa::success()
            })
        }
        _ => None,
    }
}
