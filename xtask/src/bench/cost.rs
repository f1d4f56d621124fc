//! What this process has cost so far: processor time and memory.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A moment, with the processor time used until then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    at: Instant,
    cpu: Duration,
    /// Processor time of everything on the machine since it started.
    machine: Duration,
}

impl Moment {
    pub(super) fn now() -> Self {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(used.tv_nsec).unwrap_or(0);
        Self {
            at: Instant::now(),
            cpu: Duration::new(seconds, nanos),
            machine: busy_in(&std::fs::read_to_string("/proc/stat").unwrap_or_default()),
        }
    }

    /// Cores that other programs used between this moment and a later one.
    pub(super) fn others_until(self, later: Self) -> f64 {
        let (wall, own) = self.until(later);
        let all = later.machine.saturating_sub(self.machine).as_secs_f64();
        ((all - own) / wall).max(0.0)
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

/// User, nice, system and both interrupt times of all processors, in ticks of 10 ms.
fn busy_in(stat: &str) -> Duration {
    let line = stat.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).map(str::parse::<u64>);
    let busy = ticks
        .enumerate()
        .filter(|(place, _)| matches!(place, 0 | 1 | 2 | 5 | 6))
        .filter_map(|(_, ticks)| ticks.ok())
        .sum::<u64>();
    Duration::from_millis(busy * 10)
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
        let busy = busy_in("cpu  10 1 20 999 999 3 4 0 0 0\ncpu0 1 1 1 1 1 1 1\n");
        assert_eq!(busy, Duration::from_millis(380));
        assert_eq!(busy_in(""), Duration::ZERO);
    }
}
