// SPDX-License-Identifier: BSD-3-Clause

//! The SPMC manifest: what it says, each fault it can have, and that no content upsets the parser.

use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use dtoolkit::{Node, Property};
use janus_arm::ffa::Version;
use janus_manifest::{
    DEFAULT_SRI, Known, MAX_SIZE, Manifest, ManifestError, Reason, SpmcImage, Warning,
};
use proptest::prelude::*;

/// A property of 32-bit cells.
type Cells = (&'static str, Vec<u32>);

fn attributes() -> Vec<Cells> {
    vec![
        ("spmc_id", vec![0x8000]),
        ("maj_ver", vec![1]),
        ("min_ver", vec![2]),
        ("exec_state", vec![0]),
        ("load_address", vec![0, 0x0e10_0000]),
        ("entrypoint", vec![0, 0x0e10_0040]),
        ("binary_size", vec![0x8_0000]),
    ]
}

fn node(name: &str, attributes: &[Cells]) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new(name).unwrap();
    for (name, cells) in attributes {
        let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        node.add_property(DeviceTreeProperty::new(*name, bytes.as_slice()).unwrap());
    }
    node
}

fn tree(attributes: &[Cells]) -> DeviceTree {
    let mut tree = DeviceTree::new();
    let compatible = DeviceTreeProperty::new("compatible", "arm,ffa-core-manifest-1.0").unwrap();
    tree.root.add_property(compatible);
    tree.root.add_child(node("attribute", attributes));
    tree
}

/// The tree at the start of a page, as BL2 leaves it.
fn page(tree: &DeviceTree) -> Vec<u8> {
    let mut page = tree.to_dtb();
    page.resize(MAX_SIZE, 0xA5);
    page
}

/// Parses a good manifest in which `change` sets or removes properties.
fn with(change: &[Cells], without: &[&str]) -> Result<Manifest, ManifestError> {
    let mut all = attributes();
    all.retain(|(name, _)| !without.contains(name) && !change.iter().any(|(new, _)| new == name));
    all.extend(change.iter().cloned());
    Manifest::parse(&page(&tree(&all)))
}

#[test]
fn a_good_one() {
    let manifest = with(&[], &[]).unwrap();
    assert_eq!((manifest.id, manifest.version), (0x8000, Version::V1_2));
    assert_eq!(manifest.load_address, Some(0x0e10_0000));
    assert_eq!(manifest.entry, Some(0x0e10_0040));
    assert_eq!(manifest.size, Some(0x8_0000));
    assert_eq!(manifest.exception_level, None);
    assert!(!manifest.hypervisor && !manifest.switch_all);
    assert_eq!((manifest.sri, manifest.doorbell), (DEFAULT_SRI, None));
    assert_eq!(manifest.warnings().count(), 0);
    let image = SpmcImage {
        range: 0x0e10_0000..0x0e18_0000,
        entry: 0x0e10_0040,
    };
    assert_eq!(manifest.image(1, 2, 3), Ok(image));
    let mut hafnium = tree(&attributes());
    hafnium
        .root
        .add_child(DeviceTreeNode::new("hypervisor").unwrap());
    assert!(Manifest::parse(&page(&hafnium)).unwrap().hypervisor);
}

#[test]
fn what_may_be_missing_comes_from_bl2() {
    let manifest = with(&[], &["load_address", "entrypoint", "binary_size"]).unwrap();
    let image = |range, entry| Ok(SpmcImage { range, entry });
    assert_eq!(
        manifest.image(0x1000, 0x2000, 0x1004),
        image(0x1000..0x3000, 0x1004)
    );
    let manifest = with(&[], &["entrypoint", "binary_size"]).unwrap();
    assert_eq!(
        manifest.image(0x1000, 0x2000, 0x1004),
        image(0x0e10_0000..0x0e10_2000, 0x0e10_0000),
        "BL2's entry point is not in the manifest's image"
    );
}

#[test]
fn properties_of_janus() {
    let manifest = with(
        &[
            ("janus,spmc-el", vec![1]),
            ("janus,switch-all", vec![]),
            ("janus,sri-id", vec![9]),
            ("janus,doorbell-sgi", vec![10]),
        ],
        &[],
    )
    .unwrap();
    assert_eq!(manifest.exception_level, Some(1));
    assert!(manifest.switch_all);
    assert_eq!((manifest.sri, manifest.doorbell), (9, Some(10)));
}

