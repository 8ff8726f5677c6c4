//! Finds all faults of an SPMC manifest: the parser stops at the first one, so it is mended in a copy, which is parsed
//! again.

use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use janus_manifest::{COMPATIBLE, Manifest, ManifestError};

/// A fault: the property that it is about, or an empty name, and what to do.
pub struct ManifestFault {
    /// The property, or the node `attribute`.
    pub property: &'static str,
    /// The parser's message.
    pub text: String,
}

/// The most faults that are looked for: there are fewer properties than this.
const MOST: usize = 32;

/// The place of the SPMC where the manifest does not name it; in a boot BL2 does.
const BL32: (u64, u64) = (0x0e10_0000, 0x20_0000);

/// All faults, in the order in which the parser finds them.
pub fn faults(bytes: &[u8]) -> Vec<ManifestFault> {
    let mut copy = bytes.to_vec();
    let mut faults = Vec::new();
    while faults.len() < MOST {
        let parsed = Manifest::parse(&copy)
            .and_then(|manifest| manifest.image(BL32.0, BL32.1, BL32.0).map(|_| ()));
        let Err(error) = parsed else { break };
        faults.push(ManifestFault {
            property: about(&error),
            text: error.to_string(),
        });
        match mended(&copy, &error) {
            Some(next) => copy = next,
            None => break,
        }
    }
    faults
}

/// The property that an error is about.
fn about(error: &ManifestError) -> &'static str {
    match *error {
        ManifestError::Missing(_) => "attribute",
        ManifestError::WrongSize(name, _) | ManifestError::BadSgi(name, _) => name,
        ManifestError::BadId(_) => "spmc_id",
        ManifestError::BadVersion(1, _) => "min_ver",
        ManifestError::BadVersion(..) => "maj_ver",
        ManifestError::BadExecutionState(_) => "exec_state",
        ManifestError::BadExceptionLevel(_) | ManifestError::NoSecureEl2 => "janus,spmc-el",
        ManifestError::BadImage(..) => "binary_size",
        ManifestError::BadEntry(_) => "entrypoint",
        _ => "",
    }
}

/// A copy of the manifest without this fault, if it can be mended.
fn mended(bytes: &[u8], error: &ManifestError) -> Option<Vec<u8>> {
    let mut tree = DeviceTree::from_fdt(&Fdt::new(bytes).ok()?);
    match *error {
        ManifestError::NotCompatible => {
            tree.root.remove_property("compatible");
            tree.root
                .add_property(DeviceTreeProperty::new("compatible", COMPATIBLE).ok()?);
        }
        ManifestError::NoAttributeNode => {
            tree.root.add_child(DeviceTreeNode::new("attribute").ok()?)
        }
        ManifestError::Missing(name) => set(&mut tree, name)?,
        ManifestError::BadVersion(..) => {
            set(&mut tree, "maj_ver")?;
            set(&mut tree, "min_ver")?;
        }
        ManifestError::BadImage(..) | ManifestError::BadEntry(_) => return None,
        _ => match about(error) {
            "" => return None,
            name => set(&mut tree, name)?,
        },
    }
    Some(tree.to_dtb())
}

/// Gives a property of the `attribute` node a valid value, or removes it.
fn set(tree: &mut DeviceTree, name: &str) -> Option<()> {
    let attribute = tree.root.child_mut("attribute")?;
    attribute.remove_property(name);
    let cells: &[u32] = match name {
        "spmc_id" => &[0x8000],
        "maj_ver" => &[1],
        "min_ver" => &[2],
        "exec_state" => &[0],
        _ => return Some(()),
    };
    let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
    attribute.add_property(DeviceTreeProperty::new(name, bytes.as_slice()).ok()?);
    Some(())
}
