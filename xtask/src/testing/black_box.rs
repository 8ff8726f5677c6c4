//! The last calls of all cores, which EL3 prints when the SPMC ends, and which `cargo xtask trace --console` puts into
//! words.

use super::boots::Setup;
use super::{Tally, payload};
use crate::trace;
use anyhow::{Result, ensure};

/// A case: a boot whose console has such a report.
struct Case {
    /// The case.
    name: &'static str,
    /// The SPMC's oddity, which ends it.
    oddity: &'static str,
    /// The payloads' case that runs.
    case: &'static str,
    /// What the console says before the report.
    says: &'static str,
    /// Lines of the report in words, in this order. `…` stands for any text.
    words: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "boot/black-box-spmc-died",
        oddity: "spmc=stuck",
        case: "ffa/stuck",
        says: "the SPMC died",
        words: &[
            // What the other cores did. How far core 0 has come by then depends on the machine.
            "core 0   NS    ",
            "core 1   NS    starts at 0x600",
            "core 1   NS    FFA_MSG_SEND_DIRECT_REQ 0x0000 → 0x8000  ⇒ FFA_MSG_SEND_DIRECT_RESP",
            "core 1   SPMC  ",
            "core 1   NS    CPU_OFF  … no answer",
        ],
    },
    Case {
        name: "boot/black-box-spmc-refuses",
        oddity: "spmc=boot-error-1",
        case: "ffa/boot-error-secondary",
        says: "core 1: no FF-A here",
        words: &[
            "core 0   NS    CPU_ON_64 core=1",
            "core 1   SPMC  FFA_ERROR",
            "core 1   NS    starts at 0x600",
        ],
    },
];

/// Runs the cases that are asked for.
pub fn run(setup: &Setup) -> Tally {
    let mut tally = Tally::default();
    for case in CASES.iter().filter(|case| setup.context.wants(case.name)) {
        tally.case(case.name, case.run(setup));
    }
    tally
}

impl Case {
    fn run(&self, setup: &Setup) -> Result<()> {
        let (options, images) = setup.images(2)?;
        let machine = setup.machine(self.name, &options, &images, self.case, &[self.oddity])?;
        let report = payload::run(self.name, &setup.qemu, &machine)?;
        ensure!(report.failed.is_empty(), "the case failed, see above");
        let log = payload::log(self.name);
        let text = std::fs::read_to_string(&log)?;
        let from = text.find(self.says).unwrap_or(text.len());
        // The case looks at this report alone.
        let report = log.with_extension("report");
        std::fs::write(&report, &text[from..])?;
        let (words, _) = trace::lines(&["--console"], &report)?;
        let mut lines = words.iter();
        for wanted in self.words {
            ensure!(
                lines.any(|line| line.starts_with(wanted)),
                "the report has no `{wanted}`, or not in this order (log: {})\n{}",
                log.display(),
                words.join("\n")
            );
        }
        Ok(())
    }
}