#[test]
fn the_exception_level() {
    let at = |level: Option<u32>, hypervisor: bool, cpu_has_sel2: bool, bl2_level: Option<u8>| {
        let mut all = attributes();
        all.extend(level.map(|level| ("janus,spmc-el", vec![level])));
        let mut tree = tree(&all);
        if hypervisor {
            tree.root
                .add_child(DeviceTreeNode::new("hypervisor").unwrap());
        }
        let known = Known {
            cpu_has_sel2,
            bl2_level,
        };
        Manifest::parse(&page(&tree)).unwrap().at_sel2(known)
    };
    assert_eq!(at(None, false, true, None), Ok((false, Reason::Nothing)));
    assert_eq!(at(None, false, true, Some(0)), Ok((false, Reason::Nothing)));
    assert_eq!(at(None, false, true, Some(1)), Ok((false, Reason::Bl2)));
    assert_eq!(at(None, false, true, Some(2)), Ok((true, Reason::Bl2)));
    assert_eq!(
        at(None, true, true, Some(1)),
        Ok((true, Reason::Hypervisor))
    );
    assert_eq!(at(None, true, false, Some(2)), Ok((false, Reason::Cpu)));
    assert_eq!(
        at(Some(1), true, true, Some(2)),
        Ok((false, Reason::Property))
    );
    assert_eq!(
        at(Some(2), false, true, Some(1)),
        Ok((true, Reason::Property))
    );
    assert_eq!(
        at(Some(2), true, false, None),
        Err(ManifestError::NoSecureEl2)
    );
    assert_eq!(Reason::Nothing.to_string(), "a guess");
}

/// What TF-A's C BL31 takes is taken, with a warning that says how it should be written.
#[test]
fn what_the_c_bl31_takes() {
    let taken = |change: &[Cells], without: &[&str]| {
        let manifest = with(change, without).unwrap();
        let image = manifest.image(0x0e10_0000, 0x8_0000, 0x0e10_0000).unwrap();
        let says: Vec<String> = manifest.warnings().map(|w| w.to_string()).collect();
        (image, manifest, says)
    };
    let (good, manifest, says) = taken(&[], &[]);
    assert_eq!(says, [""; 0]);
    for (property, cells, form) in [
        ("binary_size", vec![0, 0x8_0000], "binary_size = <VALUE>"),
        ("binary_size", vec![0x8_0000, 0], "binary_size = <VALUE>"),
        ("binary_size", vec![0x8_0000, 7, 7], "binary_size = <VALUE>"),
        (
            "load_address",
            vec![0x0e10_0000],
            "load_address = <HIGH LOW>",
        ),
        (
            "load_address",
            vec![0, 0x0e10_0000, 9],
            "load_address = <HIGH LOW>",
        ),
        ("entrypoint", vec![0x0e10_0040], "entrypoint = <HIGH LOW>"),
        ("spmc_id", vec![0x8000, 0], "spmc_id = <VALUE>"),
        ("exec_state", vec![0, 1], "exec_state = <VALUE>"),
    ] {
        let (image, odd, says) = taken(&[(property, cells)], &[]);
        assert_eq!((&image, odd.id), (&good, manifest.id), "{property}");
        assert!(matches!(&says[..], [one] if one.contains(form)), "{says:?}");
    }
    let (image, odd, says) = taken(&[], &["exec_state"]);
    assert_eq!(image, good);
    assert_eq!(odd.warnings().next(), Some(Warning::NoExecutionState));
    assert!(says[0].contains("exec_state = <0>"));
    let (_, _, says) = taken(
        &[
            ("load_address", vec![0x0e10_0000]),
            ("binary_size", vec![0, 0x8_0000]),
        ],
        &["exec_state"],
    );
    assert_eq!(says.len(), 3);
}

