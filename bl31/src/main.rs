//! The image. Everything is in the library; entry.S calls into it.

#![no_std]
#![no_main]

use janus_bl31 as _;
