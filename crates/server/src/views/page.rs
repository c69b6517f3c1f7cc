//! A page of something that may be long. A cursor is the number of the entry that comes next.

use protocol::api::{PAGE_SIZE, PAGE_SIZE_MAX};

/// Where a page begins and how much of it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The first entry; `None` from the beginning.
    pub from: Option<u64>,
    /// How many entries at most; not 0.
    pub limit: usize,
}

impl Page {
    /// A page as a query asks for it; `None` if the cursor is none of ours.
    pub(crate) fn new(limit: Option<usize>, cursor: Option<&str>) -> Option<Self> {
        let from = cursor.map(str::parse).transpose().ok()?;
        Some(Self { from, limit: limit.unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE_MAX) })
    }

    /// The entries of the page, and the cursor of the next: the number of the first that is left.
    pub(crate) fn cut<T>(
        self,
        mut entries: impl Iterator<Item = T>,
        number: impl FnOnce(&T) -> u64,
    ) -> (Vec<T>, Option<String>) {
        let shown = entries.by_ref().take(self.limit).collect();
        let next = entries.next().map(|entry| number(&entry).to_string());
        (shown, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let mut page = Page::new(Some(3), None).expect("a page");
        let mut seen = Vec::new();
        loop {
            let from = page.from.unwrap_or(0);
            let (shown, next) = page.cut(from..7, |&number| number);
            seen.extend(shown);
            let Some(next) = next else { break };
            page = Page::new(Some(3), Some(&next)).expect("its own cursor");
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn limits_are_held_and_foreign_cursors_refused() {
        assert_eq!(Page::new(None, None).map(|page| page.limit), Some(PAGE_SIZE));
        assert_eq!(Page::new(Some(0), None).map(|page| page.limit), Some(1));
        assert_eq!(Page::new(Some(usize::MAX), None).map(|page| page.limit), Some(PAGE_SIZE_MAX));
        assert_eq!(Page::new(None, Some("next")), None);
    }
}
