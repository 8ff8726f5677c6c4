//! Partitions that `run --sp IMAGE:MANIFEST` packages and TF-A's BL2 loads.

use super::{Context, Tally};
use crate::cli::RunArgs;
use crate::stacks::Mode;
use crate::verdict::End;
use crate::{paths, run};
use anyhow::{Result, ensure};
use regex::Regex;

const CASE: &str = "run/partitions";

/// An SPMC that prints on UART1 what BL2 has loaded to two addresses: the first word of a package of TF-A's form and
/// the image in it, then the image in a transfer list.
const SPMC: &[u32] = &[
    0xd2a1_2081, // mov x1, #0x9040000
    0xd2a1_c802, // mov x2, #0xe400000
    0x5280_0083, // mov w3, #4
    0x9400_000c, // bl print
    0xf284_0002, // movk x2, #0x2000
    0x5280_0103, // mov w3, #8
    0x9400_0009, // bl print
    0xd2a1_ca02, // mov x2, #0xe500000
    0xf286_0002, // movk x2, #0x3000
    0x5280_0103, // mov w3, #8
    0x9400_0005, // bl print
    0x5280_0d60, // mov w0, #FFA_MSG_WAIT
    0x72b0_8000, //
    0xd400_0003, // smc #0
    0x1400_0000, // b .
    0x3840_1440, // print: ldrb w0, [x2], #1
    0x3900_0020, // strb w0, [x1]
    0x7100_0463, // subs w3, w3, #1
    0x54ff_ffa1, // b.ne print
    0x5280_0140, // mov w0, #'\n'
    0x3900_0020, // strb w0, [x1]
    0xd65f_03c0, // ret
];
/// A silent normal world that does not end: `b .`.
const BL33: &[u32] = &[0x1400_0000];
/// What the C preprocessor includes into a partition's manifest.
const PLACE: &str = "#define ONE 0x0e400000\n#define TWO 0x0e500000\n";

/// Runs the case if it is asked for.
pub fn run(context: &Context) -> Tally {
    let mut tally = Tally::default();
    if context.wants(CASE) {
        tally.case(CASE, loaded_by_bl2(context));
    }
    tally
}

fn manifest(name: &str, uuid: u32) -> String {
    format!(
        "/dts-v1/;\n#include \"place.h\"\n/ {{ compatible = \"arm,ffa-manifest-1.0\"; uuid = <{uuid} 1 2 3>; \
         load-address = <{name}>; entrypoint-offset = <0x2000>; }};\n"
    )
}

fn loaded_by_bl2(context: &Context) -> Result<()> {
    let dir = paths::out().join("test/run-partitions");
    std::fs::create_dir_all(&dir)?;
    let file = |name: &str, content: &[u8]| -> Result<String> {
        let path = dir.join(name);
        std::fs::write(&path, content)?;
        Ok(path.display().to_string())
    };
    let code = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    file("place.h", PLACE.as_bytes())?;
    let one = (
        file("one.bin", b"image-1;")?,
        file("one.dts", manifest("ONE", 1).as_bytes())?,
    );
    let two = (
        file("two.bin", b"image-2;")?,
        file("two.dts", manifest("TWO", 2).as_bytes())?,
    );
    let hob = file("hob.bin", b"hob list")?;
    let mut args = RunArgs {
        qemu: context.args.qemu.clone(),
        smp: 1,
        cpu: "max".into(),
        timeout: Some(60),
        until: vec![
            Regex::new("^SPKG$")?,
            Regex::new("^image-1;$")?,
            Regex::new("^image-2;$")?,
        ],
        ..RunArgs::default()
    };
    args.fip.build = context.build();
    args.fip.bl32 = Some(file("spmc.bin", &code(SPMC))?.into());
    args.fip.manifest = Some(paths::fiptool_cfg("test-spmc-el2.dts"));
    args.fip.bl33 = Some(file("bl33.bin", &code(BL33))?.into());
    args.fip.sp = vec![
        format!("{}:{}", one.0, one.1),
        format!("{}:{}:hob={hob}", two.0, two.1),
    ];
    let end = run::check(&args, Mode::Demo, false)?;
    ensure!(matches!(end, End::Said(_)), "it ended with {end:?}");
    Ok(())
}
