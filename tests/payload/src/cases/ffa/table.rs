//! Cases about the dispatcher's table as the worlds see it: the calls that cross from each world, and those that are
//! refused.

use crate::arch::smc;
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{config, cores, ffa};

pub const CASES: &[Case] = &[
    Case::new("ffa/forward-32", forward_32).secure(check_and_answer),
    Case::new("ffa/forward-64", forward_64)
        .secure(check_and_answer)
        .needs(Needs::V1_2),
    Case::new("ffa/forward-64-below-1.2", forward_64_below)
        .secure(check_and_answer_below)
        .needs(Needs::BELOW_1_2),
    Case::new("ffa/refused-normal", refused_normal)
        .secure(never)
        .needs(Needs::JANUS),
    Case::new("ffa/refused-secure", refused_secure_normal)
        .secure(refused_secure)
        .needs(Needs::JANUS),
    Case::new("ffa/features-table", refused_secure_normal)
        .secure(features_table)
        .needs(Needs::JANUS),
];

/// The conventions that a function has.
#[derive(Clone, Copy, PartialEq)]
enum Has {
    Only32,
    Only64,
    Both,
}
use Has::{Both, Only32, Only64};

/// For each function: its conventions in FF-A 1.2, whether it crosses from the normal world, and whether EL3 or the
/// normal world accepts it from the SPMC.
#[rustfmt::skip]
const TABLE: &[(u32, Has, bool, bool)] = &[
    (ffa::ERROR, Both, true, true),
    (ffa::SUCCESS, Both, true, true),
    (ffa::INTERRUPT, Only32, false, true),
    (ffa::RX_RELEASE, Only32, true, false),
    (ffa::RXTX_MAP, Both, true, false),
    (ffa::RXTX_UNMAP, Only32, true, false),
    (ffa::PARTITION_INFO_GET, Only32, true, false),
    (ffa::MSG_POLL, Only32, false, false),
    (ffa::MSG_WAIT, Only32, false, true),
    (ffa::YIELD, Only32, false, true),
    (ffa::RUN, Only32, true, false),
    (ffa::MEM_DONATE, Both, true, true),
    (ffa::MEM_LEND, Both, true, true),
    (ffa::MEM_SHARE, Both, true, true),
    (ffa::MEM_RETRIEVE_REQ, Both, true, true),
    (ffa::MEM_RETRIEVE_RESP, Only32, true, true),
    (ffa::MEM_RELINQUISH, Only32, true, true),
    (ffa::MEM_RECLAIM, Only32, true, true),
    (ffa::MEM_OP_PAUSE, Only32, false, true),
    (ffa::MEM_OP_RESUME, Only32, true, false),
    (ffa::MEM_FRAG_RX, Only32, true, true),
    (ffa::MEM_FRAG_TX, Only32, true, true),
    (ffa::NORMAL_WORLD_RESUME, Only32, false, true),
    (ffa::NOTIFICATION_BITMAP_CREATE, Only32, true, false),
    (ffa::NOTIFICATION_BITMAP_DESTROY, Only32, true, false),
    (ffa::NOTIFICATION_BIND, Only32, true, false),
    (ffa::NOTIFICATION_UNBIND, Only32, true, false),
    (ffa::NOTIFICATION_SET, Only32, true, false),
    (ffa::NOTIFICATION_GET, Only32, true, false),
    (ffa::NOTIFICATION_INFO_GET, Both, true, false),
    (ffa::RX_ACQUIRE, Only32, true, false),
    (ffa::MSG_SEND2, Only32, true, false),
    (ffa::SECONDARY_EP_REGISTER, Both, false, true),
    (ffa::MEM_PERM_GET, Both, false, false),
    (ffa::MEM_PERM_SET, Both, false, false),
    (ffa::CONSOLE_LOG, Both, false, true),
    (ffa::PARTITION_INFO_GET_REGS, Only64, true, true),
    (ffa::EL3_INTR_HANDLE, Only32, false, true),
    (ffa::NS_RES_INFO_GET, Only64, true, false),
];

