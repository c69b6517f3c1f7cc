//! A call of a language model, with all texts filled in.

use alloc::string::String;
use alloc::vec::Vec;

use super::http::Text;
use crate::Span;

/// What is asked, and who is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCall {
    /// Who is asked.
    pub model: Model,
    /// What is asked.
    pub ask: Ask,
}

/// A model, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name in the workflow.
    pub name: String,
    /// The URL that `/chat/completions` and its like are below.
    pub endpoint: String,
    /// The name that the server knows it by.
    pub model: String,
    /// What shows the server who asks.
    pub key: Option<Text>,
    /// What it costs.
    pub price: Price,
    /// How long is waited for a whole answer.
    pub timeout: Span,
}

/// What a million tokens cost, in millionths of a currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Of those that are sent.
    pub input_micro: u64,
    /// Of those that come back.
    pub output_micro: u64,
}

impl Price {
    /// What tokens cost, in millionths of the currency, rounded up.
    #[must_use]
    pub fn of(self, tokens_in: u64, tokens_out: u64) -> u64 {
        let cost = u128::from(tokens_in) * u128::from(self.input_micro)
            + u128::from(tokens_out) * u128::from(self.output_micro);
        u64::try_from(cost.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To go on with a conversation.
    Generate(Generate),
    /// Where texts lie in its space.
    Embed(Embed),
}

/// What is generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generate {
    /// A JSON list of messages.
    pub messages: Vec<u8>,
    /// A JSON object: what is sent besides.
    pub parameters: Vec<u8>,
    /// The JSON Schema that the answer has to fit.
    pub schema: Option<Vec<u8>>,
    /// How often the model may mend an answer that does not fit.
    pub repairs_max: u8,
    /// Whether the answer comes piece by piece.
    pub is_streamed: bool,
}

/// What is embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embed {
    /// The texts.
    pub inputs: Vec<String>,
    /// Whether they were given as a list.
    pub is_list: bool,
    /// A JSON object: what is sent besides.
    pub parameters: Vec<u8>,
    /// The file that the embeddings are written to, relative to where the attempt starts.
    pub save: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tokens_cost_is_rounded_up_once() {
        let price = Price { input_micro: 150_000, output_micro: 600_000 };
        assert_eq!(price.of(1_000_000, 1_000_000), 750_000);
        assert_eq!(price.of(1, 0), 1);
        assert_eq!(price.of(0, 0), 0);
        assert_eq!(Price { input_micro: u64::MAX, output_micro: 0 }.of(u64::MAX, 0), u64::MAX);
    }
}
