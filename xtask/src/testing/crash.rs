//! Bugs in EL3: each must end in a crash report on the console, with the other cores still running.
//!
//! A bug is put into the image as instructions over the first ones of a function, so that the image under test is the
//! one that users get.

use super::Tally;
use super::boots::Setup;
use crate::console::{self, Limits, Uart};
use crate::qemu::Machine;
use crate::{bl31, image, paths, ui};
use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSymbol};
use std::path::Path;

/// A case: one bug.
struct Bug {
    /// The case.
    name: &'static str,
    /// The function with the bug, by its symbol or its path.
    function: &'static str,
    /// The instructions over its first ones.
    instructions: &'static [u32],
    /// Lines for the payloads.
    config: &'static [&'static str],
    /// What the report has to say, in this order.
    says: &'static [&'static str],
}

/// `udf #0`
const UDF: u32 = 0;
/// `sub sp, sp, #1, lsl #12`
const SUB_SP_4096: u32 = 0xd140_07ff;
/// `mov x1, #-1`
const MOV_X1_ONES: u32 = 0x9280_0001;

/// At `power::wake` the second core has just come on and the first one runs the normal world. At `warm_main` the core
/// is about to park, and has no data yet; before `start` the boot core has none either.
const BUGS: &[Bug] = &[
    Bug {
        name: "boot/crash-report",
        function: "janus_bl31::power::wake",
        instructions: &[UDF],
        config: &[],
        says: &[
            "CRASH: synchronous exception in EL3",
            "core 0x1 (number 1), serving the Normal world",
            "esr_el3   0000000002000000",
            "x0  ",
            "x30 ",
            "back trace: ",
            "last calls",
            // The boot core's last call is CPU_ON, answered or not.
            "core 00000000 c4000003 00000001",
            "this core stops here",
        ],
    },
    Bug {
        name: "boot/crash-stack-guard",
        function: "warm_main",
        instructions: &[SUB_SP_4096],
        config: &[],
        says: &[
            "CRASH: synchronous exception in EL3",
            "core 0x1",
            // A data abort, with a translation fault of level 3: the guard page is not mapped.
            "esr_el3   0000000096000047",
            "this core stops here",
        ],
    },
    // The boot, phase by phase.
    Bug {
        name: "boot/crash-without-mmu",
        function: "build_page_tables",
        instructions: &[UDF],
        config: &[],
        says: &[
            "CRASH: synchronous exception in EL3",
            "core 0x0",
            "esr_el3   0000000002000000",
            "this core stops here",
        ],
    },
    Bug {
        name: "boot/crash-set-up",
        function: "janus_bl31::boot::set_up_system",
        instructions: &[UDF],
        config: &[],
        says: &[
            "CRASH: synchronous exception in EL3",
            "core 0x0",
            "this core stops here",
        ],
    },
    Bug {
        name: "boot/crash-before-the-spmc",
        function: "janus_bl31::boot::start",
        instructions: &[UDF],
        config: &[],
        says: &[
            "CRASH: synchronous exception in EL3",
            "core 0x0 (number 0), serving the Normal world",
            "this core stops here",
        ],
    },
    // The crash is in the middle of a line, with the console's lock held.
    Bug {
        name: "boot/crash-while-it-writes",
        function: "<janus_context::policy::Policy as core::fmt::Display>::fmt",
        instructions: &[UDF],
        config: &[],
        says: &[
            "INFO: CPU: ",
            "CRASH: synchronous exception in EL3",
            "core 0x0",
            "this core stops here",
        ],
    },
    // The same on two cores, one after the other: whoever comes second gets as far only if the first gave the lock back.
    Bug {
        name: "boot/crash-gives-the-console-back",
        function: "<janus_spmd::console::Line as core::fmt::Display>::fmt",
        instructions: &[UDF],
        config: &["crash=log"],
        says: &[
            "[spmc] ",
            "CRASH: synchronous exception in EL3",
            "core 0x1",
            "this core stops here",
            "[spmc] ",
            "CRASH: synchronous exception in EL3",
            "core 0x0",
            "this core stops here",
        ],
    },
    Bug {
        name: "boot/crash-panic",
        function: "cold_core_index",
        instructions: &[MOV_X1_ONES],
        config: &[],
        says: &[
            "CRASH: boot: the boot core has an impossible MPIDR",
            "bl31/src/topology.rs",
            "this core stops here",
        ],
    },
];