/// Functions that have a 64-bit form from 1.3 on.
const WIDE_FROM_1_3: [u32; 5] = [
    ffa::INTERRUPT,
    ffa::MSG_WAIT,
    ffa::YIELD,
    ffa::RUN,
    ffa::NORMAL_WORLD_RESUME,
];
/// Functions that cross from the normal world from 1.3 on.
const FROM_1_3: [u32; 4] = [
    ffa::NOTIFICATION_BIND2,
    ffa::NOTIFICATION_UNBIND2,
    ffa::NOTIFICATION_SET2,
    ffa::NOTIFICATION_GET2,
];

/// Returns the version of FF-A in which a function came in, for the functions that EL3 has for its SPMC.
fn since(function: u32) -> u32 {
    match function {
        ffa::CONSOLE_LOG
        | ffa::EL3_INTR_HANDLE
        | ffa::PARTITION_INFO_GET_REGS
        | ffa::DIRECT_RESP2 => 0x1_0002,
        ffa::SPM_ID_GET => 0x1_0001,
        _ => 0x1_0000,
    }
}

/// Returns the rows of the table for the versions of this boot.
fn rows() -> impl Iterator<Item = (u32, Has, bool, bool)> {
    let normal = config::ffa_version() >= 0x1_0003;
    let secure = spmc::version() >= 0x1_0003;
    let now = TABLE.iter().map(move |&(function, has, n, s)| {
        // The caller's version counts, which is the SPMC's for functions that the secure world calls.
        let wide = WIDE_FROM_1_3.contains(&function) && if n { normal } else { secure };
        (
            function,
            if wide { Both } else { has },
            n,
            s && spmc::version() >= since(function),
        )
    });
    now.chain(FROM_1_3.map(|f| (f, Only64, normal && secure, false)))
}

/// Numbers that have no meaning in FF-A 1.2.
const NOBODYS: [u32; 8] = [
    0x8400_0091,
    0x8400_0093,
    0x8400_0098,
    0x8400_00a0,
    0x8400_00c3,
    0x8400_00df,
    0x8400_00e0,
    0x8400_00ef,
];

const SUCCESS_64: u32 = ffa::SUCCESS | ffa::SMC64;

/// Returns the registers that the normal world sends with `function`.
fn sent(function: u32, core: usize) -> Regs {
    let regs = Regs::filled(function, core, u64::from(function));
    // A sender of FFA_MSG_SEND2 must not be secure.
    if function == ffa::MSG_SEND2 {
        regs.with(1, 0x7abc_1234)
    } else {
        regs
    }
}

/// Returns the registers that the secure world answers.
fn answered(function: u32, core: usize, success: u32) -> Regs {
    Regs::filled(success, core, !u64::from(function))
}

fn crosses(has: Has) -> impl Iterator<Item = u32> {
    // The C BL31 does not know these two.
    let known = move |f: u32| {
        config::is_janus() || f != ffa::MEM_OP_RESUME && (f != ffa::ERROR || has == Only32)
    };
    rows()
        .filter(move |row| known(row.0) && row.2 && (row.1 == has || row.1 == Both))
        .map(|row| row.0)
}

/// Each 32-bit call that crosses does so with w0-w7 alone, and so does its answer.
fn forward_32() -> Outcome {
    cores::on_each(|core| {
        for function in crosses(Only32) {
            let sent = sent(function, core);
            let got = smc::call(sent);
            let answer = answered(function, core, ffa::SUCCESS);
            for n in 0..8 {
                // The C BL31 lets the upper halves through.
                let x = if config::is_janus() {
                    got.x(n)
                } else {
                    u64::from(got.w(n))
                };
                ensure_eq!(
                    x,
                    u64::from(answer.w(n)),
                    "x{n} of the answer to {}",
                    ffa::name(function)
                );
            }
            for n in 8..18 {
                ensure_eq!(got.x(n), sent.x(n), "x{n} after {}", ffa::name(function));
            }
        }
        Ok(())
    })
}

