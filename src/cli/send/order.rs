//! `--duplicate` and `--shuffle`: a network's bad habits, repeatable from a seed.

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere. Not for secrets.
#[derive(Debug, Clone)]
pub struct SplitMix(u64);

impl SplitMix {
    /// A generator whose numbers are decided by `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0; the bias is far below what a test would see.
    fn below(&mut self, bound: usize) -> usize {
        let scaled = (u128::from(self.next()) * bound as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// Fisher and Yates' shuffle.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The items, with `percent` of them once more at the end, as a retry comes after the rest.
pub fn with_duplicates<T: Clone>(mut items: Vec<T>, percent: u8, random: &mut SplitMix) -> Vec<T> {
    let count = (items.len() * usize::from(percent)).div_ceil(100);
    let mut chosen: Vec<usize> = (0..items.len()).collect();
    random.shuffle(&mut chosen);
    chosen.truncate(count);
    chosen.sort_unstable();
    let again: Vec<T> = chosen
        .into_iter()
        .filter_map(|index| items.get(index).cloned())
        .collect();
    items.extend(again);
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut random = SplitMix::new(1_234_567);
        assert_eq!(
            [random.next(), random.next()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn a_seed_decides_the_order_and_nothing_is_lost() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..100).collect();
            SplitMix::new(seed).shuffle(&mut items);
            items
        };
        assert_eq!(shuffled(7), shuffled(7));
        assert_ne!(shuffled(7), shuffled(8));
        let mut sorted = shuffled(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn a_percentage_is_sent_again_each_at_most_once() {
        let sent = with_duplicates((0..50).collect::<Vec<u32>>(), 10, &mut SplitMix::new(0));
        assert_eq!(sent.len(), 55);
        let again = &sent[50..];
        assert!(
            again.is_sorted() && again.windows(2).all(|pair| pair[0] != pair[1]),
            "{again:?}"
        );
        assert_eq!(with_duplicates(vec![1], 1, &mut SplitMix::new(0)).len(), 2);
        assert_eq!(
            with_duplicates(vec![1, 2], 0, &mut SplitMix::new(0)).len(),
            2
        );
        assert_eq!(
            with_duplicates(vec![1, 2], 100, &mut SplitMix::new(0)).len(),
            4
        );
    }
}
