use super::RandomKey;

/// The numbers below `count` in random order. TensorFlow's `RandomShuffle` takes the rows of a
/// tensor in this order.
pub fn shuffle_permutation(key: RandomKey, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut samples = (0..).flat_map(|group| key.group(group));
    for i in 0..count.saturating_sub(1) {
        let left = (count - i) as u64;
        let mut sample = u64::from(samples.next().unwrap_or_default());
        if left > u64::from(u32::MAX) {
            sample |= u64::from(samples.next().unwrap_or_default()) << 32;
        }
        order.swap(i, i + (sample % left) as usize);
    }
    order
}