/// Each 64-bit call that crosses does so with x0-x17, and so does its answer.
fn forward_64() -> Outcome {
    cores::on_each(|core| {
        for function in crosses(Only64).map(|f| f | ffa::SMC64) {
            let got = smc::call(sent(function, core));
            let answer = answered(function, core, SUCCESS_64);
            for n in 0..18 {
                ensure_eq!(
                    got.x(n),
                    answer.x(n),
                    "x{n} of the answer to {}",
                    ffa::name(function)
                );
            }
        }
        Ok(())
    })
}

fn check_and_answer(s: &Secure, message: &Regs) -> Option<Regs> {
    let function = message.function();
    if function == ffa::INTERRUPT {
        return None;
    }
    let sent = sent(function, s.core);
    let wide = function & ffa::SMC64 != 0;
    for n in 0..if wide { 18 } else { 8 } {
        let want = if wide {
            sent.x(n)
        } else {
            u64::from(sent.w(n))
        };
        // The C BL31 lets the upper halves through.
        let all = wide || config::is_janus();
        let got = if all {
            message.x(n)
        } else {
            u64::from(message.w(n))
        };
        if got != want {
            s.fail(format_args!(
                "x{n} of {}: {got:#x}, should be {want:#x}",
                ffa::name(function)
            ));
        }
    }
    Some(answered(
        function,
        s.core,
        if wide { SUCCESS_64 } else { ffa::SUCCESS },
    ))
}

/// A 64-bit call of a normal world with a version below 1.2 crosses with x0-x7. Its x8-x17 stay unchanged.
fn forward_64_below() -> Outcome {
    cores::on_each(|core| {
        for function in [ffa::RXTX_MAP, ffa::MEM_SHARE, ffa::MEM_DONATE].map(|f| f | ffa::SMC64) {
            let sent = sent(function, core);
            let got = smc::call(sent);
            let answer = answered(function, core, SUCCESS_64);
            for n in 0..8 {
                ensure_eq!(
                    got.x(n),
                    answer.x(n),
                    "x{n} of the answer to {}",
                    ffa::name(function)
                );
            }
            for n in 8..18 {
                ensure_eq!(got.x(n), sent.x(n), "x{n} after {}", ffa::name(function));
            }
        }
        Ok(())
    })
}

fn check_and_answer_below(s: &Secure, message: &Regs) -> Option<Regs> {
    let function = message.function();
    if function == ffa::INTERRUPT {
        return None;
    }
    for n in 8..18 {
        s.expect_eq(
            message.x(n),
            0,
            "x8-x17 of a 64-bit call from a caller below 1.2",
        );
    }
    Some(answered(function, s.core, SUCCESS_64))
}

/// Functions that the normal world must not call return NOT_SUPPORTED and never reach the SPMC.
fn refused_normal() -> Outcome {
    cores::on_each(|core| {
        let mut refused = [0; 128];
        let mut len = 0;
        let mut add = |id: u32| {
            refused[len] = id;
            len += 1;
        };
        for (function, has, normal, _) in rows() {
            if !normal || has == Only64 {
                add(function);
            }
            if !normal || has == Only32 {
                add(function | ffa::SMC64);
            }
        }
        for id in NOBODYS {
            add(id);
            add(id | ffa::SMC64);
        }
        for id in [
            ffa::ABORT,
            ffa::ABORT | ffa::SMC64,
            ffa::DIRECT_REQ2,
            ffa::DIRECT_RESP2,
        ] {
            add(id);
        }
        for id in [ffa::VERSION, ffa::FEATURES, ffa::ID_GET, ffa::SPM_ID_GET] {
            add(id | ffa::SMC64);
        }
        for &id in &refused[..len] {
            let regs = Regs::filled(id, core, 5);
            let got = smc::call(regs);
            if got.0[..8] != ffa::error(ffa::NOT_SUPPORTED).0[..8] {
                crate::fail!(
                    "{} ({id:#x}): {got}, should be FFA_ERROR NOT_SUPPORTED",
                    ffa::name(id)
                );
            }
            for n in 8..18 {
                ensure_eq!(
                    got.x(n),
                    regs.x(n),
                    "x{n} after {} ({id:#x})",
                    ffa::name(id)
                );
            }
        }
        // There is no request that this response could answer.
        for id in [ffa::DIRECT_RESP, ffa::DIRECT_RESP | ffa::SMC64] {
            let got = ffa::call(id, &[ffa::route(0, ffa::SPMC)]);
            ffa::expect_error(&got, ffa::DENIED, "FFA_MSG_SEND_DIRECT_RESP")?;
        }
        Ok(())
    })
}

