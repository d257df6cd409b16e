use super::table::{FOOTER_LEN, MAGIC, RAW};
use crate::bytes::encode_varint;
use crate::checksum::masked;

/// The length at which a block ends.
const BLOCK_LEN: usize = 1 << 18;
/// The distance between entries of a block whose keys are whole.
const RESTART_INTERVAL: usize = 16;

/// The bytes of a table of `entries`, whose keys must ascend.
pub(super) fn write_table<'a>(
    entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    block_len: usize,
) -> Vec<u8> {
    let mut table = Vec::new();
    let mut index = Block::new(1);
    let mut block = Block::new(RESTART_INTERVAL);
    for (key, value) in entries {
        block.add(key, value);
        if block.bytes.len() >= block_len {
            block.end(&mut table, &mut index);
        }
    }
    if block.count > 0 {
        block.end(&mut table, &mut index);
    }
    let mut footer = Block::new(1).write(&mut table);
    footer.extend(index.write(&mut table));
    footer.resize(FOOTER_LEN - size_of::<u64>(), 0);
    footer.extend(MAGIC.to_le_bytes());
    table.extend(footer);
    table
}

/// [`write_table`] with blocks of the usual length.
pub(super) fn write_usual_table<'a>(
    entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Vec<u8> {
    write_table(entries, BLOCK_LEN)
}

/// A block that is being written.
struct Block {
    interval: usize,
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    count: usize,
    last_key: Vec<u8>,
}

impl Block {
    fn new(interval: usize) -> Self {
        let restarts = vec![0];
        Block { interval, bytes: Vec::new(), restarts, count: 0, last_key: Vec::new() }
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        let mut shared = 0;
        if !self.count.is_multiple_of(self.interval) {
            shared = self.last_key.iter().zip(key).take_while(|(last, new)| last == new).count();
        } else if self.count > 0 {
            // A block exceeds its limit by little, unless a name is long.
            self.restarts.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        }
        for length in [shared, key.len() - shared, value.len()] {
            encode_varint(length as u64, &mut self.bytes);
        }
        self.bytes.extend(&key[shared..]);
        self.bytes.extend(value);
        self.last_key = key.to_vec();
        self.count += 1;
    }

    /// Writes the block, enters it in the index, and begins a new one.
    fn end(&mut self, table: &mut Vec<u8>, index: &mut Block) {
        let block = std::mem::replace(self, Block::new(self.interval));
        let last_key = block.last_key.clone();
        let handle = block.write(table);
        index.add(&last_key, &handle);
    }

    /// Appends the block to a table; returns its place.
    fn write(mut self, table: &mut Vec<u8>) -> Vec<u8> {
        let restarts = self.restarts.iter().flat_map(|place| place.to_le_bytes());
        self.bytes.extend(restarts);
        self.bytes.extend((self.restarts.len() as u32).to_le_bytes());
        let mut handle = Vec::new();
        encode_varint(table.len() as u64, &mut handle);
        encode_varint(self.bytes.len() as u64, &mut handle);
        self.bytes.push(RAW);
        table.extend(&self.bytes);
        table.extend(masked(crc32c::crc32c(&self.bytes)).to_le_bytes());
        handle
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{Entry, TRAILER_LEN, TableError, read_table};
    use super::*;

    fn entries(count: usize) -> Vec<Entry> {
        let key = |i| if i == 0 { String::new() } else { format!("layer/{i:05}") };
        (0..count).map(|i| (key(i).into_bytes(), vec![i as u8; i % 7])).collect()
    }

    fn write(entries: &[Entry], block_len: usize) -> Vec<u8> {
        write_table(entries.iter().map(|(k, v)| (k.as_slice(), v.as_slice())), block_len)
    }

    #[test]
    fn tables_of_any_number_of_blocks_read_back() {
        for count in [0, 1, 2, 16, 17, 100] {
            let entries = entries(count);
            for block_len in [1, 50, BLOCK_LEN] {
                assert_eq!(read_table(&write(&entries, block_len)), Ok(entries.clone()));
            }
        }
    }

    #[test]
    fn no_changed_byte_changes_what_is_read() {
        let entries = entries(20);
        let table = write(&entries, 100);
        for i in 0..table.len() {
            for bit in 0..8 {
                let mut damaged = table.clone();
                damaged[i] ^= 1 << bit;
                if let Ok(read) = read_table(&damaged) {
                    assert_eq!(read, entries, "byte {i}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn tables_that_end_early_are_refused() {
        let table = write(&entries(20), 100);
        for length in 0..table.len() {
            assert!(read_table(&table[..length]).is_err(), "{length}");
        }
        assert_eq!(read_table(&table[..3]), Err(TableError::TooShort { length: 3 }));
    }

    #[test]
    fn keys_that_do_not_ascend_are_refused() {
        let mut unsorted = entries(5);
        unsorted.swap(1, 2);
        assert_eq!(read_table(&write(&unsorted, BLOCK_LEN)), Err(TableError::Order));
        assert_eq!(read_table(&write(&unsorted, 1)), Err(TableError::Order));
    }

    #[test]
    fn keys_that_share_too_much_are_refused() {
        let long = vec![b'a'; 1 << 14];
        let mut block = Block::new(usize::MAX);
        block.add(&long, &[]);
        for i in 0..1000_u16 {
            block.add(&[&long[..], &i.to_be_bytes()].concat(), &[]);
        }
        let (mut table, mut index) = (Vec::new(), Block::new(1));
        block.end(&mut table, &mut index);
        assert!(matches!(read_table(&finish(table, index)), Err(TableError::Keys { .. })));
    }

    fn finish(mut table: Vec<u8>, index: Block) -> Vec<u8> {
        let mut footer = Block::new(1).write(&mut table);
        footer.extend(index.write(&mut table));
        footer.resize(FOOTER_LEN - size_of::<u64>(), 0);
        table.extend(footer);
        table.extend(MAGIC.to_le_bytes());
        table
    }

    #[test]
    fn blocks_compressed_by_snappy_are_read() {
        let mut block = Block::new(RESTART_INTERVAL);
        let entries = entries(60);
        entries.iter().for_each(|(key, value)| block.add(key, value));
        let mut raw = Vec::new();
        let last_key = block.last_key.clone();
        block.write(&mut raw);
        raw.truncate(raw.len() - TRAILER_LEN);
        let mut table = snap::raw::Encoder::new().compress_vec(&raw).unwrap();
        let mut handle = vec![0];
        encode_varint(table.len() as u64, &mut handle);
        table.push(super::super::table::SNAPPY);
        table.extend(masked(crc32c::crc32c(&table)).to_le_bytes());
        let mut index = Block::new(1);
        index.add(&last_key, &handle);
        assert_eq!(read_table(&finish(table, index)), Ok(entries));
    }
}
