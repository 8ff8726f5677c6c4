//! Cases in which the SPMC fails on one core: this core is without FF-A, everything else goes on.

use crate::arch::{gic, timer};
use crate::cases::psci::suspend::suspend_and_wake;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{cores, ffa, irq, psci};
use crate::{ensure, ensure_eq};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("ffa/abort", abort)
        .secure(abort_secure)
        .needs(Needs::CORES.union(Needs::JANUS).union(Needs::LAST))
        .in_boot("spmc", "v1.3"),
    Case::new("ffa/boot-error-secondary", boot_error_secondary)
        .needs(Needs::CORES.union(Needs::JANUS))
        .in_boot("spmc", "boot-error-1"),
    Case::new("ffa/stuck", stuck)
        .secure(stuck_secure)
        .needs(Needs::CORES.union(Needs::JANUS).union(Needs::LAST))
        .in_boot("spmc", "stuck"),
];

/// The value that tells the SPMC to abort.
const ABORT: u64 = 0xdead;

fn echo(n: u64) -> Regs {
    ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, n])
}

/// PSCI works on all cores, FF-A on all cores but `victim`.
fn others_go_on(victim: usize) -> Outcome {
    cores::on(victim, |_| {
        for function in [ffa::DIRECT_REQ, ffa::RXTX_MAP, ffa::PARTITION_INFO_GET] {
            let got = ffa::call(function, &[ffa::route(0, ffa::SPMC)]);
            ensure_eq!(
                got.function(),
                ffa::ERROR,
                "{} on a core without its SPMC",
                ffa::name(function)
            );
        }
        ensure_eq!(psci::affinity_info(victim), 0, "AFFINITY_INFO");
        Ok(())
    })?;
    for core in (0..cores::count()).filter(|&n| n != victim) {
        cores::on(core, |n| {
            let got = echo(n as u64);
            ensure_eq!(
                got.function(),
                ffa::DIRECT_RESP,
                "direct request on a core whose SPMC is well"
            );
            ensure_eq!(got.x(3), n as u64, "its echo");
            Ok(())
        })?;
    }
    for core in cores::others().filter(|&n| n != victim) {
        cores::turn_off(core)?;
        cores::turn_on(core)?;
    }
    Ok(())
}

/// A Secure Group 1 SGI that has no other use, an SGI of the normal world, and an SPI of no device.
const SECURE_SGI: u32 = 9;
const NORMAL_SGI: u32 = 3;
const SECURE_SPI: u32 = 100;

/// The value that asks the SPMC how often the SPI came.
const COUNT: u64 = 0xc0;

/// The SPMC calls FFA_ABORT on one core while it handles an interrupt and a secure SPI is pending for the core. The
/// caller gets ABORTED, the core's normal world gets its interrupts, and the SPI goes to a core whose SPMC lives.
fn abort() -> Outcome {
    let victim = cores::another();
    cores::on(victim, |n| {
        ffa::expect_error(
            &echo(ABORT),
            ffa::ABORTED,
            "the request during which the SPMC aborted",
        )?;
        irq::install(NORMAL_SGI, irq::count_only);
        let before = irq::count(n, NORMAL_SGI);
        gic::enable(n, NORMAL_SGI);
        gic::send_sgi(n, NORMAL_SGI);
        let came = timer::wait_until(5, || irq::count(n, NORMAL_SGI) > before);
        gic::disable(n, NORMAL_SGI);
        ensure!(came, "no interrupt comes to the normal world of the core");
        Ok(())
    })?;
    let came = timer::wait_until(5, || echo(COUNT).x(4) == 1);
    ensure!(came, "the SPI does not come to a core whose SPMC lives");
    others_go_on(victim)
}

fn abort_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    static SPIS: AtomicU64 = AtomicU64::new(0);
    match message.function() {
        ffa::DIRECT_REQ if message.x(3) == ABORT => {
            gic::send_sgi(s.core, SECURE_SGI);
            timer::wait_until(1, || gic::pending_lines() != 0);
            let intid = gic::acknowledge();
            s.expect_eq(intid.into(), SECURE_SGI.into(), "INTID of secure Group 1");
            gic::enable_secure_group1(s.core, SECURE_SPI);
            gic::set_pending(s.core, SECURE_SPI, true);
            let got = ffa::call(ffa::ABORT, &[]);
            s.fail(format_args!("FFA_ABORT came back: {got}"));
            None
        }
        ffa::DIRECT_REQ if message.x(3) == COUNT => {
            Some(ffa::response(message, &[COUNT, SPIS.load(SeqCst)]))
        }
        ffa::INTERRUPT => {
            if spmc::interrupt(s) == SECURE_SPI {
                SPIS.fetch_add(1, SeqCst);
            }
            Some(ffa::request(ffa::NORMAL_WORLD_RESUME, &[]))
        }
        _ => None,
    }
}

/// The SPMC of core 1 answered its boot with FFA_ERROR.
fn boot_error_secondary() -> Outcome {
    cores::on(1, |_| {
        ffa::expect_error(
            &echo(1),
            ffa::NOT_SUPPORTED,
            "a request to an SPMC that did not boot here",
        )
    })?;
    others_go_on(1)
}

/// The value that has the SPMC get stuck on this core at its next framework message.
const STICK: u64 = 0x571c;

/// An SPMC that has panicked repeats one call for ever, whatever it is asked. CPU_OFF, a suspend and FFA_VERSION work
/// on this core as if it had no SPMC, and from then on it has none. In the boot with the oddity `stuck`, SYSTEM_OFF
/// meets such an SPMC, too.
fn stuck() -> Outcome {
    let deeds: [fn(usize) -> Outcome; 3] = [
        |core| {
            cores::turn_off(core)?;
            cores::turn_on(core)
        },
        suspend_and_wake,
        |core| {
            cores::on(core, |_| {
                let got = ffa::call(ffa::VERSION, &[0x1_0002]);
                ensure_eq!(got.x(0) as u32, u32::MAX, "w0 of FFA_VERSION");
                Ok(())
            })
        },
    ];
    for (victim, deed) in cores::others().zip(deeds) {
        cores::on(victim, |_| {
            ensure_eq!(echo(STICK).function(), ffa::DIRECT_RESP, "answer");
            Ok(())
        })?;
        deed(victim)?;
        cores::on(victim, |_| {
            ffa::expect_error(&echo(1), ffa::NOT_SUPPORTED, "a request to a stuck SPMC")
        })?;
    }
    let got = echo(2);
    ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer on the boot core");
    Ok(())
}

fn stuck_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    static STUCK: AtomicU64 = AtomicU64::new(0);
    let bit = 1 << s.core;
    match message.function() {
        ffa::DIRECT_REQ if message.x(3) == STICK => drop(STUCK.fetch_or(bit, SeqCst)),
        _ if message.x(2) & ffa::FRAMEWORK != 0 && STUCK.load(SeqCst) & bit != 0 => {
            spmc::stay_stuck();
        }
        _ => {}
    }
    None
}
