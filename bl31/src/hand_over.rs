//! The hand-over of boot firmware in each of its forms: TF-A's parameter list (address in x0), a transfer list of Arm's
//! Firmware Handoff (DEN0135: signature in x1, address in x3), or both.
//!
//! If both name an image, the parameter list wins. A list with a fault is reported on the console and not used.

use crate::boot_params::{self, BootParams, EntryPoint, LoadedImage, World};
use crate::hw::shared_ram::{self, SharedRam};
use crate::messages::{error, info, warning};
use crate::transfer_list::{SIGNATURE, Tag, TransferList, X1};

/// The registers of a hand-over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    /// The address of the parameter list, or of the device tree in the transfer list.
    pub x0: u64,
    /// [`X1`] if there is a transfer list.
    pub x1: u64,
    /// The address of the transfer list, if there is one.
    pub x3: u64,
}

/// The hand-over, as far as it can be used.
pub struct HandOver {
    /// The images.
    pub params: BootParams,
    /// The transfer list.
    pub list: Option<TransferList<'static>>,
}

/// Reads what boot firmware handed over in these registers.
pub fn read(registers: &Registers) -> HandOver {
    let list = list(registers);
    let mut params = BootParams::default();
    let read = params.read(&SharedRam, registers.x0);
    if let Some(list) = &list {
        take_entry_points(&mut params, list);
    }
    // With a transfer list, x0 may be a device tree: a fault counts only if BL33 is missing.
    if let Err(fault) = read
        && params.bl33.is_none()
    {
        error!("BL2's parameters cannot be used: {fault}");
    }
    HandOver { params, list }
}

/// Returns the transfer list, if there is one that can be used.
#[inline(never)]
fn list(registers: &Registers) -> Option<TransferList<'static>> {
    let Registers { x1, x3: at, .. } = *registers;
    if x1 as u32 != SIGNATURE {
        return None;
    }
    if x1 != X1 {
        warning!("x1 = {x1:#x} marks a transfer list in a way that is not known: it is not read");
        return None;
    }
    let Some(bytes) = shared_ram::list_from(at) else {
        error!("no transfer list: x3 = {at:#x} is not in BL2's memory");
        return None;
    };
    match TransferList::read(bytes, at) {
        Ok(list) => {
            info!("transfer list at {at:#x}");
            Some(list)
        }
        Err(fault) => {
            error!("the transfer list at {at:#x} cannot be used: {fault}");
            None
        }
    }
}

/// Adds the images whose entry points are in the transfer list and not in the parameter list.
#[inline(never)]
fn take_entry_points(params: &mut BootParams, list: &TransferList<'_>) {
    for found in list.entries().filter(|entry| entry.tag == Tag::ENTRY_POINT) {
        match boot_params::entry_point(&SharedRam, found.at, found.data.len()) {
            Ok((world, mut entry)) => {
                let image = match world {
                    World::Normal => &mut params.bl33,
                    World::Secure => &mut params.bl32,
                    World::Other => continue,
                };
                entry.args[1] = X1;
                image.get_or_insert(LoadedImage { entry, place: None });
            }
            Err(fault) => error!("the transfer list: {fault}"),
        }
    }
}

/// Writes the entries that the normal world may have into a list of its own, and sets the registers by which BL33
/// finds it. Does nothing if boot firmware did not give BL33 a transfer list.
pub fn give_to_normal_world(list: &TransferList<'_>, entry: &mut EntryPoint) {
    if entry.args[1] != X1 {
        return;
    }
    let given =
        shared_ram::write_normal_list(|to, at| Ok((list.write_for_normal_world(to, at)?, at)));
    match given {
        Some(Ok((device_tree, at))) => entry.args[..4].copy_from_slice(&[device_tree, X1, 0, at]),
        // The platform has no memory for it: BL33 gets the one that BL2 named.
        None => {}
        Some(Err(fault)) => {
            error!("BL33 gets no transfer list: {fault}");
            entry.args = [0; 8];
        }
    }
}
