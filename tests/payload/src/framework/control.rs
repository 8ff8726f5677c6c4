//! Control messages from the hypervisor to the SPMC: which case runs, and what the SPMC has found wrong.
//!
//! They are direct requests (64-bit) with [`MAGIC`] in x3, an operation in x4 and its argument in x5. The answer has
//! the magic in x3, too. They use x0-x7 only, so that they work at every FF-A version.

use super::regs::Regs;
use super::text::Text;
use super::{ffa, spmc};
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use spin::Mutex;

/// x3 of a control message: "JANUSCTL".
const MAGIC: u64 = u64::from_be_bytes(*b"JANUSCTL");

/// Begins the case with the index in x5.
const BEGIN: u64 = 1;
/// Ends the case. x4 of the answer is the length in bytes of the text about what went wrong.
const END: u64 = 2;
/// Reads 16 bytes of that text, from offset x5 on, in x4-x5 of the answer.
const READ: u64 = 3;
/// Asks for the SPMC's exception level (x4 of the answer), and for the cores on which it was entered (x5).
const WHO: u64 = 4;

/// No case is selected.
const NO_CASE: usize = usize::MAX;

// The secure world's side.
static CASE: AtomicUsize = AtomicUsize::new(NO_CASE);
static FAILURE: Mutex<Text> = Mutex::new(Text::new());

/// Returns the index of the case that runs, on the SPMC's side.
pub fn current_case() -> Option<usize> {
    Some(CASE.load(SeqCst)).filter(|&c| c != NO_CASE)
}

/// Records what the SPMC found wrong. Only the first text is kept.
pub fn record_failure(text: Text) {
    let mut failure = FAILURE.lock();
    if failure.is_empty() {
        *failure = text;
    }
}

/// Returns whether `message` is a control message.
pub fn is_control(message: &Regs) -> bool {
    message.function() == ffa::DIRECT_REQ | ffa::SMC64 && message.x(2) == 0 && message.x(3) == MAGIC
}

/// Returns the SPMC's answer to a control message.
pub fn answer(message: &Regs) -> Regs {
    let (x4, x5) = match message.x(4) {
        BEGIN => {
            *FAILURE.lock() = Text::new();
            CASE.store(message.x(5) as usize, SeqCst);
            (0, 0)
        }
        END => {
            CASE.store(NO_CASE, SeqCst);
            (FAILURE.lock().as_str().len() as u64, 0)
        }
        READ => {
            let text = *FAILURE.lock();
            let word = |from: usize| {
                let mut bytes = [0; 8];
                let tail = text.as_str().as_bytes().get(from..).unwrap_or(&[]);
                let n = tail.len().min(8);
                bytes[..n].copy_from_slice(&tail[..n]);
                u64::from_le_bytes(bytes)
            };
            let from = message.x(5) as usize;
            (word(from), word(from + 8))
        }
        WHO => (crate::arch::cpu::el(), spmc::cores_seen()),
        _ => (u64::MAX, 0),
    };
    ffa::response(message, &[MAGIC, x4, x5])
}

/// Sends a control message. Returns x4 and x5 of the answer.
fn send(operation: u64, argument: u64) -> Result<(u64, u64), Text> {
    let id = ffa::DIRECT_REQ | ffa::SMC64;
    let got = ffa::call(
        id,
        &[
            ffa::route(ffa::HYPERVISOR, ffa::SPMC),
            0,
            MAGIC,
            operation,
            argument,
        ],
    );
    if got.function() == ffa::DIRECT_RESP | ffa::SMC64 && got.x(3) == MAGIC {
        Ok((got.x(4), got.x(5)))
    } else {
        Err(Text::of(format_args!(
            "the SPMC does not answer the framework's message {operation}: {got}"
        )))
    }
}

/// Tells the SPMC which case begins.
pub fn begin(case: usize) -> Result<(), Text> {
    send(BEGIN, case as u64).map(|_| ())
}

/// Tells the SPMC that the case is over. Returns what the SPMC found wrong, which is empty if nothing was wrong.
pub fn end() -> Result<Text, Text> {
    let (len, _) = send(END, 0)?;
    let mut text = Text::new();
    for from in (0..len).step_by(16) {
        let (a, b) = send(READ, from)?;
        let bytes = [a.to_le_bytes(), b.to_le_bytes()];
        bytes
            .as_flattened()
            .iter()
            .take((len - from) as usize)
            .for_each(|&byte| text.push(byte));
    }
    Ok(text)
}

/// Returns the SPMC's exception level, and a bit for each core on which it was entered.
pub fn who() -> Result<(u64, u64), Text> {
    send(WHO, 0)
}
