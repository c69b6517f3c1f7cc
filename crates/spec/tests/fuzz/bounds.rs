//! What one piece of work may take: time, and memory as this thread's allocations count it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// More than the fuel of an expression takes without optimisation, on a machine with other work.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Room for the largest value that an expression may make, and for it as JSON.
const BYTES_MAX: usize = 1 << 30;

thread_local! {
    /// Bytes that are allocated, and the most that were since it was last set.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, which counts. What is asked for beyond a hundred times the bound is
/// refused before the machine has to find it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: isize) {
    let _ = LIVE.try_with(|live| {
        live.set(live.get().saturating_add(bytes));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

#[expect(unsafe_code, reason = "an allocator that counts cannot be had without")]
mod counting {
    use super::{Counting, GlobalAlloc, Layout, System, count};

    // SAFETY: everything is handed on to the system's allocator as it came.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count(layout.size().cast_signed());
            // SAFETY: the caller's promises are passed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            count(-layout.size().cast_signed());
            // SAFETY: the caller's promises are passed on.
            unsafe { System.dealloc(pointer, layout) }
        }
    }
}

/// Does `work` within the bounds; `told` is what a failure shows.
pub(crate) fn bounded<T>(told: &dyn Fn() -> String, work: impl FnOnce() -> T) -> T {
    let (begin, before) = (Instant::now(), LIVE.get());
    PEAK.set(before);
    let done = work();
    let (took, bytes) = (begin.elapsed(), (PEAK.get() - before).unsigned_abs());
    assert!(took < TIME_MAX, "{took:?} for {}", told());
    assert!(bytes < BYTES_MAX, "{} MiB for {}", bytes >> 20, told());
    done
}

#[test]
fn what_is_allocated_is_counted() {
    let nothing = || "a test".to_owned();
    bounded(&nothing, || vec![1_u8; 1 << 20]);
    let too_much = std::panic::catch_unwind(|| bounded(&nothing, || vec![0_u8; BYTES_MAX]).len());
    assert!(too_much.is_err());
}
