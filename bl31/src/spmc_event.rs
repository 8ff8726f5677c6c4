//! What the SPMC does for EL3.

/// What the SPMC has finished on EL3's behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpmcEvent {
    /// Its initialisation on this core.
    Ready,
    /// Its initialisation on this core, without success. The reason has been reported.
    Failed,
    /// A request of the SPMD, with this answer.
    Answered(janus_spmd::Answer),
}
