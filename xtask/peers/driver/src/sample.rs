use crate::counters::thread_cpu;

/// A small generator; the same on every run.
pub struct XorShift(pub u64);

impl XorShift {
    /// The one for this seed, whatever it is.
    pub fn seeded(seed: u64) -> Self {
        XorShift(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        let mut x = self.0;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0 = x;
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n
    }

    /// Fills `bytes`; the result does not compress.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let value = self.next().to_le_bytes();
            chunk.copy_from_slice(&value[..chunk.len()]);
        }
    }
}

/// The value at `percent` (0 to 100) of a sorted slice.
pub fn pct(sorted: &[f64], percent: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    sorted
        .get((last * percent / 100.0).round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}

/// The values in order.
pub fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// Runs `operation` for about `secs` of this thread's processor time; operations per processor
/// second, which other work on the machine disturbs little.
pub fn rate(secs: f64, mut operation: impl FnMut()) -> f64 {
    let mut batch = 1_u64;
    loop {
        let begin = thread_cpu();
        (0..batch).for_each(|_| operation());
        if thread_cpu() - begin > 0.005 {
            break;
        }
        batch *= 2;
    }
    let begin = thread_cpu();
    let mut count = 0_u64;
    while thread_cpu() - begin < secs {
        (0..batch).for_each(|_| operation());
        count += batch;
    }
    count as f64 / (thread_cpu() - begin)
}

/// Measures a rate `runs` times and prints median and spread.
pub fn report(name: &str, unit: &str, runs: usize, mut measure: impl FnMut() -> f64) -> f64 {
    let values = sorted((0..runs.max(1)).map(|_| measure()).collect());
    let median = pct(&values, 50.0);
    let (min, max) = (values[0], values[values.len() - 1]);
    println!(
        "RESULT name={name} unit={unit} median={median:.6} min={min:.6} max={max:.6} runs={runs}"
    );
    median
}
