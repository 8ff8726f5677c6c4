//! Reads a trace of EL3 and puts it into words: what `cargo xtask trace` shows.
//!
//! [`mod@file`] and [`tarmac`] read a trace, [`flow`] makes calls of its entries and exits, [`decode`] and [`show`]
//! put them into words, and [`replay`] holds them against the dispatcher's library. What comes out is [`lines`],
//! [`stats`], [`json`], [`html`] or [`mermaid`]. [`black_box`] reads what a report on the console keeps of this.
//! [`command`] is the command line.
//!
//! A program of its own, which xtask builds and starts when it is asked for a trace. It goes through millions of events
//! and so is built with optimisation; and it links the dispatcher's library, whose changes would otherwise build xtask
//! anew before every boot.

pub mod black_box;
pub mod command;
pub mod decode;
pub mod file;
pub mod filter;
pub mod flow;
pub mod html;
pub mod json;
pub mod lines;
pub mod mermaid;
pub mod replay;
pub mod show;
pub mod stats;
pub mod tarmac;
