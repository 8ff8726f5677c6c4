//! An example of an EL3 logical partition, for tests (feature `greeter`) and to start one's own from.
//!
//! It looks for a secure partition that speaks its protocol and greets it by each kind of direct
//! request. Each greeting contains the answer to the one before, so that the greeted partition
//! sees that its answers arrived.

use janus_spmd::{Body, LogicalPartition, Message, Messenger, NotAvailable, Request};

/// The example. It has no state. A partition with state needs a lock or atomics, because all cores share it.
pub struct Greeter;

/// The UUID of the greeting protocol, 8 bytes in each register, little-endian.
const PROTOCOL: [u64; 2] = [0x4a6e_1c9b_6772_6565, 0x7465_7220_454c_3321];
/// FFA_SUCCESS, SMC64: the answer to a discovery that found something.
const SUCCESS: u64 = 0xC400_0061;

impl LogicalPartition for Greeter {
    fn id(&self) -> u16 {
        0xFFC0
    }

    fn uuid(&self) -> [u64; 2] {
        PROTOCOL
    }

    fn start(&self, messenger: &mut dyn Messenger) {
        // Whether there is somebody to greet or not, the system starts.
        let _ = self.greet(messenger);
    }
}

impl Greeter {
    fn greet(&self, messenger: &mut dyn Messenger) -> Result<(), NotAvailable> {
        let found = messenger.ask(Request::Discover {
            uuid: PROTOCOL,
            start: 0,
        })?;
        if found[0] != SUCCESS {
            return Ok(());
        }
        let to = |body| {
            Request::Message(Message {
                sender: self.id(),
                receiver: found[3] as u16,
                body,
            })
        };
        let answer = messenger.ask(to(Body::Req32([1, 2, 3, 4, 5])))?;
        let answer = messenger.ask(to(Body::Req64([answer[3], 1 << 40, 0, 0, 0])))?;
        let mut payload = [0; 14];
        payload[13] = answer[3];
        messenger.ask(to(Body::Req2 {
            uuid: PROTOCOL,
            payload,
        }))?;
        Ok(())
    }
}
