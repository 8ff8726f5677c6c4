//! `cargo xtask fuzz`: random calls from both worlds on all cores at once, and checks of the machine afterwards
//! (tests/payload/src/cases/fuzz).

use crate::cli::{BuildArgs, Plat};
use crate::console::Limits;
use crate::qemu::Machine;
use crate::testing::boots::Setup;
use crate::testing::{Context, Tally, TestArgs, payload};
use crate::{fuzz_host, paths, tfa, ui};
use anyhow::{Context as _, Result};
use clap::Args;
use std::time::{SystemTime, UNIX_EPOCH};

/// What to fuzz, and for how long.
#[derive(Args, Clone)]
pub struct FuzzArgs {
    #[command(flatten)]
    build: BuildArgs,
    /// Run a coverage-guided target on the host instead of a machine: manifest, parameters, transfer-list, dispatcher,
    /// or `all`.
    #[arg(long, value_name = "NAME", value_parser = target)]
    pub target: Option<String>,
    /// Stop after this many seconds of the machine's time.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// The seed that a failed run printed. The calls are then those of that run, in an order that depends on the seed
    /// alone (-icount).
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Begin with this round, as a failed run printed it. What earlier rounds left behind on a core is missing then.
    #[arg(long, value_name = "R", default_value_t = 1)]
    pub first: u64,
    /// Stop after this many rounds.
    #[arg(long, value_name = "N")]
    pub rounds: Option<u64>,
    /// Stop after so many calls of the normal world.
    #[arg(long, value_name = "N")]
    pub calls: Option<u64>,
    /// The exception level of the test SPMC; without it, 2, or 1 on a CPU model without S-EL2.
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub spmc_el: Option<u8>,
    /// QEMU's CPU model, with properties.
    #[arg(long, value_name = "MODEL", default_value = "max")]
    pub cpu: String,
    /// Number of cores.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub smp: u32,
}

/// Checks the name of a target; `all` is one.
fn target(text: &str) -> Result<String, String> {
    if text == "all" || fuzz_host::TARGETS.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "write `all` or one of: {}",
            fuzz_host::TARGETS.join(", ")
        ))
    }
}

/// CPU models of QEMU that have no S-EL2.
const NO_SEL2: [&str; 8] = [
    "cortex-a35",
    "cortex-a53",
    "cortex-a55",
    "cortex-a57",
    "cortex-a72",
    "cortex-a76",
    "neoverse-n1",
    "a64fx",
];

/// Fuzzes as the command line says; returns `false` if something was found.
///
/// # Errors
/// The machine cannot be made.
pub fn run(args: &FuzzArgs) -> Result<bool> {
    if let Some(target) = &args.target {
        let filter = if target == "all" { "" } else { target };
        let tally = fuzz_host::run(filter, args.seconds, args.seed)?;
        println!("{tally}");
        return Ok(tally.failed == 0);
    }
    let context = Context {
        args: TestArgs::of(&args.build),
        filter: String::new(),
    };
    let tally = once(&context, args)?;
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// The runs of `cargo xtask test fuzz`.
///
/// # Errors
/// See [`run`].
pub fn test(context: &Context) -> Result<Tally> {
    let mut tally = Tally::default();
    for spmc_el in [2, 1] {
        if !context.wants(&name(spmc_el, "max")) {
            continue;
        }
        tally.add(once(
            context,
            &FuzzArgs {
                build: context.build(),
                target: None,
                seconds: 30 * u64::from(context.rounds()),
                seed: None,
                first: 1,
                rounds: None,
                calls: None,
                spmc_el: Some(spmc_el),
                cpu: "max".to_owned(),
                smp: 4,
            },
        )?);
    }
    Ok(tally)
}

fn name(spmc_el: u8, cpu: &str) -> String {
    format!("fuzz, S-EL{spmc_el}, {cpu}")
}

fn once(context: &Context, args: &FuzzArgs) -> Result<Tally> {
    tfa::ensure_tools()?;
    let model = args.cpu.split(',').next().unwrap_or_default();
    let usual = if NO_SEL2.contains(&model) { 1 } else { 2 };
    let spmc_el = args.spmc_el.unwrap_or(usual);
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = match args.seed {
        Some(seed) => seed,
        None => time.context("the clock is before 1970")?.as_micros() as u64 & 0xffff_ffff,
    };
    let setup = Setup::new(context, args.build.plat)?;
    let (options, images) = setup.images(spmc_el)?;
    let name = name(spmc_el, &args.cpu);
    let mut config = vec![
        "fuzz=on".to_owned(),
        format!("seed={seed}"),
        format!("seconds={}", args.seconds),
        format!("first={}", args.first),
    ];
    config.extend(args.rounds.map(|rounds| format!("fuzz-rounds={rounds}")));
    config.extend(args.calls.map(|calls| format!("fuzz-calls={calls}")));
    let config: Vec<&str> = config.iter().map(String::as_str).collect();
    // Fixed, unlike the arguments of the tests' machines: the run is the same on every host, however busy.
    let fixed = format!("-icount shift=4,sleep=off -seed {}", seed & 0xffff_ffff);
    let extra = match args.seed {
        Some(_) => fixed.split(' ').map(str::to_owned).collect(),
        None => Vec::new(),
    };
    let machine = Machine {
        cpu: args.cpu.clone(),
        smp: args.smp,
        extra,
        ..setup.machine(&name, &options, &images, "fuzz/", &config)?
    };
    // Under -icount the machine's time is not the host's.
    let limits = Limits::secs(180, args.seconds * 20 + 300);
    let mut report = payload::run_within(&name, &setup.qemu, &machine, limits)?;
    let log = paths::out().join(format!(
        "log/qemu-{}.log",
        name.replace([' ', ',', '/'], "_")
    ));
    let said = std::fs::read_to_string(&log)?;
    if said.contains("CRASH:") {
        report.tally.failed += 1;
        eprintln!("FAIL  {name}: EL3 crashed (log: {})", log.display());
    }
    for line in ["fuzz: seed", "spmc: fuzz: "] {
        if let Some(last) = said.lines().rfind(|l| l.contains(line)) {
            ui::say(last);
        }
    }
    if report.tally.failed > 0 {
        let el = spmc_el;
        let (cpu, smp) = (&args.cpu, args.smp);
        let plat = match args.build.plat {
            Plat::Qemu => "",
            Plat::Fvp => " --plat fvp",
        };
        ui::say(format!(
            "again: cargo xtask fuzz{plat} --seed {seed} --spmc-el {el} --cpu {cpu} --smp {smp}"
        ));
    }
    Ok(report.tally)
}