/// `nop`
const NOP: u32 = 0xd503_201f;

/// A function whose landing pad is missing, in an image that has them: an indirect call must not enter it.
const NO_LANDING_PAD: Bug = Bug {
    name: "boot/crash-landing-pad",
    function: "<janus_bl31::hw::console::Logger as log::Log>::log",
    instructions: &[NOP],
    config: &[],
    says: &[
        "CRASH: synchronous exception in EL3",
        // Branch target exception, from a BLR.
        "esr_el3   0000000036000002",
        "this core stops here",
    ],
};

/// Runs the cases that are asked for.
pub fn run(setup: &Setup) -> Tally {
    let mut tally = Tally::default();
    let hardened = setup.context.args.hardened.then_some(&NO_LANDING_PAD);
    let bugs = BUGS.iter().chain(hardened);
    for bug in bugs.filter(|bug| setup.context.wants(bug.name)) {
        tally.case(bug.name, bug.run(setup));
    }
    tally
}

/// Writes to `to` the image with the bug that stops the boot core before anything else runs.
///
/// # Errors
/// The image does not build, or lacks the function.
pub fn at_boot(setup: &Setup, to: &Path) -> Result<()> {
    let bug = BUGS.last().context("there are bugs")?;
    bug.write(&bl31::elf(&setup.context.build())?, to)?;
    Ok(())
}

impl Bug {
    fn run(&self, setup: &Setup) -> Result<()> {
        let step = ui::step(self.name);
        let dir = paths::out().join("test").join(self.name.replace('/', "_"));
        std::fs::create_dir_all(&dir)?;
        let elf = bl31::elf(&setup.context.build())?;
        let (options, mut images) = setup.images(1)?;
        images.bl31 = dir.join("bl31.bin");
        let at = self.write(&elf, &images.bl31)?;
        let machine = setup.machine(self.name, &options, &images, "boot/", self.config)?;
        let machine = Machine { smp: 2, ..machine };
        let log = paths::out().join(format!("log/qemu-{}.log", self.name.replace('/', "_")));
        let mut running =
            console::start(&setup.qemu, &machine, &log, false, Limits::secs(60, 120))?;
        for text in self.says {
            if let Err(error) = running.expect(Uart::Normal, text) {
                bail!(
                    "the console does not say `{text}`: {error:#}\nlog: {}\n{}",
                    log.display(),
                    running.last_lines()
                );
            }
        }
        if self.instructions == [UDF] {
            ensure!(
                running.normal.contains(&format!("back trace: {at:#x}")),
                "the back trace does not start at {at:#x}, where the bug is (log: {})",
                log.display()
            );
        }
        step.done();
        Ok(())
    }

    /// Writes the flat image of `elf`, with the bug, to `to`; returns the bug's address.
    fn write(&self, elf: &Path, to: &Path) -> Result<u64> {
        let bytes = std::fs::read(elf)?;
        let file = object::File::parse(&*bytes)?;
        let function = file
            .symbols()
            .find(|symbol| {
                let name = symbol.name().unwrap_or_default();
                name == self.function
                    || format!("{:#}", rustc_demangle::demangle(name)) == self.function
            })
            .with_context(|| format!("the image has no function `{}`", self.function))?
            .address();
        let (base, mut flat) = image::loaded(&file)?;
        for (index, instruction) in self.instructions.iter().enumerate() {
            let at = (function - base) as usize + index * 4;
            flat[at..at + 4].copy_from_slice(&instruction.to_le_bytes());
        }
        std::fs::write(to, flat)?;
        Ok(function)
    }
}
