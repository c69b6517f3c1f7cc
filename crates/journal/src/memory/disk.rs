//! One file on a disk that can lose what was not synced, and the checked blocks in it.
//!
//! It knows bytes and blocks of bytes, never what they mean.

use super::fault::Leftover;

/// What stands before each block: its length and its checksum.
const HEAD_BYTES: usize = 4 + 8;
/// What a disk writes at once.
const SECTOR_BYTES: usize = 512;

/// The file.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    /// As the running system sees it.
    bytes: Vec<u8>,
    /// A power cut keeps at least so much.
    synced: usize,
    /// From here on a failed sync has made the cache forget what it owes the disk.
    forgotten: Option<usize>,
}

impl Disk {
    /// Writes a block behind the others, into the cache.
    pub(super) fn write(&mut self, block: &[u8]) {
        let length = u32::try_from(block.len()).expect("a block is far below 4 GiB");
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(checksum(block));
        self.bytes.extend(block);
    }

    /// Brings what was written to the disk.
    pub(super) fn sync(&mut self) {
        self.synced = self.bytes.len();
    }

    /// Tries to, and fails.
    pub(super) fn fail_sync(&mut self) {
        self.forgotten.get_or_insert(self.synced);
    }

    /// Writes the whole tail once more, so that the cache owes it to the disk again.
    pub(super) fn rewrite(&mut self) {
        self.forgotten = None;
    }

    /// Puts one block in the place of all others, in one step that a power cut cannot split.
    pub(super) fn replace(&mut self, block: &[u8]) {
        *self = Self::default();
        self.write(block);
        self.sync();
    }

    /// How many bytes a power cut could take.
    pub(super) fn unsynced(&self) -> usize {
        self.bytes.len() - self.synced
    }

    /// Takes the power away.
    pub(super) fn cut_power(&mut self, leftover: Leftover) {
        let kept = self.synced.saturating_add(leftover.bytes).min(self.bytes.len());
        // What the cache forgot never reaches the disk, whatever was synced since.
        let kept = self.forgotten.take().map_or(kept, |from| from.min(kept));
        self.bytes.truncate(kept);
        if leftover.is_garbled && kept > self.synced {
            let from = self.synced.max(kept.saturating_sub(SECTOR_BYTES));
            self.bytes[from..].iter_mut().for_each(|byte| *byte ^= 0x5a);
        }
        self.synced = kept;
    }

    /// Reads the blocks that are whole, and drops a torn tail.
    pub(super) fn recover(&mut self) -> Vec<Vec<u8>> {
        let mut blocks = Vec::new();
        let mut rest = self.bytes.as_slice();
        while let Some((block, tail)) = next_block(rest) {
            blocks.push(block.to_vec());
            rest = tail;
        }
        let whole = self.bytes.len() - rest.len();
        self.bytes.truncate(whole);
        self.synced = self.synced.min(whole);
        blocks
    }
}

fn next_block(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let (length, sum) = head.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (block, rest) = rest.split_at_checked(length)?;
    (checksum(block) == sum).then_some((block, rest))
}

fn checksum(block: &[u8]) -> [u8; 8] {
    *blake3::hash(block).as_bytes().first_chunk().expect("a hash has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(disk: &Disk) -> Vec<Vec<u8>> {
        disk.clone().recover()
    }

    #[test]
    fn a_power_cut_takes_only_what_was_not_synced() {
        let mut disk = Disk::default();
        disk.write(b"one");
        disk.sync();
        disk.write(b"two");
        let mut lost = disk.clone();
        lost.cut_power(Leftover::default());
        assert_eq!(blocks(&lost), [b"one"]);
        for bytes in 0..100 {
            let mut torn = disk.clone();
            torn.cut_power(Leftover { bytes, is_garbled: bytes % 2 == 0 });
            assert_eq!(blocks(&torn)[0], b"one");
        }
    }

    #[test]
    fn a_failed_sync_loses_bytes_unless_they_are_written_again() {
        let mut disk = Disk::default();
        disk.write(b"one");
        disk.fail_sync();
        let mut trusting = disk.clone();
        trusting.sync();
        trusting.cut_power(Leftover::default());
        assert!(blocks(&trusting).is_empty());
        disk.rewrite();
        disk.sync();
        disk.cut_power(Leftover::default());
        assert_eq!(blocks(&disk), [b"one"]);
    }
}
