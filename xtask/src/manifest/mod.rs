//! `cargo xtask manifest`: shows how Janus reads a manifest, before anything boots.
//!
//! The dispatcher's own parser reads it, and stops at the first fault. Here each fault is mended in a copy, which is
//! read again, so that all are found at once ([`mend`]). [`source`] knows the lines.

mod mend;
mod source;

use crate::{fip, partitions, ui};
use anyhow::{Context, Result, bail};
use clap::Args;
use dtoolkit::fdt::Fdt;
use dtoolkit::{Node, Property};
use janus_manifest::{Manifest, PROPERTIES};
use source::Source;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The manifest to look at.
#[derive(Args)]
pub struct ManifestArgs {
    /// An SPMC's manifest or a secure partition's: source (.dts) or compiled.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// The result of a check.
struct Checked {
    /// What Janus does with the manifest, if it can be used.
    uses: Option<String>,
    /// What makes it unusable, each with its line.
    faults: Vec<String>,
    /// What is no fault, but probably not meant.
    doubts: Vec<String>,
}

/// Shows a manifest; returns `false` if it cannot be used.
///
/// # Errors
/// It cannot be read, or does not compile.
pub fn run(args: &ManifestArgs) -> Result<bool> {
    let checked = check(&args.file)?;
    for text in checked.faults.iter().chain(&checked.doubts) {
        eprintln!("{text}");
    }
    if let Some(uses) = &checked.uses {
        print!("{uses}");
    }
    Ok(checked.faults.is_empty())
}

/// Refuses an SPMC manifest that Janus could not use, and prints what is in doubt.
///
/// # Errors
/// The faults, each with its line.
pub fn require(file: &Path) -> Result<()> {
    let checked = check(file)?;
    for doubt in &checked.doubts {
        ui::say(doubt);
    }
    if !checked.faults.is_empty() {
        bail!(
            "the SPMC manifest cannot be used:\n{}",
            checked.faults.join("\n")
        );
    }
    Ok(())
}

fn check(file: &Path) -> Result<Checked> {
    let dir = tempfile::tempdir()?;
    let dtb = fip::device_tree(file, dir.path())?;
    let bytes = fs::read(&dtb).with_context(|| format!("cannot read {}", dtb.display()))?;
    let text = (dtb != file)
        .then(|| fs::read_to_string(file))
        .transpose()?;
    let source = Source::new(file, text.as_deref().unwrap_or_default());
    Ok(check_bytes(&bytes, &source))
}

fn check_bytes(bytes: &[u8], source: &Source) -> Checked {
    if is_partitions(bytes) {
        let (uses, faults) = match partitions::describe(bytes) {
            Ok(uses) => (Some(uses), Vec::new()),
            Err(why) => (None, vec![source.at("", &format!("{why:#}"))]),
        };
        return Checked {
            uses,
            faults,
            doubts: Vec::new(),
        };
    }
    let faults = mend::faults(bytes)
        .into_iter()
        .map(|fault| source.at(fault.property, &fault.text));
    let parsed = Manifest::parse(bytes).ok();
    Checked {
        faults: faults.collect(),
        uses: parsed.as_ref().map(uses),
        doubts: unknown(bytes)
            .iter()
            .map(|name| source.at(name, &doubt(name)))
            .collect(),
    }
}

/// Returns whether this is a secure partition's manifest: its root has what BL2 needs.
fn is_partitions(bytes: &[u8]) -> bool {
    let Ok(tree) = Fdt::new(bytes) else {
        return false;
    };
    let root = tree.root();
    let compatible = root
        .property("compatible")
        .map(|p| p.value().to_vec())
        .unwrap_or_default();
    let names = |name: &[u8]| compatible.windows(name.len()).any(|part| part == name);
    names(b"arm,ffa-manifest-")
        || root.property("uuid").is_some() && root.property("load-address").is_some()
}

/// The properties of the `attribute` node that mean nothing to Janus.
fn unknown(bytes: &[u8]) -> Vec<String> {
    let Ok(tree) = Fdt::new(bytes) else {
        return Vec::new();
    };
    let root = tree.root();
    let Some(attribute) = root.child("attribute") else {
        return Vec::new();
    };
    let names = attribute
        .properties()
        .map(|property| property.name().to_owned());
    names
        .filter(|name| !PROPERTIES.contains(&name.as_str()))
        .collect()
}

fn doubt(name: &str) -> String {
    let plain = |name: &str| name.replace(['-', ','], "_");
    let meant = PROPERTIES.iter().find(|known| {
        plain(known) == plain(name) || plain(known).trim_start_matches("janus_") == plain(name)
    });
    match meant {
        Some(known) => format!("`{name}` means nothing to Janus: write `{known}`"),
        None => format!("`{name}` means nothing to Janus"),
    }
}

/// Describes what Janus does with the manifest.
fn uses(manifest: &Manifest) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "SPMC {:#06x}, FF-A {}", manifest.id, manifest.version);
    let level = match (manifest.exception_level, manifest.hypervisor) {
        (Some(level), _) => format!("S-EL{level}, as `janus,spmc-el` says"),
        (None, true) => {
            "S-EL2, for there is a `hypervisor` node; S-EL1 on a CPU without S-EL2".to_owned()
        }
        (None, false) => {
            "S-EL1, for there is neither `janus,spmc-el` nor a `hypervisor` node".to_owned()
        }
    };
    let _ = writeln!(text, "level       {level}");
    let address = |value: Option<u64>, without: &str| {
        value.map_or(without.to_owned(), |value| format!("{value:#x}"))
    };
    let _ = writeln!(
        text,
        "image       {}",
        address(manifest.load_address, "where BL2 puts BL32")
    );
    let size = manifest.size.map(u64::from);
    let _ = writeln!(text, "size        {}", address(size, "as BL2 has it"));
    let entry = manifest.entry.or(manifest.load_address);
    let _ = writeln!(text, "entry       {}", address(entry, "BL32's, by BL2"));
    let switched = if manifest.switch_all {
        "EL1, EL2 and floating-point state"
    } else {
        "what its level needs"
    };
    let _ = writeln!(text, "switched    {switched}");
    let _ = writeln!(text, "SRI         SGI {}", manifest.sri);
    let doorbell = manifest
        .doorbell
        .map_or("none: the SPMC raises the SRI itself".to_owned(), |sgi| {
            format!("SGI {sgi}")
        });
    let _ = writeln!(text, "doorbell    {doorbell}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"/dts-v1/;
/ {
	compatible = "arm,ffa-core-manifest-1.0";
	/* attribute { spmc_id = <1>; }; */
	attribute {
		spmc_id = <0x8000>;
		maj_ver = <1>;
		min_ver = <2>; // minor
		exec_state = <0>;
		load_address = <0x0 0x0e100000>;
		entrypoint = <0x0 0x0e100000>;
		binary_size = <0x00200000>;
	};
};
"#;

    fn checked(text: &str) -> Checked {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("m.dts");
        fs::write(&file, text).unwrap();
        check(&file).unwrap()
    }

    /// The faults, without the directory of the file.
    fn faults(text: &str) -> Vec<String> {
        let faults = checked(text).faults;
        faults
            .iter()
            .map(|fault| fault[fault.find("m.dts").unwrap()..].to_owned())
            .collect()
    }

    #[test]
    fn a_good_one_is_explained() {
        let good = checked(GOOD);
        assert!(good.faults.is_empty() && good.doubts.is_empty());
        let uses = good.uses.unwrap();
        assert!(
            uses.contains("SPMC 0x8000, FF-A 1.2") && uses.contains("S-EL1, for there is neither"),
            "{uses}"
        );
        let el2 = checked(&GOOD.replace("min_ver", "janus,spmc-el = <2>; min_ver"))
            .uses
            .unwrap();
        assert!(el2.contains("S-EL2, as `janus,spmc-el` says"), "{el2}");
    }

    #[test]
    fn every_fault_is_named_with_its_line() {
        let text = GOOD
            .replace("spmc_id = <0x8000>", "spmc_id = <0x1>")
            .replace("min_ver = <2>", "min_ver = <9>")
            .replace("entrypoint = <0x0 0x0e100000>", "entrypoint = <0x0e100000>")
            .replace("\t\texec_state = <0>;\n", "");
        let faults = faults(&text);
        // What the C BL31 accepts is accepted: no exec_state, an entrypoint of one cell.
        assert_eq!(faults.len(), 2, "{faults:#?}");
        for (line, part) in [(6, "spmc_id 0x1"), (8, "1.9")] {
            let begin = format!("m.dts:{line}: ");
            assert!(
                faults
                    .iter()
                    .any(|f| f.starts_with(&begin) && f.contains(part)),
                "{begin}{part} in {faults:#?}"
            );
        }
    }

    #[test]
    fn an_entry_outside_of_the_image_is_a_fault() {
        let faults = faults(&GOOD.replace(
            "entrypoint = <0x0 0x0e100000>",
            "entrypoint = <0x0 0x0e400000>",
        ));
        assert!(
            matches!(&faults[..], [one] if one.starts_with("m.dts:11: ")),
            "{faults:?}"
        );
    }

    #[test]
    fn unknown_properties_are_named() {
        let doubts =
            checked(&GOOD.replace("exec_state", "janus,sri_id = <9>; colour = <1>; exec_state"))
                .doubts;
        assert_eq!(doubts.len(), 2, "{doubts:?}");
        assert!(
            doubts[0]
                .contains("m.dts:9: `janus,sri_id` means nothing to Janus: write `janus,sri-id`"),
            "{doubts:?}"
        );
    }

    #[test]
    fn other_trees_are_told_apart() {
        let faults = faults("/dts-v1/; / { };");
        assert!(faults[0].contains("not an SPMC manifest"), "{faults:?}");
        let partition = "/dts-v1/; / { compatible = \"arm,ffa-manifest-1.0\"; uuid = <1 2 3 4>; load-address = <0xe400000>; };";
        assert!(checked(partition).uses.unwrap().contains("0xe400000"));
        let bad = checked(&partition.replace("load-address", "x"));
        assert!(bad.faults[0].contains("`load-address`"), "{:?}", bad.faults);
    }
}
