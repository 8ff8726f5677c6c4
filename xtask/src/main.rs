//! Builds, packages, runs and tests Janus.
fn main() {}
