//! Reads, before the boot, what a user's SPMC manifest says of level, version and partitions.

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
    /// The nodes of its FF-A partitions, as Hafnium has them, and where their packages have to be.
    pub partitions: Vec<(String, u64)>,
}

impl Facts {
    /// The partitions that have no package at one of these addresses, in words.
    pub fn without_package(&self, packages: &[u64]) -> Vec<String> {
        let missing = self.partitions.iter();
        let missing = missing.filter(|(_, address)| !packages.contains(address));
        let in_words = |(node, address): &(String, u64)| {
            let there: Vec<_> = packages.iter().map(|at| format!("{at:#x}")).collect();
            let there = match there.as_slice() {
                [] => "there is no --sp".to_owned(),
                there => format!("those of --sp are at {}", there.join(", ")),
            };
            format!("the SPMC manifest's `{node}` has its package at {address:#x}, and {there}")
        };
        missing.map(in_words).collect()
    }
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
    let partitions = root.child("hypervisor").into_iter().flat_map(|node| {
        let nodes: Vec<_> = node.children().filter_map(|vm| partition(&vm)).collect();
        nodes
    });
    let by_property = number("janus,spmc-el").and_then(|level| u8::try_from(level).ok());
    let by_node = root.child("hypervisor").is_some().then_some(2);
    Ok(Facts {
        spmc_el: by_property.or(by_node),
        version: number("maj_ver").zip(number("min_ver")),
        partitions: partitions.collect(),
    })
}

/// The name and the load address of a `vm` node that is an FF-A partition's.
fn partition(node: &impl Node) -> Option<(String, u64)> {
    node.property("is_ffa_partition")?;
    let address = node.property("load_address")?;
    // One cell or two.
    let value = address.value();
    let bytes = value
        .iter()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    matches!(value.len(), 4 | 8).then(|| (node.name().as_ref().to_owned(), bytes))
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
    fn partitions_without_a_package() {
        let body = "attribute { }; hypervisor {
            vm1 { is_ffa_partition; load_address = <0xe400000>; };
            vm2 { is_ffa_partition; load_address = <0x0 0xe500000>; };
            vm3 { load_address = <0xe600000>; };
        };";
        let facts = facts_of(body, None).unwrap();
        assert_eq!(
            facts.without_package(&[0xe50_0000]),
            [
                "the SPMC manifest's `vm1` has its package at 0xe400000, and those of --sp are at 0xe500000"
            ]
        );
        assert!(facts.without_package(&[0xe50_0000, 0xe40_0000]).is_empty());
        let none = facts.without_package(&[]);
        assert!(
            none.len() == 2 && none[1].contains("`vm2`") && none[1].contains("there is no --sp"),
            "{none:?}"
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
