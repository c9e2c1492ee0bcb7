// SPDX-License-Identifier: MIT OR Apache-2.0

//! What events carry: slices of one table of noise, so that neither making nor checking them costs much.

/// Places in the table at which payloads begin.
const STARTS: usize = 4096;

pub(super) struct Payloads {
    noise: Vec<u8>,
    lens: Vec<usize>,
}

impl Payloads {
    pub(super) fn new(lens: &[usize]) -> Self {
        let longest = lens.iter().copied().max().unwrap_or(0);
        let mut noise = Vec::with_capacity(STARTS + longest + 8);
        let mut state = 1_u64;
        while noise.len() < STARTS + longest {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // The low bits of such a generator repeat early.
            noise.extend_from_slice(&(state >> 32).to_ne_bytes()[..4]);
        }
        Self {
            noise,
            lens: lens.to_vec(),
        }
    }

    /// Payload number `n` of producer `producer`.
    pub(super) fn of(&self, producer: usize, n: u64) -> &[u8] {
        let len = self.lens[(n % self.lens.len() as u64) as usize];
        let mixed = (n ^ (producer as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let start = (mixed >> 52) as usize;
        &self.noise[start..start + len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ() {
        let payloads = Payloads::new(&[16]);
        for n in 0..10_000 {
            assert_ne!(payloads.of(0, n), payloads.of(0, n + 1));
            assert_ne!(payloads.of(0, n), payloads.of(1, n));
        }
        assert!(Payloads::new(&[0, 5]).of(0, 0).is_empty());
        assert_eq!(Payloads::new(&[0, 5]).of(0, 1).len(), 5);
    }
}
