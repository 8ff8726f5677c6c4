//! Registers to words: the name of a call, its arguments, its answer.
//!
//! Names come from the dispatcher's table (`janus_spmd::names`), the power state logic
//! (`janus_psci::names`) and the `smccc` crate; what none of them knows is shown raw.

mod ffa;
mod psci;
mod smccc;

pub use ffa::{is_el3_request, is_interrupt};

use janus_arm::SMC64;
use std::borrow::Cow;
use std::fmt;

/// x0 to x17.
pub type Regs = [u64; 18];

/// A call or an answer in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The name from the specification, or the function ID in hexadecimal.
    pub name: Cow<'static, str>,
    /// Sender and receiver by their FF-A IDs, where it has them.
    pub ids: Option<(u16, u16)>,
    /// Its arguments: name and value.
    pub fields: Vec<(Cow<'static, str>, String)>,
    /// The error in this answer: the status as a name, or as a number if it has none.
    pub error: Option<Cow<'static, str>>,
}

impl Words {
    fn named(name: impl Into<Cow<'static, str>>) -> Words {
        Words {
            name: name.into(),
            ..Words::default()
        }
    }

    fn field(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.fields.push((name.into(), value.into()));
    }

    /// The registers of a payload that are not zero.
    fn payload(&mut self, regs: &Regs, range: std::ops::Range<usize>, wide: bool) {
        for number in range {
            let value = if wide {
                regs[number]
            } else {
                regs[number] & 0xffff_ffff
            };
            if value != 0 {
                let register = if wide { 'x' } else { 'w' };
                self.field(format!("{register}{number}"), hex(value));
            }
        }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some((sender, receiver)) = self.ids {
            write!(f, " {sender:#06x} → {receiver:#06x}")?;
        }
        for (name, value) in &self.fields {
            if name.is_empty() {
                write!(f, " {value}")?;
            } else {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

/// A call in words.
pub fn call(regs: &Regs) -> Words {
    let id = regs[0] as u32;
    None.or_else(|| ffa::call(regs))
        .or_else(|| psci::call(regs))
        .or_else(|| smccc::call(regs))
        .unwrap_or_else(|| {
            let mut words = Words::named(smccc::unknown(id));
            words.payload(regs, 1..8, id & SMC64 != 0);
            words
        })
}

/// The answer in words that `call` (its registers as they were) got.
pub fn answer(call: &Regs, regs: &Regs) -> Words {
    None.or_else(|| ffa::answer(call, regs))
        .or_else(|| psci::answer(call, regs))
        .or_else(|| smccc::answer(call, regs))
        .unwrap_or_else(|| plain_answer(regs, call[0] as u32 & SMC64 != 0))
}

/// The name of a function ID that another call asks about.
pub fn function_name(id: u32) -> Cow<'static, str> {
    let mut regs = [0; 18];
    regs[0] = id.into();
    let name = call(&regs).name;
    if id & SMC64 != 0 && !name.starts_with("0x") && !name.ends_with("_64") {
        return format!("{name}_64").into();
    }
    name
}

/// x0 as it is; −1 is NOT_SUPPORTED in every service (SMCCC, 5.2).
fn plain_answer(regs: &Regs, wide: bool) -> Words {
    if regs[0] as u32 == u32::MAX {
        return error("NOT_SUPPORTED");
    }
    let value = if wide { regs[0] } else { regs[0] & 0xffff_ffff };
    Words::named(hex(value))
}

fn error(name: impl Into<Cow<'static, str>>) -> Words {
    let name = name.into();
    Words {
        error: Some(name.clone()),
        ..Words::named(name)
    }
}

fn version(w: u32) -> String {
    format!("{}.{}", w >> 16 & 0x7fff, w & 0xffff)
}

fn hex(value: u64) -> String {
    match value {
        0..=9 => value.to_string(),
        _ => format!("{value:#x}"),
    }
}

/// A core by its affinity, as `0` or `1.2`: the highest field that counts first.
pub fn affinity(value: u64) -> String {
    let fields = [
        value >> 32 & 0xff,
        value >> 16 & 0xff,
        value >> 8 & 0xff,
        value & 0xff,
    ];
    let first = fields.iter().position(|field| *field != 0).unwrap_or(3);
    let shown: Vec<String> = fields[first..].iter().map(u64::to_string).collect();
    shown.join(".")
}

/// A UUID from its bytes.
fn uuid(bytes: &[u8; 16]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regs(first: &[u64]) -> Regs {
        let mut regs = [0; 18];
        regs[..first.len()].copy_from_slice(first);
        regs
    }

    #[test]
    fn calls_in_words() {
        for (call_regs, text) in [
            (
                &[0x8400_006f, 0x1_8003, 0, 7][..],
                "FFA_MSG_SEND_DIRECT_REQ 0x0001 → 0x8003 w3=7",
            ),
            (
                &[0xc400_006f, 0x1_8003, 0, 1 << 32],
                "FFA_MSG_SEND_DIRECT_REQ_64 0x0001 → 0x8003 x3=0x100000000",
            ),
            (
                &[0x8400_006f, 0xffff_8000, 0x8000_0000, 0x8400_0002],
                "FFA_MSG_SEND_DIRECT_REQ 0xffff → 0x8000 PSCI request: CPU_OFF",
            ),
            (
                &[
                    0xc400_006f,
                    0xffff_8000,
                    0x8000_0000,
                    0xc400_0001,
                    0x1_0000,
                    0x4000_0000,
                    5,
                ],
                "FFA_MSG_SEND_DIRECT_REQ_64 0xffff → 0x8000 PSCI request: CPU_SUSPEND_64 state=0x10000 entry=0x40000000 \
                 context=5",
            ),
            (
                &[0x8400_0070, 0x8000_ffff, 0x8000_0002, 0xffff_fffd],
                "FFA_MSG_SEND_DIRECT_RESP 0x8000 → 0xffff power response: DENIED",
            ),
            (
                &[0x8400_006f, 0xffff_8000, 0x8000_0008, 0x1_0002],
                "FFA_MSG_SEND_DIRECT_REQ 0xffff → 0x8000 version request: 1.2",
            ),
            (&[0x8400_0063, 0x1_0001], "FFA_VERSION version=1.1"),
            (
                &[0x8400_0064, 0x8400_0066],
                "FFA_FEATURES asked=FFA_RXTX_MAP",
            ),
            (
                &[0x8400_0064, 2],
                "FFA_FEATURES asked=schedule receiver interrupt",
            ),
            (&[0x8400_0060, 0, 0xffff_fff9], "FFA_ERROR RETRY"),
            (
                &[0x8400_0062, 0x8002_0001, 0],
                "FFA_INTERRUPT target=0x8002 vcpu 1",
            ),
            (&[0x8400_006d, 0x8002_0001], "FFA_RUN target=0x8002 vcpu 1"),
            (
                &[0x8400_0081, 0x1_8002, 0x1_0003, 5, 1],
                "FFA_NOTIFICATION_SET 0x0001 → 0x8002 \
                 flags=per-vcpu+delay-sri vcpu=1 bitmap=0x100000005",
            ),
            (
                &[0x8400_0068, 0x4c3c_2b1a, 0x1122_3344, 0, 0, 1],
                "FFA_PARTITION_INFO_GET uuid=1a2b3c4c-4433-2211-0000-000000000000 flags=count-only",
            ),
            (
                &[0x8400_008a, 2, 0x6968],
                "FFA_CONSOLE_LOG characters=2 text=\"hi\"",
            ),
            (&[0x8401_006b], "FFA_MSG_WAIT hint=no-live-sve"),
            (&[0x8400_00a0, 3], "FFA 0x840000a0 w1=3"),
            (
                &[0xc400_0003, 0x1_0203, 0x4000_0000, 9],
                "CPU_ON_64 core=1.2.3 entry=0x40000000 context=9",
            ),
            (&[0x8400_0002], "CPU_OFF"),
            (
                &[0x8400_000a, 0x8400_0001],
                "PSCI_FEATURES asked=CPU_SUSPEND",
            ),
            (
                &[0x8400_000a, 0xc400_0001],
                "PSCI_FEATURES asked=CPU_SUSPEND_64",
            ),
            (
                &[0x8000_0001, 0x8000_8000],
                "SMCCC_ARCH_FEATURES asked=SMCCC_ARCH_WORKAROUND_1",
            ),
            (&[0xc400_0053, 128], "TRNG_RND_64 bits=128"),
            (
                &[0x8400_00f2, 1_319_367],
                "EM_CPU_ERRATUM_FEATURES erratum=1319367",
            ),
            (&[0xc400_02e5, 2, 1], "LFA_ACTIVATE_64 component=2"),
            (
                &[0xc400_02e1, 0xc400_02e4],
                "LFA_FEATURES_64 asked=LFA_PRIME_64",
            ),
            (&[0xc400_02e7, 2], "Standard Secure service 0xc40002e7 x1=2"),
            (&[0x8400_ff01], "Standard Secure service: call UID"),
            (&[0xb200_0004, 1], "Trusted OS 0xb2000004 w1=1"),
            (&[0xc200_0001, 1], "SiP 0xc2000001 x1=1"),
            (&[0xffff_ffff], "0xffffffff"),
        ] {
            assert_eq!(call(&regs(call_regs)).to_string(), text);
        }
    }

    #[test]
    fn answers_in_words() {
        for (call_regs, answer_regs, text, is_error) in [
            (&[0x8400_0063, 0x1_0002][..], &[0x1_0001][..], "1.1", false),
            (
                &[0x8400_0063, 0x1_0002],
                &[0xffff_ffff],
                "NOT_SUPPORTED",
                true,
            ),
            (
                &[0x8400_0069],
                &[0x8400_0061, 0, 3],
                "FFA_SUCCESS id=0x0003",
                false,
            ),
            (
                &[0x8400_0069],
                &[0x8400_0060, 0, 0xffff_ffff],
                "FFA_ERROR NOT_SUPPORTED",
                true,
            ),
            (
                &[0x8400_0082, 1],
                &[0x8400_0061, 0, 1, 2, 0, 0, 3],
                "FFA_SUCCESS from-sps=0x200000001 from-spm=3",
                false,
            ),
            (
                &[0xc400_008b],
                &[
                    0xc400_0061,
                    0,
                    0x18_0000_0000_0000,
                    0x1_0003_0000_0000 | 0x1_8001,
                ],
                "FFA_SUCCESS_64 last=0 current=0 size=24 id=0x8001 contexts=1 \
                 properties=receives-direct-req+sends-direct-req+0x10000",
                false,
            ),
            (
                &[0x8400_006f, 0x1_8003],
                &[0x8400_0070, 0x8003_0001, 0, 4],
                "FFA_MSG_SEND_DIRECT_RESP 0x8003 → 0x0001 w3=4",
                false,
            ),
            (&[0xc400_02e4, 0], &[0, 1], "SUCCESS again=1", false),
            (
                &[0xc400_02e5, 0],
                &[-9_i64 as u64],
                "COMPONENT_WRONG_STATE",
                true,
            ),
            (&[0xc400_02e0], &[0x1_0000], "1.0", false),
            (&[0xc400_0003, 1], &[0], "SUCCESS", false),
            (
                &[0xc400_0003, 1],
                &[0xffff_ffff_ffff_fffc],
                "ALREADY_ON",
                true,
            ),
            (&[0xc400_0004, 1], &[1], "OFF", false),
            (&[0x8400_0000], &[0x1_0003], "1.3", false),
            (&[0x8000_0000], &[0x1_0005], "1.5", false),
            (
                &[0x8000_0001, 0x8000_8000],
                &[0xffff_ffff_ffff_ffff],
                "NOT_SUPPORTED",
                true,
            ),
            (&[0x8400_0053, 96], &[0xffff_fffd], "NO_ENTROPY", true),
            (&[0x8400_00f2, 1], &[2], "NOT_AFFECTED", false),
            (&[0xb200_0004], &[0x77], "0x77", false),
        ] {
            let answer = answer(&regs(call_regs), &regs(answer_regs));
            assert_eq!(
                (answer.to_string().as_str(), answer.error.is_some()),
                (text, is_error)
            );
        }
    }

    #[test]
    fn any_registers_can_be_shown() {
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                seed >> 20
            };
            let mut a: Regs = std::array::from_fn(|_| next());
            let b: Regs = std::array::from_fn(|_| next());
            a[0] = 0x8400_0000 | next() & 0x4001_00ff;
            assert!(!call(&a).to_string().is_empty() && !answer(&a, &b).name.is_empty());
        }
    }
}
