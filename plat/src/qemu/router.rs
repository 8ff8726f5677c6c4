//! The example of docs/partitions.md: an EL3 logical partition that answers a call of the normal world's by asking a
//! secure partition. It is in the image with the feature `calls`, whose boots run it.

use crate::{Call, El3};
use core::sync::atomic::{AtomicU16, Ordering::Relaxed};
use janus_spmd::{Body, LogicalPartition, Message, Messenger, NotAvailable, Request};

/// The partition. All cores share it.
pub struct Router {
    /// The secure partition's ID; zero until it is found.
    found: AtomicU16,
}

pub static ROUTER: Router = Router {
    found: AtomicU16::new(0),
};

/// The protocol that both speak: 8 bytes of the UUID in each register, little-endian.
const PROTOCOL: [u64; 2] = [0x4f9a_27d1_0b6c_8e53, 0x91e6_3c08_d4a7_f25b];

impl LogicalPartition for Router {
    fn id(&self) -> u16 {
        0xffd0
    }

    fn uuid(&self) -> [u64; 2] {
        PROTOCOL
    }

    fn patience_ms(&self) -> u32 {
        30_000
    }

    fn start(&self, _: &mut dyn Messenger) {}
}

/// FFA_SUCCESS and FFA_MSG_SEND_DIRECT_RESP in their 64-bit forms.
const SUCCESS: u64 = 0xc400_0061;
const RESPONSE: u64 = 0xc400_0070;

impl Router {
    /// Returns the ID of the secure partition that speaks the protocol.
    fn find(&self, messenger: &mut dyn Messenger) -> Result<Option<u16>, NotAvailable> {
        let known = self.found.load(Relaxed);
        if known != 0 {
            return Ok(Some(known));
        }
        let answer = messenger.ask(Request::Discover {
            uuid: PROTOCOL,
            start: 0,
        })?;
        if answer[0] != SUCCESS {
            return Ok(None);
        }
        self.found.store(answer[3] as u16, Relaxed);
        Ok(Some(answer[3] as u16))
    }

    /// Sends a word to that partition, and returns what it says.
    fn ask(&self, messenger: &mut dyn Messenger, word: u64) -> Result<Option<u64>, NotAvailable> {
        let Some(receiver) = self.find(messenger)? else {
            return Ok(None);
        };
        let answer = messenger.ask(Request::Message(Message {
            sender: self.id(),
            receiver,
            body: Body::Req64([word, 0, 0, 0, 0]),
        }))?;
        Ok((answer[0] == RESPONSE).then_some(answer[3]))
    }
}

/// The call: x1 is the word. x0 is 0 and x1 the answer, or x0 is NOT_SUPPORTED.
pub fn route(el3: &mut dyn El3, call: &Call) {
    let word = call.parameter(el3, 1);
    match ROUTER.ask(el3, word) {
        Ok(Some(said)) => call.answer(el3, &[0, said]),
        // Nobody speaks the protocol, it answered with an error, or there is no SPMC here.
        Ok(None) | Err(_) => call.answer(el3, &[u64::MAX]),
    }
}
