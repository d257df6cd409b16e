//! A sorted table of keys and values in LevelDB's format, as TensorFlow writes it.

use crate::bytes::decode_varint;
use crate::checksum::{is_right, masked};

pub(crate) const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
pub(super) const FOOTER_LEN: usize = 48;
/// The trailer of a block: its compression, and its checksum.
pub(super) const TRAILER_LEN: usize = 5;
pub(super) const RAW: u8 = 0;
pub(super) const SNAPPY: u8 = 1;

/// Snappy expands three bytes to at most 64.
const MOST_EXPANSION: usize = 22;
/// Keys share prefixes, so they may take more bytes than the file: at most this many times more,
/// and this many in a small file.
const KEY_EXPANSION: usize = 64;
const KEY_BYTES: usize = 1 << 20;

/// The error of reading a table.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// There are too few bytes.
    #[error("it has {length} bytes, but a table has at least {FOOTER_LEN}")]
    TooShort {
        /// The number of bytes.
        length: usize,
    },
    /// It does not end with the magic number.
    #[error("it does not end with the magic number of a table")]
    Magic,
    /// The position of a block is beyond the end of the bytes.
    #[error("it refers to a block outside of it")]
    Handle,
    /// The bytes of a block have changed.
    #[error(
        "the checksum of the block at byte {offset} is {actual:#010x}, but should be \
         {expected:#010x}"
    )]
    Checksum {
        /// The offset of the block.
        offset: usize,
        /// The checksum of its bytes.
        actual: u32,
        /// The expected value.
        expected: u32,
    },
    /// The compression of a block is unknown.
    #[error("the block at byte {offset} has the unknown compression {kind}")]
    Compression {
        /// The offset of the block.
        offset: usize,
        /// The number of the compression.
        kind: u8,
    },
    /// A block is malformed.
    #[error("the block at byte {offset} is malformed")]
    Block {
        /// The offset of the block.
        offset: usize,
    },
    /// The keys do not ascend.
    #[error("its keys are not in ascending order")]
    Order,
    /// The keys take too many bytes.
    #[error("its keys take more than {most} bytes")]
    Keys {
        /// The most that they may take.
        most: usize,
    },
}

tidemill_value::debug_as_report!(TableError);

/// A key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// The entries of a table, whose keys ascend.
pub(super) fn read_table(bytes: &[u8]) -> Result<Vec<Entry>, TableError> {
    let length = bytes.len();
    let (blocks, footer) =
        bytes.split_last_chunk::<FOOTER_LEN>().ok_or(TableError::TooShort { length })?;
    let (handles, magic) = footer.split_at(FOOTER_LEN - size_of::<u64>());
    if magic != MAGIC.to_le_bytes() {
        return Err(TableError::Magic);
    }
    let mut handles = handles;
    let _metadata = Handle::decode(&mut handles).ok_or(TableError::Handle)?;
    let index = Handle::decode(&mut handles).ok_or(TableError::Handle)?;
    let most = length.saturating_mul(KEY_EXPANSION).saturating_add(KEY_BYTES);
    let mut entries = Vec::new();
    let mut key_bytes = KeyBudget { most, left: most };
    let mut end = 0;
    for (_, handle) in read_block(blocks, index, &mut KeyBudget { most, left: most })? {
        let block = Handle::decode(&mut handle.as_slice()).ok_or(TableError::Handle)?;
        // Otherwise a short file could refer to one block many times.
        if block.offset < end {
            return Err(TableError::Order);
        }
        end = block.offset.saturating_add(block.size).saturating_add(TRAILER_LEN);
        entries.extend(read_block(blocks, block, &mut key_bytes)?);
    }
    match entries.is_sorted_by(|(left, _), (right, _)| left < right) {
        true => Ok(entries),
        false => Err(TableError::Order),
    }
}

/// The place of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Handle {
    offset: usize,
    size: usize,
}

impl Handle {
    fn decode(bytes: &mut &[u8]) -> Option<Handle> {
        let offset = usize::try_from(decode_varint(bytes)?).ok()?;
        let size = usize::try_from(decode_varint(bytes)?).ok()?;
        Some(Handle { offset, size })
    }
}

/// The bytes that the keys may still take.
struct KeyBudget {
    most: usize,
    left: usize,
}

impl KeyBudget {
    fn spend(&mut self, bytes: usize) -> Result<(), TableError> {
        self.left = self.left.checked_sub(bytes).ok_or(TableError::Keys { most: self.most })?;
        Ok(())
    }
}

/// The entries of the block at a place.
fn read_block(
    blocks: &[u8],
    handle: Handle,
    keys: &mut KeyBudget,
) -> Result<Vec<Entry>, TableError> {
    let Handle { offset, size } = handle;
    let end = offset.checked_add(size).ok_or(TableError::Handle)?;
    let content = blocks.get(offset..end).ok_or(TableError::Handle)?;
    let trailer = blocks.get(end..).and_then(|rest| rest.first_chunk::<TRAILER_LEN>());
    let &[kind, checksum @ ..] = trailer.ok_or(TableError::Handle)?;
    let expected = u32::from_le_bytes(checksum);
    let actual = masked(crc32c::crc32c_append(crc32c::crc32c(content), &[kind]));
    if !is_right(actual, expected) {
        return Err(TableError::Checksum { offset, actual, expected });
    }
    match kind {
        RAW => parse_block(content, offset, keys),
        SNAPPY => parse_block(&decompress(content, offset)?, offset, keys),
        kind => Err(TableError::Compression { offset, kind }),
    }
}

fn decompress(content: &[u8], offset: usize) -> Result<Vec<u8>, TableError> {
    let malformed = |_| TableError::Block { offset };
    let length = snap::raw::decompress_len(content).map_err(malformed)?;
    if length > content.len().saturating_mul(MOST_EXPANSION) {
        return Err(TableError::Block { offset });
    }
    snap::raw::Decoder::new().decompress_vec(content).map_err(malformed)
}

fn parse_block(
    content: &[u8],
    offset: usize,
    keys: &mut KeyBudget,
) -> Result<Vec<Entry>, TableError> {
    let malformed = TableError::Block { offset };
    let mut rest = entries_of(content).ok_or(malformed.clone())?;
    let mut entries: Vec<Entry> = Vec::new();
    while !rest.is_empty() {
        let previous = entries.last().map_or(&[][..], |(key, _)| key);
        let (shared, added, value) = next_entry(&mut rest, previous).ok_or(malformed.clone())?;
        keys.spend(shared.len() + added.len())?;
        entries.push(([shared, added].concat(), value.to_vec()));
    }
    Ok(entries)
}

/// The bytes of a block's entries, without the list after them of the places of whole keys.
fn entries_of(content: &[u8]) -> Option<&[u8]> {
    let (rest, count) = content.split_last_chunk()?;
    let places = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(size_of::<u32>())?;
    rest.get(..rest.len().checked_sub(places)?)
}

/// The length of the prefix that the next entry's key shares with the key before, the rest of the
/// key, and the value.
fn next_entry<'a, 'b>(
    rest: &mut &'a [u8],
    previous: &'b [u8],
) -> Option<(&'b [u8], &'a [u8], &'a [u8])> {
    let mut length = || usize::try_from(decode_varint(rest)?).ok();
    let (shared, added, value) = (length()?, length()?, length()?);
    let shared = previous.get(..shared)?;
    let (added, after) = rest.split_at_checked(added)?;
    let (value, after) = after.split_at_checked(value)?;
    *rest = after;
    Some((shared, added, value))
}
