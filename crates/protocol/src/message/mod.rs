//! Messages between coordinator and worker: their sent form.
//!
//! `v1` is what is sent, `write` and `read` go there and back. Framing on the wire is the
//! transport's business: a message fills the bytes that it is read from.

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod golden;
mod read;
mod v1;
mod write;

use model::message::{AttemptEvent, FromWorker, News, Order, ToWorker};
use prost::Message;

use crate::error::DecodeError;

/// The sent form of a message to a worker.
#[must_use]
pub fn encode_to_worker(message: &ToWorker) -> Vec<u8> {
    write::to_worker(message).encode_to_vec()
}

/// Reads what [`encode_to_worker`] wrote.
///
/// # Errors
/// The bytes are no such message, or of an unknown kind.
pub fn decode_to_worker(bytes: &[u8]) -> Result<ToWorker, DecodeError> {
    read::to_worker(v1::ToWorker::decode(bytes)?)
}

/// The sent form of a message from a worker.
#[must_use]
pub fn encode_from_worker(message: &FromWorker) -> Vec<u8> {
    write::from_worker(message).encode_to_vec()
}

/// Reads what [`encode_from_worker`] wrote.
///
/// # Errors
/// The bytes are no such message, or of an unknown kind.
pub fn decode_from_worker(bytes: &[u8]) -> Result<FromWorker, DecodeError> {
    read::from_worker(v1::FromWorker::decode(bytes)?)
}

macro_rules! kinds {
    ($list:ident, $function:ident, $type:ty { $($name:literal: $pattern:pat,)* }) => {
        /// The names of all kinds, as golden files show them.
        pub const $list: &[&str] = &[$($name),*];

        /// The name of one's kind. A new kind does not compile until it has one.
        #[must_use]
        pub const fn $function(one: &$type) -> &'static str {
            match one { $($pattern => $name,)* }
        }
    };
}

kinds!(ORDER_KINDS, order_kind, Order {
    "order_welcome": Order::Welcome { .. },
    "order_assign": Order::Assign(_),
    "order_stop": Order::Stop { .. },
    "order_acknowledge": Order::Acknowledge { .. },
    "order_renew": Order::Renew { .. },
});

kinds!(NEWS_KINDS, news_kind, News {
    "news_hello": News::Hello { .. },
    "news_beat": News::Beat { .. },
    "news_reports": News::Reports { .. },
});

kinds!(EVENT_KINDS, event_kind, AttemptEvent {
    "event_started": AttemptEvent::Started,
    "event_ended": AttemptEvent::Ended { .. },
    "event_returned": AttemptEvent::Returned,
    "event_checkpointed": AttemptEvent::Checkpointed { .. },
});
