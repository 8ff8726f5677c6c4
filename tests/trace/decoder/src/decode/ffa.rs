//! FF-A (DEN0077A), by the dispatcher's own tables.

use super::{Regs, Words, error, function_name, hex, psci, uuid, version};
use janus_arm::{SMC64, SVE_HINT};
use janus_spmd::names::{self, Argument, ArgumentKind};
use std::borrow::Cow;

/// Bit 31 of w2: a framework message.
const FRAMEWORK: u32 = 1 << 31;
/// From here on IDs are those of EL3: its logical partitions and the SPMD.
const EL3_IDS: u16 = *janus_spmd::PARTITION_IDS.start();

const ERROR: u8 = 0x60;
const SUCCESS: u8 = 0x61;
const INTERRUPT: u8 = 0x62;
const VERSION: u8 = 0x63;
const DIRECT_REQ: u8 = 0x6f;
const DIRECT_RESP: u8 = 0x70;
const CONSOLE_LOG: u8 = 0x8a;
const PARTITION_INFO_GET_REGS: u8 = 0x8b;
const DIRECT_REQ2: u8 = 0x8d;
const DIRECT_RESP2: u8 = 0x8e;

/// The function number of a function ID of FF-A.
pub fn number(id: u32) -> Option<u8> {
    janus_spmd::is_ffa(id).then_some(id as u8)
}

/// Sender and receiver in w1.
fn endpoints(regs: &Regs) -> (u16, u16) {
    ((regs[1] >> 16) as u16, regs[1] as u16)
}

/// Returns whether the registers that the SPMC is entered with are a request of EL3, not an answer to a call of
/// the SPMC.
pub fn is_el3_request(regs: &Regs) -> bool {
    match number(regs[0] as u32) {
        Some(INTERRUPT) => true,
        Some(DIRECT_REQ | DIRECT_REQ2) => endpoints(regs).0 >= EL3_IDS,
        Some(PARTITION_INFO_GET_REGS) => true,
        _ => false,
    }
}

/// Returns whether registers are FFA_INTERRUPT.
pub fn is_interrupt(regs: &Regs) -> bool {
    number(regs[0] as u32) == Some(INTERRUPT)
}

/// Decodes a call, if it is FF-A's.
pub fn call(regs: &Regs) -> Option<Words> {
    let id = regs[0] as u32;
    let number = number(id)?;
    let wide = id & SMC64 != 0;
    let Some(row) = names::row(number) else {
        let mut words = Words::named(format!("FFA {id:#x}"));
        words.payload(regs, 1..8, wide);
        return Some(words);
    };
    let mut words = Words::named(name(row.name, wide && has_both(row)));
    match number {
        ERROR => {
            let status = status(regs[2] as u32 as i32);
            words.fields.push(("".into(), status.clone().into_owned()));
            words.error = Some(status);
        }
        DIRECT_REQ | DIRECT_RESP => direct(&mut words, regs, wide),
        DIRECT_REQ2 | DIRECT_RESP2 => {
            words.ids = Some(endpoints(regs));
            if number == DIRECT_REQ2 {
                arguments(&mut words, &names::arguments(number)[2..], regs, wide);
            }
            words.payload(regs, 4..18, true);
        }
        _ => {
            arguments(&mut words, names::arguments(number), regs, wide);
            if names::arguments(number).is_empty() {
                words.payload(regs, 1..8, wide);
            }
        }
    }
    if id & SVE_HINT != 0 {
        words.field("hint", "no-live-sve");
    }
    Some(words)
}

/// Decodes the answer to an FF-A call.
pub fn answer(to: &Regs, regs: &Regs) -> Option<Words> {
    let asked = number(to[0] as u32)?;
    if asked == VERSION {
        return Some(match regs[0] as u32 {
            u32::MAX => error("NOT_SUPPORTED"),
            w0 if w0 >> 31 == 0 => Words::named(version(w0)),
            w0 => Words::named(hex(w0.into())),
        });
    }
    let id = regs[0] as u32;
    let wide = id & SMC64 != 0;
    if number(id) == Some(SUCCESS) {
        let mut words = Words::named(name("SUCCESS", wide));
        let fields = names::answer(asked);
        if fields.is_empty() {
            words.payload(regs, 2..8, wide);
        } else {
            arguments(&mut words, fields, regs, wide);
        }
        return Some(words);
    }
    call(regs).or_else(|| Some(Words::named(hex(regs[0]))))
}

/// The function in both conventions is told apart by a suffix, as the specification does it.
fn has_both(row: &janus_spmd::table::Row) -> bool {
    row.conventions != janus_spmd::table::Conventions::Smc64
}

fn name(name: &'static str, wide: bool) -> Cow<'static, str> {
    let suffix = if wide { "_64" } else { "" };
    format!("FFA_{name}{suffix}").into()
}

fn status(code: i32) -> Cow<'static, str> {
    names::status(code).map_or_else(|| code.to_string().into(), Cow::Borrowed)
}

