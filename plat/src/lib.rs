//! The platforms that Janus runs on.
//!
//! A platform is data (where things are, how many cores there can be) and a few operations that only
//! it knows: giving a core power, turning the system off. Each is one folder here, with one type that
//! implements [`Platform`]: that trait says what a platform must provide and what it may provide.
//! docs/porting.md walks through it. A platform does not list CPU features; they are detected at run time.
//!
//! The cargo feature named after a platform makes it the image's `Plat`.

#![no_std]

pub mod greeter;
pub mod identity;
#[cfg(feature = "lab")]
pub mod lab;
mod platform;
mod power;
pub mod services;

pub use janus_psci::{Composite, PowerTable, Reset};
pub use platform::{
    El3, FarVectors, GicHints, Group0, MemoryMap, Next, NoPower, Platform, SocId, Stop, Unfit,
    WrongMachine, wait_for_interrupt,
};
pub use power::{GicPower, Power, PowerDown};
pub use services::{Call, Callers, Forms, Function, Handler, Kind, Owner, Service};

/// The platforms: for each its cargo feature, its folder and its type. All of them are compiled, so that
/// tools can ask them; one is the image's.
macro_rules! platforms {
    ($($feature:literal => $($path:literal)? $module:ident::$Platform:ident;)+) => {
        $($(#[path = $path])? pub mod $module;)+
        platforms!(@select [] $($feature => $module::$Platform;)+);
    };
    (@select [$($before:literal)*] $feature:literal => $module:ident::$Platform:ident; $($rest:tt)*) => {
        /// The platform that this image is built for.
        #[cfg(all(feature = $feature, not(any($(feature = $before),*))))]
        pub type Plat = $module::$Platform;
        #[cfg(all(feature = $feature, any($(feature = $before),*)))]
        compile_error!(concat!("an image is built for one platform: `", $feature,
            "` is selected beside another one of ", $("`", $before, "`, ",)*
            "so leave one of these cargo features out"));
        platforms!(@select [$($before)* $feature] $($rest)*);
    };
    (@select [$($all:literal)*]) => {
        #[cfg(all(feature = "image", not(any($(feature = $all),*))))]
        compile_error!(concat!("an image needs a platform: select one of the cargo features ",
            $("`", $all, "` ",)* "(`cargo xtask build --plat` does)"));
    };
}

platforms! {
    "qemu" => qemu::Qemu;
    // No platform of the product: docs/porting.md.
    "example-board" => "../examples/board/mod.rs" board::Board;
    "fvp" => fvp::Fvp;
}
