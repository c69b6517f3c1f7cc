//! Holds what may be seen outside until the facts it rests on are durable (invariant S9).

use alloc::collections::VecDeque;
use model::Seq;

/// Effects in the order in which they were made, each with the last fact before it.
#[derive(Debug)]
pub struct Pipeline<E> {
    waiting: VecDeque<(Seq, E)>,
    durable: Seq,
}

impl<E> Pipeline<E> {
    /// A pipeline behind which everything up to `durable` is durable.
    #[must_use]
    pub const fn new(durable: Seq) -> Self {
        Self { waiting: VecDeque::new(), durable }
    }

    /// Adds an effect that rests on the facts up to `seq`. Sequence numbers never go back.
    pub fn push(&mut self, seq: Seq, effect: E) {
        debug_assert!(self.waiting.back().is_none_or(|&(last, _)| last <= seq));
        self.waiting.push_back((seq, effect));
    }

    /// Everything up to `seq` is durable now.
    pub fn advance(&mut self, seq: Seq) {
        self.durable = self.durable.max(seq);
    }

    /// The next effect that may leave.
    pub fn pop(&mut self) -> Option<E> {
        let ready = self.waiting.front().is_some_and(|&(seq, _)| seq <= self.durable);
        if ready { self.waiting.pop_front().map(|(_, effect)| effect) } else { None }
    }

    /// The last fact that is known to be durable.
    #[must_use]
    pub const fn durable(&self) -> Seq {
        self.durable
    }

    /// How many effects wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_before_it_is_durable_and_order_is_kept() {
        let mut pipeline = Pipeline::new(Seq(3));
        pipeline.push(Seq(3), 'a');
        pipeline.push(Seq(5), 'b');
        pipeline.push(Seq(5), 'c');
        pipeline.push(Seq(6), 'd');
        assert_eq!(pipeline.pop(), Some('a'));
        assert_eq!(pipeline.pop(), None);
        pipeline.advance(Seq(5));
        pipeline.advance(Seq(4));
        assert_eq!([pipeline.pop(), pipeline.pop(), pipeline.pop()], [Some('b'), Some('c'), None]);
        assert_eq!(pipeline.len(), 1);
    }
}