/// A direct message: plain, or one of the framework's.
fn direct(words: &mut Words, regs: &Regs, wide: bool) {
    let (w2, w3) = (regs[2] as u32, regs[3] as u32);
    words.ids = Some(endpoints(regs));
    if w2 & FRAMEWORK == 0 {
        words.payload(regs, 2..8, wide);
        return;
    }
    let Some(message) = names::framework_message(w2) else {
        words.field("", format!("framework message {w2:#x}"));
        words.payload(regs, 3..8, wide);
        return;
    };
    let says = match message {
        "PSCI request" => {
            let mut call = [0; 18];
            call[0] = w3.into();
            call[1..4].copy_from_slice(&regs[4..7]);
            super::call(&call).to_string()
        }
        "power response" => psci::result(w3 as i32).into_owned(),
        "version request" | "version response" if w3 >> 31 == 0 => version(w3),
        "version response" => status(w3 as i32).into_owned(),
        "warm boot" => match w3 {
            0 => "from suspend to RAM".to_owned(),
            1 => "from a low-power state".to_owned(),
            other => hex(other.into()),
        },
        _ if message.starts_with("VM") => {
            let vm = regs[if message.ends_with("response") { 3 } else { 5 }] as u16;
            match message.ends_with("response") {
                true => status_or_success(w3 as i32),
                false => format!(
                    "vm={vm:#06x} handle={:#x}",
                    regs[3] & 0xffff_ffff | regs[4] << 32
                ),
            }
        }
        _ => hex(w3.into()),
    };
    words.field("", format!("{message}: {says}"));
}

fn status_or_success(code: i32) -> String {
    if code == 0 {
        "SUCCESS".into()
    } else {
        status(code).into_owned()
    }
}

/// The arguments that a table names. Those that are zero and say nothing by it are left out.
// The library may get more kinds of arguments: the lint asks for those that are left to the last arm.
#[deny(clippy::wildcard_enum_match_arm)]
fn arguments(words: &mut Words, table: &'static [Argument], regs: &Regs, wide: bool) {
    let mut table = table;
    if let [first, second, rest @ ..] = table
        && (first.name, second.name) == ("sender", "receiver")
    {
        words.ids = Some(endpoints(regs));
        table = rest;
    }
    for argument in table {
        let register = usize::from(argument.register);
        let value = argument.of(regs[register]);
        let next = regs.get(register + 1).copied().unwrap_or(0);
        let text = match argument.kind {
            ArgumentKind::Id => format!("{value:#06x}"),
            ArgumentKind::Status => status(value as u32 as i32).into_owned(),
            ArgumentKind::Version if value as u32 >> 31 == 0 => version(value as u32),
            ArgumentKind::Function if value >> 31 != 0 => function_name(value as u32).into_owned(),
            ArgumentKind::Function | ArgumentKind::Version => {
                let feature = names::feature(value as u32);
                feature.map_or_else(|| hex(value), str::to_owned)
            }
            ArgumentKind::Words => match value & 0xffff_ffff | next << 32 {
                0 => continue,
                bits => format!("{bits:#x}"),
            },
            ArgumentKind::Uuid => match uuid_bytes(regs, register) {
                None => "any".to_owned(),
                Some(bytes) => uuid(&bytes),
            },
            ArgumentKind::Text => text(regs, register, wide),
            ArgumentKind::Number
                if value != 0
                    || matches!(
                        argument.name,
                        "last" | "current" | "partitions" | "characters"
                    ) =>
            {
                value.to_string()
            }
            _ if value == 0 => continue,
            ArgumentKind::IdHigh => match value as u16 {
                0 if value >> 16 == 0 => continue,
                vcpu => format!("{:#06x} vcpu {vcpu}", value >> 16),
            },
            ArgumentKind::Bits(flags) => bits(value, flags),
            ArgumentKind::Address | ArgumentKind::Number => hex(value),
            _ => hex(value),
        };
        words.field(argument.name, text);
    }
}

fn bits(value: u64, flags: &[(u64, &'static str)]) -> String {
    let mut names: Vec<Cow<'static, str>> = Vec::new();
    let mut rest = value;
    for (mask, name) in flags {
        if value & mask != 0 {
            names.push((*name).into());
            rest &= !mask;
        }
    }
    if rest != 0 {
        names.push(format!("{rest:#x}").into());
    }
    names.join("+")
}

/// A UUID in two registers of 64 bits (x1, x2 or x2, x3) or in w1 to w4; `None` if it is nil.
fn uuid_bytes(regs: &Regs, register: usize) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let two = number(regs[0] as u32).is_some_and(|n| n != 0x68);
    if two {
        for (chunk, value) in bytes.chunks_mut(8).zip(&regs[register..]) {
            chunk.copy_from_slice(&value.to_le_bytes());
        }
    } else {
        for (chunk, value) in bytes.chunks_mut(4).zip(&regs[register..]) {
            chunk.copy_from_slice(&(*value as u32).to_le_bytes());
        }
    }
    (bytes != [0; 16]).then_some(bytes)
}

/// The characters of FFA_CONSOLE_LOG.
fn text(regs: &Regs, register: usize, wide: bool) -> String {
    debug_assert_eq!(number(regs[0] as u32), Some(CONSOLE_LOG));
    let size = if wide { 8 } else { 4 };
    let last = if wide { 18 } else { 8 };
    let bytes = regs[register..last]
        .iter()
        .flat_map(|value| value.to_le_bytes().into_iter().take(size));
    let text: Vec<u8> = bytes.take(regs[1] as usize & 0xff).collect();
    format!("{:?}", String::from_utf8_lossy(&text))
}
