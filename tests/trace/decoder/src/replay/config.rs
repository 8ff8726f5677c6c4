//! What the dispatcher is to know of the SPMC: from the trace's header, a manifest, or the trace itself.

use crate::file::Trace;
use anyhow::{Context, Result, bail};
use janus_spmd::manifest::Manifest;
use janus_spmd::{SpmcConfig, Spmd, Version};
use janus_trace_format::arch::World;
use janus_trace_format::{Event, Way};

/// A dispatcher as BL31 made it at boot.
pub struct Setup {
    /// The dispatcher.
    pub spmd: Spmd,
    /// What is not known and was assumed.
    pub assumed: Vec<String>,
}

impl Setup {
    /// Makes the dispatcher from what the trace and the manifest say about the SPMC.
    ///
    /// # Errors
    /// The bytes are no manifest.
    pub fn find(trace: &Trace, manifest: Option<&[u8]>) -> Result<Setup> {
        let mut assumed = Vec::new();
        let first = trace
            .events()
            .map(|(_, event)| event)
            .find(|event| event.way == Way::Exit && event.world() == World::Secure);
        let Some(first) = first else {
            return Ok(Setup {
                spmd: Spmd::new(),
                assumed,
            });
        };
        let bytes = match manifest {
            Some(bytes) => Some(bytes.to_vec()),
            None => trace.header.get("manifest").map(from_hex).transpose()?,
        };
        let parsed = bytes.map(|bytes| Manifest::parse(&bytes));
        let spmd = match parsed {
            None => {
                assumed.push(
                    "the trace has no SPMC manifest (--manifest names one): ID 0x8000, FF-A 1.2"
                        .to_owned(),
                );
                Spmd::with_spmc(guess(&first))
            }
            Some(Err(why)) => bail!("the SPMC manifest: {why}"),
            Some(Ok(manifest)) => {
                let number = |name: &str| {
                    let text = trace.header.get(name)?;
                    let digits = text.strip_prefix("0x");
                    digits.map_or_else(|| text.parse().ok(), |d| u64::from_str_radix(d, 16).ok())
                };
                let base = number("spmc-base").unwrap_or(first.elr);
                let size = number("spmc-size").unwrap_or(1 << 20);
                let image = manifest.image(base, size, base);
                let image = image.map_err(|why| anyhow::anyhow!("the SPMC manifest: {why}"))?;
                Spmd::with_spmc(SpmcConfig {
                    id: manifest.id,
                    version: manifest.version,
                    sel2: first.el() == 2,
                    image: image.range,
                    entry: image.entry,
                    doorbell_sri: manifest.doorbell.map(|_| manifest.sri),
                    partitions: &[],
                })
            }
        };
        Ok(Setup { spmd, assumed })
    }
}

/// An SPMC of which only its first instruction is known.
fn guess(first: &Event) -> SpmcConfig {
    SpmcConfig {
        id: 0x8000,
        version: Version::V1_2,
        sel2: first.el() == 2,
        image: 0..u64::MAX,
        entry: first.elr,
        doorbell_sri: None,
        partitions: &[],
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes.context("the manifest in the trace's header is damaged")
}
