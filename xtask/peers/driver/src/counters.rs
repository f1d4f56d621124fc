use std::{path::Path, time::Instant};

/// The counters at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Snap {
    /// When.
    pub t: Instant,
    /// User and system processor seconds of this process.
    pub cpu: f64,
    /// Bytes sent on the loopback interface; this program's alone in a network namespace of its own.
    pub lo: u64,
    /// Busy processor seconds of the whole machine.
    pub sys: f64,
}

/// The counters now.
pub fn snap() -> Snap {
    Snap {
        t: Instant::now(),
        cpu: clock(libc::CLOCK_PROCESS_CPUTIME_ID),
        lo: lo_bytes(),
        sys: sys_busy(),
    }
}

/// Processor seconds of the calling thread.
pub fn thread_cpu() -> f64 {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock(id: libc::clockid_t) -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec, and nothing else is written.
    unsafe { libc::clock_gettime(id, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn lo_bytes() -> u64 {
    let devices = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let lo = devices
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"));
    lo.and_then(|row| row.split_whitespace().nth(8)?.parse().ok())
        .unwrap_or(0)
}

fn sys_busy() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|tick| tick.parse().ok())
        .collect();
    // User, nice, system and both kinds of interrupts.
    [0, 1, 2, 5, 6]
        .iter()
        .filter_map(|place| ticks.get(*place))
        .sum::<f64>()
        / 100.0
}

/// What happened between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Delta {
    /// Seconds.
    pub wall: f64,
    /// Processor seconds of this process.
    pub cpu: f64,
    /// Bytes on the loopback interface.
    pub lo: u64,
    /// Cores used by everything else on the machine.
    pub other: f64,
}

/// From `a` to `b`.
pub fn delta(a: Snap, b: Snap) -> Delta {
    let wall = (b.t - a.t).as_secs_f64();
    let cpu = b.cpu - a.cpu;
    let other = ((b.sys - a.sys - cpu) / wall).max(0.0);
    Delta {
        wall,
        cpu,
        lo: b.lo - a.lo,
        other,
    }
}

fn status_mib(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The most memory held since the start, or the last [`reset_peak_rss`].
pub fn peak_rss_mib() -> f64 {
    status_mib("VmHWM:")
}

/// The memory held now.
pub fn rss_mib() -> f64 {
    status_mib("VmRSS:")
}

/// Begins a new window for [`peak_rss_mib`].
pub fn reset_peak_rss() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Whether files in this folder survive a restart of the machine: whether it is on a disk.
pub fn is_durable(folder: &Path) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    let Ok(path) = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes()) else {
        return false;
    };
    // SAFETY: all zeros is a valid statfs, and `path` ends with a zero byte.
    let kind = unsafe {
        let mut stat: libc::statfs = std::mem::zeroed();
        if libc::statfs(path.as_ptr(), &mut stat) != 0 {
            return false;
        }
        stat.f_type as i64
    };
    kind != TMPFS && kind != RAMFS
}