#[test]
fn every_fault_has_its_error_and_says_what_to_do() {
    use ManifestError as E;
    let good = page(&tree(&attributes()));
    let mut too_large = good.clone();
    too_large[4..8].copy_from_slice(&0x1001_u32.to_be_bytes());
    let mut cut = good.clone();
    cut[4..8].copy_from_slice(&100_u32.to_be_bytes());
    let mut other = tree(&attributes());
    other
        .root
        .property_mut("compatible")
        .unwrap()
        .set_value("linux,dummy-virt");
    let mut longer = tree(&attributes());
    longer
        .root
        .property_mut("compatible")
        .unwrap()
        .set_value("arm,ffa-core-manifest-1.0x");
    let mut none = tree(&attributes());
    none.root.remove_property("compatible");
    let mut no_attributes = tree(&attributes());
    no_attributes.root.remove_child("attribute");
    let parse = Manifest::parse;
    let image = |change: &[Cells]| with(change, &[]).and_then(|m| m.image(1, 2, 3).map(|_| m));
    let high = 0xFFFF_FFFF;
    let cases: Vec<(Result<Manifest, E>, E, &str)> = vec![
        (parse(&[]), E::NotADeviceTree, "compiled manifest"),
        (parse(&good[..7]), E::NotADeviceTree, "compiled manifest"),
        (parse(&[0; MAX_SIZE]), E::NotADeviceTree, "dtc"),
        (parse(&cut), E::NotADeviceTree, "TOS_FW_CONFIG"),
        (parse(&too_large), E::TooLarge(0x1001), "at most 4096 bytes"),
        (
            parse(&good[..64]),
            E::TooLarge(u32::from_be_bytes(good[4..8].try_into().unwrap())),
            "page",
        ),
        (
            parse(&page(&other)),
            E::NotCompatible,
            "set compatible = \"arm,ffa-core-manifest-1.0\"",
        ),
        (parse(&page(&longer)), E::NotCompatible, "compatible"),
        (parse(&page(&none)), E::NotCompatible, "compatible"),
        (
            parse(&page(&no_attributes)),
            E::NoAttributeNode,
            "`attribute` node: add one",
        ),
        (
            with(&[], &["spmc_id"]),
            E::Missing("spmc_id"),
            "no `spmc_id`: add it",
        ),
        (with(&[], &["maj_ver"]), E::Missing("maj_ver"), "maj_ver"),
        (with(&[], &["min_ver"]), E::Missing("min_ver"), "min_ver"),
        (
            with(&[("spmc_id", vec![0, 0x8000])], &[]),
            E::BadId(0),
            "0x8000 to 0xfffe",
        ),
        (
            with(&[("spmc_id", vec![])], &[]),
            E::WrongSize("spmc_id", 1),
            "spmc_id",
        ),
        (
            with(&[("load_address", vec![])], &[]),
            E::WrongSize("load_address", 2),
            "`load_address` has the wrong size: make it 2",
        ),
        (
            with(&[("janus,spmc-el", vec![0, 2])], &[]),
            E::WrongSize("janus,spmc-el", 1),
            "janus,spmc-el",
        ),
        (
            with(&[("spmc_id", vec![0x7FFF])], &[]),
            E::BadId(0x7FFF),
            "0x8000 to 0xfffe",
        ),
        (
            with(&[("spmc_id", vec![0xFFFF])], &[]),
            E::BadId(0xFFFF),
            "the SPMD's",
        ),
        (
            with(&[("spmc_id", vec![0x1_8000])], &[]),
            E::BadId(0x1_8000),
            "spmc_id 0x18000",
        ),
        (
            with(&[("maj_ver", vec![2])], &[]),
            E::BadVersion(2, 2),
            "maj_ver 1 and min_ver 0 to 3",
        ),
        (
            with(&[("maj_ver", vec![0])], &[]),
            E::BadVersion(0, 2),
            "FF-A version 0.2",
        ),
        (
            with(&[("min_ver", vec![4])], &[]),
            E::BadVersion(1, 4),
            "FF-A version 1.4",
        ),
        (
            with(&[("min_ver", vec![high])], &[]),
            E::BadVersion(1, high),
            "min_ver",
        ),
        (
            with(&[("exec_state", vec![1])], &[]),
            E::BadExecutionState(1),
            "AArch64",
        ),
        (
            with(&[("janus,spmc-el", vec![3])], &[]),
            E::BadExceptionLevel(3),
            "use 1 or 2",
        ),
        (
            with(&[("janus,sri-id", vec![16])], &[]),
            E::BadSgi("janus,sri-id", 16),
            "0 to 15",
        ),
        (
            with(&[("janus,doorbell-sgi", vec![8])], &[]),
            E::BadSgi("janus,doorbell-sgi", 8),
            "not one SGI for both",
        ),
        (
            image(&[("binary_size", vec![0])]),
            E::BadImage(0x0e10_0000, 0),
            "correct load_address or binary_size",
        ),
        (
            image(&[("load_address", vec![high, high])]),
            E::BadImage(u64::MAX, 0x8_0000),
            "image at 0xffffffffffffffff",
        ),
        (
            image(&[("entrypoint", vec![0, 0x0e18_0000])]),
            E::BadEntry(0x0e18_0000),
            "inside",
        ),
        (
            image(&[("entrypoint", vec![0, 0x0e10_0001])]),
            E::BadEntry(0x0e10_0001),
            "4-aligned",
        ),
    ];
    for (result, error, says) in cases {
        assert_eq!(result, Err(error));
        let text = error.to_string();
        assert!(text.contains(says), "`{text}` should say `{says}`");
        assert!(
            text.len() < 110 && !text.ends_with('.'),
            "one short line: {text}"
        );
    }
    assert!(E::NoSecureEl2.to_string().contains("use an SPMC for S-EL1"));
}

