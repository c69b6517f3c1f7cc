//! The stored form of a definition: compact JSON, and what is long of that compressed.
//!
//! Scripts and names repeat, and each version of a run that grows is stored whole, so that a run of
//! many versions takes a tenth of the room. Short texts stay as they are: they can be read by eye.
//! Nothing here knows what a definition means.

use std::borrow::Cow;

/// Bytes of JSON that are compressed.
const COMPRESSED_FROM: usize = 16 << 10;
/// How compressed text begins, which no JSON does.
const COMPRESSED: u8 = 1;
/// Bytes of the length that follows.
const LENGTH_BYTES: usize = size_of::<u32>();
/// What one compressed byte may become: the format cannot say more.
const EXPANSION_MAX: usize = 255;

/// The stored form of a JSON text.
pub(super) fn pack(json: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(json.len()).ok().filter(|_| json.len() >= COMPRESSED_FROM);
    let Some(length) = length else { return json };
    let mut packed = vec![COMPRESSED];
    packed.extend(length.to_le_bytes());
    packed.extend(lz4_flex::block::compress(&json));
    packed
}

/// The JSON text of a stored form; `None` if it is damaged.
pub(super) fn unpack(stored: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some((&COMPRESSED, rest)) = stored.split_first() else { return Some(stored.into()) };
    let (length, body) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length > body.len().saturating_mul(EXPANSION_MAX) {
        return None;
    }
    let json = lz4_flex::block::decompress(body, length).ok()?;
    (json.len() == length).then(|| json.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_takes_less_room_and_comes_back_whole() {
        for length in [0, 1, COMPRESSED_FROM - 1, COMPRESSED_FROM, 1 << 20] {
            let json: Vec<u8> =
                b"{\"script\":\"true\"}".iter().copied().cycle().take(length).collect();
            let packed = pack(json.clone());
            assert_eq!(packed.len() < length / 10, length >= COMPRESSED_FROM);
            assert_eq!(unpack(&packed).as_deref(), Some(&*json));
        }
    }

    #[test]
    fn what_is_damaged_is_refused_and_takes_no_room() {
        let packed = pack(vec![b' '; COMPRESSED_FROM]);
        for end in 1..packed.len() {
            assert_eq!(unpack(&packed[..end]), None);
        }
        let lies = [&[COMPRESSED][..], &u32::MAX.to_le_bytes(), &packed[5..]].concat();
        assert_eq!(unpack(&lies), None);
    }
}
