//! The registers of the core that executes, as QEMU shows them to plugins.

use qemu_plugin::{RegisterDescriptor, qemu_plugin_get_registers};
use std::sync::OnceLock;

/// Every register that is read. All cores are alike, so they share one set of handles.
pub static REGISTERS: OnceLock<Registers> = OnceLock::new();

/// The number of EL3.
pub const EL3: u8 = 3;

/// A register by its handle.
pub struct Handle(RegisterDescriptor<'static>);

impl Handle {
    /// Its value; only in callbacks that may read registers.
    pub fn read(&self) -> u64 {
        let bytes = self.0.read().unwrap_or_default();
        let low = bytes.iter().take(8).rev();
        low.fold(0, |value, &byte| value << 8 | u64::from(byte))
    }
}

/// The registers that a record needs.
pub struct Registers {
    general: Vec<Handle>,
    pstate: Handle,
    affinity: Handle,
    own_data: Handle,
    /// VBAR_EL3.
    pub vectors: Handle,
    /// ESR_EL3.
    pub esr: Handle,
    /// SCR_EL3.
    pub scr: Handle,
    /// SPSR_EL3.
    pub spsr: Handle,
    /// ELR_EL3.
    pub elr: Handle,
}

impl Registers {
    /// Looks all of them up; for `on_vcpu_init`.
    ///
    /// # Errors
    /// The name of a register that QEMU does not have.
    pub fn find() -> Result<Registers, String> {
        let all = qemu_plugin_get_registers().map_err(|error| error.to_string())?;
        let handle = |name: &str| {
            let found = all.iter().find(|register| register.name == name);
            found.cloned().map(Handle).ok_or_else(|| name.to_owned())
        };
        let general: Result<_, _> = (0..18)
            .map(|number| handle(&format!("x{number}")))
            .collect();
        Ok(Registers {
            general: general?,
            pstate: handle("cpsr")?,
            affinity: handle("VMPIDR_EL2")?,
            own_data: handle("TPIDR_EL3")?,
            vectors: handle("VBAR_EL3")?,
            esr: handle("ESR_EL3")?,
            scr: handle("SCR_EL3").or_else(|_| handle("SCR"))?,
            spsr: handle("SPSR_EL3")?,
            elr: handle("ELR_EL3")?,
        })
    }

    /// The exception level that the core is at.
    pub fn el(&self) -> u8 {
        (self.pstate.read() >> 2 & 3) as u8
    }

    /// The affinity fields of VMPIDR_EL2: those of MPIDR_EL1 until software changes them.
    pub fn affinity(&self) -> u64 {
        self.affinity.read() & 0xff_00ff_ffff
    }

    /// TPIDR_EL3: where firmware keeps a core's data, and so another value on each core.
    pub fn own_data(&self) -> u64 {
        self.own_data.read()
    }

    /// x0 to x17.
    pub fn arguments(&self) -> [u64; 18] {
        let mut values = [0; 18];
        for (value, register) in values.iter_mut().zip(&self.general) {
            *value = register.read();
        }
        values
    }
}
