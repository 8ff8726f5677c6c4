//! The drop-in: TF-A's own build packages Janus with `BL31=path`, which its documentation names for a BL31 from
//! elsewhere.

use super::boots::Setup;
use super::{Tally, payload};
use crate::cli::Plat;
use crate::qemu::Machine;
use crate::stacks::test;
use crate::tfa::{self, Dispatcher, Options};
use crate::{fip, paths};
use anyhow::{Result, ensure};

/// The name of the case and of its directory.
const fn name(plat: Plat) -> &'static str {
    match plat {
        Plat::Qemu => "boot/drop-in",
        Plat::Fvp => "boot/drop-in-fvp",
    }
}

/// Builds a FIP by TF-A's make and runs the boot cases on it.
///
/// # Errors
/// TF-A is not available.
pub fn run(setup: &Setup) -> Result<Tally> {
    let mut tally = Tally::default();
    let name = name(setup.plat);
    if setup.context.wants(name) {
        tally.case(name, drop_in(setup, name));
    }
    Ok(tally)
}

fn drop_in(setup: &Setup, name: &str) -> Result<()> {
    let options = Options {
        plat: setup.plat,
        dispatcher: Dispatcher::SpmdEl1,
        ..Options::default()
    };
    let base = paths::out().join("test").join(name.replace('/', "_"));
    if base.exists() {
        std::fs::remove_dir_all(&base)?;
    }
    std::fs::create_dir_all(&base)?;
    let extra = [
        format!("BL31={}", setup.bl31(&options)?.display()),
        format!("BL32={}", setup.spmc.display()),
        format!("BL33={}", setup.hypervisor.display()),
        format!(
            "{}={}",
            match setup.plat {
                Plat::Qemu => "QEMU_TOS_FW_CONFIG_DTS",
                Plat::Fvp => "ARM_SPMC_MANIFEST_DTS",
            },
            test::manifest(setup.plat, test::usual_manifest(false))?.display()
        ),
    ];
    let packed = tfa::make_fip(&options, &base, &extra)?;
    let flash = fip::flash(&tfa::build(&options, None)?, &packed, &base)?;
    let text = base.join("config.txt");
    std::fs::write(&text, test::config_text("test", "boot/", "janus", 1, &[]))?;
    let machine = Machine {
        loaded: vec![(text, test::config_address(setup.plat))],
        ..Machine::new(options.plat, flash)
    };
    let report = payload::run(name, &setup.qemu, &machine)?;
    ensure!(report.failed.is_empty(), "cases failed, see above");
    ensure!(!report.passed.is_empty(), "no case ran");
    Ok(())
}
