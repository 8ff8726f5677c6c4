//! PSCI (DEN0022), by the names of `janus_psci`.

use super::{Regs, Words, affinity, error, function_name, hex, version};
use janus_arm::SMC64;
use janus_psci::names::{self, ParameterKind};
use janus_psci::psci::PSCI_VERSION;
use std::borrow::Cow;

/// Decodes a call, if it is PSCI's.
// The library may get more kinds of parameters: the lint asks for those that are left to the last arm.
#[deny(clippy::wildcard_enum_match_arm)]
pub fn call(regs: &Regs) -> Option<Words> {
    let id = regs[0] as u32;
    let (name, parameters) = names::function(id)?;
    let wide = id & SMC64 != 0;
    let mut words = Words::named(if wide {
        Cow::Owned(format!("{name}_64"))
    } else {
        Cow::Borrowed(name)
    });
    for ((name, kind), value) in parameters.iter().zip(&regs[1..]) {
        let value = if wide { *value } else { value & 0xffff_ffff };
        words.field(
            *name,
            match kind {
                ParameterKind::Affinity => affinity(value),
                ParameterKind::Function => function_name(value as u32).into_owned(),
                ParameterKind::Number | ParameterKind::Address | ParameterKind::PowerState => {
                    hex(value)
                }
                _ => hex(value),
            },
        );
    }
    Some(words)
}

/// Decodes the answer to a PSCI call.
pub fn answer(to: &Regs, regs: &Regs) -> Option<Words> {
    let id = to[0] as u32;
    names::function(id)?;
    let w0 = regs[0] as u32;
    // Statistics are the only values that fill the register.
    if (w0 as i32) < 0
        && (id & SMC64 == 0 || regs[0] as i64 == i64::from(w0 as i32) || regs[0] >> 32 == 0)
    {
        return Some(error(result(w0 as i32)));
    }
    Some(match names::answer(id, w0) {
        Some(name) => Words::named(name),
        None if id == PSCI_VERSION => Words::named(version(w0)),
        None => Words::named(hex(if id & SMC64 != 0 { regs[0] } else { w0.into() })),
    })
}

/// Names a PSCI status.
pub fn result(code: i32) -> Cow<'static, str> {
    match code {
        0 => "SUCCESS".into(),
        _ => names::error(code).map_or_else(|| code.to_string().into(), Cow::Borrowed),
    }
}
