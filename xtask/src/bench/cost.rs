//! What this process has cost so far: processor time and memory.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A moment, with the processor time used until then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    at: Instant,
    cpu: Duration,
}

impl Moment {
    pub(super) fn now() -> Self {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(used.tv_nsec).unwrap_or(0);
        Self {
            at: Instant::now(),
            cpu: Duration::new(seconds, nanos),
        }
    }

    /// Wall time and processor time, in seconds, since this moment.
    pub(super) fn until(self, later: Self) -> (f64, f64) {
        let wall = later.at.saturating_duration_since(self.at);
        let cpu = later.cpu.saturating_sub(self.cpu);
        (wall.as_secs_f64(), cpu.as_secs_f64())
    }
}

/// The most memory that this process has held at once, in MiB.
pub(super) fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    peak_in(&status)
}

fn peak_in(status: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_processor_time_and_memory_is_found() {
        let begin = Moment::now();
        let sum: u64 = (0..1_000_000u64).map(std::hint::black_box).sum();
        std::hint::black_box(sum);
        let (wall, cpu) = begin.until(Moment::now());
        assert!(wall > 0.0 && cpu > 0.0);
        assert!((peak_in("VmPeak:\t 1 kB\nVmHWM:\t    2048 kB\n") - 2.0).abs() < 1e-9);
        assert!(peak_in("").is_nan());
    }
}
