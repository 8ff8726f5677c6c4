//! The platforms that Janus runs on.
//!
//! A platform is data (where things are, how many cores there can be) and a few operations that only
//! it knows: starting a core that boot firmware holds, turning the system off. Each is one type that
//! implements [`Platform`], which has no default items: a platform that lacks something says so.
//! CPU features are no matter of the platform; they are detected at run time.
//!
//! The cargo feature named after a platform makes it the image's [`Plat`].

#![no_std]

pub mod greeter;
mod platform;
pub mod qemu;

pub use platform::{MemoryMap, Platform, PowerOff, PowerTable, SocId};

/// The platform that this image is built for.
#[cfg(feature = "qemu")]
pub type Plat = qemu::Qemu;
