/// The CRC-32C of some bytes as TensorFlow stores it: rotated and shifted, because a CRC over bytes
/// that hold CRCs themselves would be weak.
pub(crate) const fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// True if a checksum matches. Under fuzzing it always does, so that the code after it is reached.
pub(crate) const fn is_right(actual: u32, expected: u32) -> bool {
    cfg!(fuzzing) || actual == expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_is_that_of_the_format() {
        assert_eq!(masked(0), 0xa282_ead8);
        // The checksum of the empty block that every table contains.
        let empty_block = crc32c::crc32c(&[0, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(masked(empty_block), 0xb0a1_f2c0);
    }
}