/// Where dtoolkit reads the tree too, it finds the same numbers.
fn second_opinion(page: &[u8], manifest: &Manifest) -> Result<(), TestCaseError> {
    let size = u32::from_be_bytes(page[4..8].try_into().unwrap());
    let Ok(tree) = Fdt::new(&page[..size as usize]) else {
        return Ok(());
    };
    let nodes: Vec<_> = tree
        .root()
        .children()
        .filter(|node| node.name() == "attribute")
        .collect();
    let [node] = nodes.as_slice() else {
        return Ok(());
    };
    let numbers = [
        ("spmc_id", u32::from(manifest.id)),
        ("min_ver", u32::from(manifest.version.minor())),
    ];
    for (name, number) in numbers {
        let values: Vec<_> = node
            .properties()
            .filter(|property| property.name() == name)
            .collect();
        let [.., value] = values.as_slice() else {
            return Err(TestCaseError::fail(format!("dtoolkit finds no {name}")));
        };
        prop_assert_eq!(&value.value()[..4], &number.to_be_bytes());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

    /// A good manifest with bytes, words or its end changed: an error or a manifest, never a panic, and
    /// what is accepted keeps the rules.
    #[test]
    fn no_fault_upsets_the_parser(
        bytes in prop::collection::vec((0..700_usize, any::<u8>()), 0..6),
        words in prop::collection::vec((0..170_usize, prop::sample::select(vec![
            0_u32, 1, 2, 3, 4, 9, 0xFFFF_FFFF, 0x7FFF_FFFF, 0xFFFF_FFFC, 4096,
        ])), 0..4),
        length in prop_oneof![3 => Just(MAX_SIZE), 1 => 0..MAX_SIZE],
    ) {
        let mut page = page(&tree(&attributes()));
        for (at, byte) in bytes {
            page[at] = byte;
        }
        for (at, word) in words {
            page[at * 4..at * 4 + 4].copy_from_slice(&word.to_be_bytes());
        }
        match Manifest::parse(&page[..length]) {
            Ok(manifest) => {
                prop_assert!((0x8000..0xFFFF).contains(&manifest.id));
                prop_assert!((Version::V1_0..=Version::V1_3).contains(&manifest.version));
                if let Ok(image) = manifest.image(0x1000, 0x1000, 0x1000) {
                    prop_assert!(image.range.contains(&image.entry));
                }
                let _ = manifest.at_sel2(Known::default());
                prop_assert!(manifest.warnings().all(|warning| !warning.to_string().is_empty()));
                second_opinion(&page[..length], &manifest)?;
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    /// Anything behind a plausible header.
    #[test]
    fn nor_does_noise(
        mut page in prop::collection::vec(any::<u8>(), 40..600),
        size in 0..700_u32,
        tokens in prop::collection::vec((10..140_usize, prop::sample::select(vec![1_u32, 2, 3, 4, 9])), 0..60),
    ) {
        let header = [0xD00D_FEED, size, 56, 400, 40, 17, 16, 0, 100, 344];
        for (at, word) in header.into_iter().enumerate() {
            page[at * 4..at * 4 + 4].copy_from_slice(&u32::to_be_bytes(word));
        }
        for (at, word) in tokens {
            if let Some(cell) = page.get_mut(at * 4..at * 4 + 4) {
                cell.copy_from_slice(&word.to_be_bytes());
            }
        }
        let _ = Manifest::parse(&page);
    }
}
