/// The inputs that determine a draw of random numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RandomKey {
    /// The seed of the graph. TensorFlow's attribute `seed`.
    pub seed: u64,
    /// The seed of the operation. TensorFlow's attribute `seed2`.
    pub stream: u64,
    /// The number of draws made before with the same seeds.
    pub count: u64,
}

impl RandomKey {
    /// The numbers at position `group` of the draw.
    ///
    /// The stream takes the upper half of the counter, the lower bits of `count` and `group` the
    /// rest. Their bits above 32 go into the key, so that no two draws coincide.
    #[inline]
    pub fn group(&self, group: u64) -> [u32; 4] {
        let [stream_low, stream_high] = halves(self.stream);
        let ([group_low, group_high], [count_low, count_high]) =
            (halves(group), halves(self.count));
        let above = u64::from(count_high) << 32 | u64::from(group_high);
        let counter = [group_low, count_low, stream_low, stream_high];
        philox(counter, halves(self.seed ^ mix(above)))
    }
}

fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

/// The finalizer of SplitMix64. It is a bijection that maps 0 to itself.
fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

/// The block function Philox4x32-10: the random numbers at `counter` of the sequence `key`.
#[inline]
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let [low_0, high_0] = halves(u64::from(counter[0]) * 0xD251_1F53);
        let [low_2, high_2] = halves(u64::from(counter[2]) * 0xCD9E_8D57);
        counter = [high_2 ^ counter[1] ^ key[0], low_2, high_0 ^ counter[3] ^ key[1], low_0];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}
