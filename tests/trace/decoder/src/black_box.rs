//! The black box of a console log, in words: what each core asked EL3 last, as Janus' reports show it.
//!
//! A record is `core N FUNCTION W1 = W0 W2` in hexadecimal, `?` for `=` while there is no answer
//! (`bl31/src/black_box.rs`). It may stand anywhere in a line, and its end may be cut off.

use crate::decode::{self, Regs, Words};
use regex::Regex;
use std::fmt::Write as _;

/// Two guesses for registers that were not kept. Words that both guesses lead to are certain.
const UNKNOWN: [u64; 2] = [0, 0x5a5a_5a5a];

/// Marks a function ID of a call that the SPMC made.
const SPMC: u32 = 1 << 17;

/// Returns the records of a log, one per line. `None` if it has no records.
pub fn in_words(log: &str) -> Option<String> {
    let word = r"([0-9a-f]{8})\b";
    let record = format!(r"\bcore {word} {word} {word}(?: ([=?])(?: {word}(?: {word})?)?)?");
    let record = Regex::new(&record).expect("an expression of ours");
    let mut out = String::new();
    for found in record.captures_iter(log) {
        let word = |group| {
            let text = found.get(group)?.as_str();
            u32::from_str_radix(text, 16).ok()
        };
        let (Some(core), Some(function), Some(w1)) = (word(1), word(2), word(3)) else {
            continue;
        };
        let open = found.get(4).is_some_and(|mark| mark.as_str() == "?");
        let who = if function & SPMC == 0 { "NS" } else { "SPMC" };
        let _ = write!(out, "core {core:<3} {who:<4}  ");
        match function {
            1 => out.push_str("IRQ"),
            2 => out.push_str("FIQ"),
            3 => out.push_str("SError"),
            4 | 0x2_0004 => {
                let _ = write!(out, "trap, ESR_EL3 = {w1:#x}");
            }
            5 => {
                let _ = write!(out, "starts at {w1:#x}");
            }
            _ => {
                let function = function & !SPMC;
                let calls = UNKNOWN.map(|unknown| call(function, w1, unknown));
                let _ = write!(out, "{}", common(calls.map(|regs| decode::call(&regs))));
                match (word(5), word(6)) {
                    _ if open => out.push_str("  … no answer"),
                    (Some(0), Some(0)) if who == "SPMC" => {}
                    (Some(w0), w2) => {
                        let guess = |unknown| {
                            let asked = call(function, w1, unknown);
                            decode::answer(&asked, &answer(w0, w2, unknown))
                        };
                        let words = common(UNKNOWN.map(guess));
                        let _ = write!(out, "  ⇒ {words}");
                    }
                    _ => out.push_str("  ⇒ … cut off"),
                }
            }
        }
        out.push('\n');
    }
    (!out.is_empty()).then_some(out)
}

fn call(function: u32, w1: u32, unknown: u64) -> Regs {
    let mut regs = [unknown; 18];
    regs[0] = function.into();
    regs[1] = w1.into();
    regs
}

fn answer(w0: u32, w2: Option<u32>, unknown: u64) -> Regs {
    let mut regs = [unknown; 18];
    // Error codes are small and negative; all else is positive, or a function ID.
    regs[0] = match w0 as i32 {
        code @ -64..=-1 => i64::from(code) as u64,
        _ => w0.into(),
    };
    if let Some(w2) = w2 {
        regs[2] = w2.into();
    }
    regs
}

/// Returns the words that both guesses lead to.
fn common([mut one, other]: [Words; 2]) -> Words {
    one.fields.retain(|field| other.fields.contains(field));
    if one.ids != other.ids {
        one.ids = None;
    }
    if one.name != other.name {
        one.name = "…".into();
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_log() {
        let log = "\
[    1.20] [janus] core 00000000 8400006f 00018003 = 84000060 fffffff9
[janus] ERROR: core 1: the SPMC died
2026-01-01 host tty: [janus] core 0000000a c4000003 00000002 = fffffffe 00000000 tail
> [janus] core 00000001 84020064 84000066 = 84000061 00000000
[janus] core 00000001 00000002 00000000 = 00001234 00000000
[janus] core 00000001 00000005 60000000 = 00000000 00000000
[janus] core 00000001 00020004 62000000 = 00000000 00000000
[janus] core 00000001 84000002 00000000 ? 0e0c2c00 00000000
[janus] core 00000002 8400006f 00018003 = 8400
[janus] core 00000003 8400006f 0001
[janus] core 00000003 84000000 00000000 = 00010001 00000000";
        let words = in_words(log).expect("records");
        assert_eq!(
            words.lines().collect::<Vec<_>>(),
            [
                "core 0   NS    FFA_MSG_SEND_DIRECT_REQ 0x0001 → 0x8003  ⇒ FFA_ERROR RETRY",
                "core 10  NS    CPU_ON_64 core=2  ⇒ INVALID_PARAMETERS",
                "core 1   SPMC  FFA_FEATURES asked=FFA_RXTX_MAP  ⇒ FFA_SUCCESS",
                "core 1   NS    FIQ",
                "core 1   NS    starts at 0x60000000",
                "core 1   SPMC  trap, ESR_EL3 = 0x62000000",
                "core 1   NS    CPU_OFF  … no answer",
                "core 2   NS    FFA_MSG_SEND_DIRECT_REQ 0x0001 → 0x8003  ⇒ … cut off",
                "core 3   NS    PSCI_VERSION  ⇒ 1.1",
            ]
        );
    }

    #[test]
    fn a_log_without_a_report() {
        assert_eq!(in_words("[janus] core 1: no FF-A here\n"), None);
    }
}
