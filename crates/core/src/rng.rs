//! Randomness as a value.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// Where randomness comes from: the operating system, through aws-lc.
#[derive(Debug, Clone)]
pub struct Rng {
    source: SystemRandom,
}

impl Default for Rng {
    fn default() -> Self {
        Self::system()
    }
}

impl Rng {
    pub fn system() -> Self {
        Self { source: SystemRandom::new() }
    }

    /// `N` unpredictable bytes.
    ///
    /// # Panics
    /// If the system has no randomness to give: nothing safe can be done then.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        #[expect(clippy::expect_used, reason = "a server without randomness must not go on")]
        self.source.fill(&mut bytes).expect("the system's random source answers");
        bytes
    }
}
