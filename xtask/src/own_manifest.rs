//! Reads, before the boot, what a user's SPMC manifest says of level and version.

use crate::{fip, proc};
use anyhow::{Context, Result, anyhow, ensure};
use dtoolkit::fdt::Fdt;
use dtoolkit::{Node, Property};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The room for a compiled manifest in TF-A's BL2 on QEMU, in bytes.
const MAX_SIZE: usize = 4096;

/// What a manifest says.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    /// The exception level of the SPMC, if the manifest decides it.
    pub spmc_el: Option<u8>,
    /// The FF-A version of the SPMC.
    pub version: Option<(u32, u32)>,
}

/// Compiles a manifest to `dir` if it is a source; sets its level to `spmc_el` if that is given. Returns the compiled
/// file and what it says.
///
/// # Errors
/// It is no manifest, or too large.
pub fn prepare(file: &Path, spmc_el: Option<u8>, dir: &Path) -> Result<(PathBuf, Facts)> {
    fs::create_dir_all(dir)?;
    let shown = file.display();
    let mut dtb = fip::device_tree(file, dir)?;
    if let Some(level) = spmc_el {
        let own = dir.join("manifest-with-level.dtb");
        fs::copy(&dtb, &own).with_context(|| format!("cannot read {shown}"))?;
        let mut put = Command::new("fdtput");
        put.args(["-t", "u"]).arg(&own);
        put.args(["/attribute", "janus,spmc-el", &level.to_string()]);
        proc::output(&mut put).with_context(|| format!("--spmc-el does not go into {shown}"))?;
        dtb = own;
    }
    let bytes = fs::read(&dtb).with_context(|| format!("cannot read {shown}"))?;
    ensure!(
        bytes.len() <= MAX_SIZE,
        "{shown} has {} bytes compiled, BL2 has room for {MAX_SIZE}: leave out what the SPMC does not need",
        bytes.len()
    );
    let facts = facts(&bytes).with_context(|| format!("{shown} is no SPMC manifest"))?;
    Ok((dtb, facts))
}

fn facts(bytes: &[u8]) -> Result<Facts> {
    let tree = Fdt::new(bytes).map_err(|e| anyhow!("it is no device tree ({e:?})"))?;
    let root = tree.root();
    let attribute = root
        .child("attribute")
        .context("it has no `attribute` node")?;
    let number = |name: &str| {
        let cell = attribute
            .property(name)?
            .value()
            .get(..4)?
            .try_into()
            .ok()?;
        Some(u32::from_be_bytes(cell))
    };
    let by_property = number("janus,spmc-el").and_then(|level| u8::try_from(level).ok());
    let by_node = root.child("hypervisor").is_some().then_some(2);
    Ok(Facts {
        spmc_el: by_property.or(by_node),
        version: number("maj_ver").zip(number("min_ver")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts_of(body: &str, level: Option<u8>) -> Result<Facts> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("m.dts");
        fs::write(&file, format!("/dts-v1/;\n/ {{ {body} }};\n"))?;
        prepare(&file, level, dir.path()).map(|(_, facts)| facts)
    }

    #[test]
    fn the_level_by_all_that_is_known() {
        let level = |body: &str| facts_of(body, None).unwrap().spmc_el;
        assert_eq!(level("attribute { maj_ver = <1>; };"), None);
        assert_eq!(level("attribute { }; hypervisor { };"), Some(2));
        assert_eq!(
            level("attribute { janus,spmc-el = <1>; }; hypervisor { };"),
            Some(1)
        );
    }

    #[test]
    fn the_option_overrules_the_manifest() {
        let body = "attribute { maj_ver = <1>; min_ver = <3>; }; hypervisor { };";
        let facts = facts_of(body, Some(1)).unwrap();
        assert_eq!(facts.spmc_el, Some(1));
        assert_eq!(facts.version, Some((1, 3)));
        assert_eq!(
            facts_of("attribute { };", Some(2)).unwrap().spmc_el,
            Some(2)
        );
    }

    #[test]
    fn what_is_no_manifest_is_said() {
        let error = format!("{:#}", facts_of("chosen { };", None).unwrap_err());
        assert!(error.contains("`attribute`"), "{error}");
        let big = format!("attribute {{ x = \"{}\"; }};", "y".repeat(5000));
        let error = format!("{:#}", facts_of(&big, None).unwrap_err());
        assert!(error.contains("room for 4096"), "{error}");
    }

    #[test]
    fn the_c_preprocessor_runs_over_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("level.h"), "#define LEVEL 2\n").unwrap();
        let file = dir.path().join("m.dts");
        fs::write(
            &file,
            "/dts-v1/;\n#include \"level.h\"\n/ { attribute { janus,spmc-el = <LEVEL>; }; };\n",
        )
        .unwrap();
        let (_, facts) = prepare(&file, None, dir.path()).unwrap();
        assert_eq!(facts.spmc_el, Some(2));
    }
}