fn never(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::INTERRUPT {
        s.fail(format_args!("a call that crosses from no world: {message}"));
    }
    None
}

fn refused_secure_normal() -> Outcome {
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

/// Functions that the SPMC must not call return NOT_SUPPORTED, in the middle of a request of the normal world.
fn refused_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    let try_one = |id: u32, code: i32| {
        let mut regs = Regs::filled(id, s.core, 6);
        regs.0[1] = ffa::route(ffa::SPMC, 1);
        regs.0[2] = 0;
        let got = smc::call(regs);
        if got.0[..8] != ffa::error(code).0[..8] || got.0[8..] != regs.0[8..] {
            s.fail(format_args!(
                "{} ({id:#x}): {got}, should be FFA_ERROR {code}",
                ffa::name(id)
            ));
        }
    };
    for (function, has, _, secure) in rows() {
        if !secure || has == Only64 {
            try_one(function, ffa::NOT_SUPPORTED);
        }
        if !secure || has == Only32 {
            try_one(function | ffa::SMC64, ffa::NOT_SUPPORTED);
        }
    }
    for id in NOBODYS {
        try_one(id, ffa::NOT_SUPPORTED);
        try_one(id | ffa::SMC64, ffa::NOT_SUPPORTED);
    }
    for id in [ffa::DIRECT_REQ, ffa::DIRECT_REQ | ffa::SMC64] {
        try_one(id, ffa::DENIED);
    }
    let both = config::ffa_version().min(spmc::version());
    let code = if both >= 0x1_0002 {
        ffa::DENIED
    } else {
        ffa::NOT_SUPPORTED
    };
    try_one(ffa::DIRECT_REQ2 | ffa::SMC64, code);
    None
}

/// FFA_FEATURES, called by the SPMC, reports every function and convention correctly.
fn features_table(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    let ask = |id: u32, supported: bool| {
        let got = ffa::call(ffa::FEATURES, &[u64::from(id)]);
        if supported && got.function() != ffa::SUCCESS {
            s.fail(format_args!(
                "FFA_FEATURES({} {id:#x}): {got}, should be SUCCESS",
                ffa::name(id)
            ));
        }
        if !supported && got.0[..8] != ffa::error(ffa::NOT_SUPPORTED).0[..8] {
            s.fail(format_args!(
                "FFA_FEATURES({} {id:#x}): {got}, should be NOT_SUPPORTED",
                ffa::name(id)
            ));
        }
    };
    for (function, has, _, secure) in rows() {
        ask(function, secure && has != Only64);
        ask(function | ffa::SMC64, secure && has != Only32);
    }
    for id in NOBODYS {
        ask(id, false);
        ask(id | ffa::SMC64, false);
    }
    for id in [ffa::VERSION, ffa::FEATURES, ffa::ID_GET, ffa::SPM_ID_GET] {
        ask(id, spmc::version() >= since(id));
        ask(id | ffa::SMC64, false);
    }
    for id in [ffa::DIRECT_RESP, ffa::DIRECT_RESP | ffa::SMC64] {
        ask(id, true);
    }
    ask(
        ffa::DIRECT_RESP2 | ffa::SMC64,
        spmc::version() >= since(ffa::DIRECT_RESP2),
    );
    None
}
