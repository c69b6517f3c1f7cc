//! What a collection takes away.

use protocol::api::GcReport;

use super::plural;

/// Numbers, or ranges of them, that are written out; the other runs are counted.
const RANGES_SHOWN: usize = 20;

/// Whether there is nothing to take away.
pub(crate) fn is_nothing(report: &GcReport) -> bool {
    GcReport { runs_kept: 0, ..report.clone() } == GcReport::default()
}

/// What went, or would go, a line each.
pub(crate) fn render(report: &GcReport, is_done: bool) -> String {
    let kept = plural(report.runs_kept, "ended run");
    if is_nothing(report) {
        return format!("There is nothing to remove; {kept} kept.\n");
    }
    let mut text = String::from(if is_done { "Removed:\n" } else { "This would be removed:\n" });
    let line = |text: &mut String, count: u64, what: &str, bytes: Option<u64>| {
        if count > 0 {
            let size = bytes.map_or_else(String::new, |bytes| format!(", {}", size(bytes)));
            text.push_str(&format!("  {}{size}\n", plural(count, what)));
        }
    };
    line(&mut text, report.runs, "ended run", Some(report.history_bytes));
    if !report.numbers.is_empty() {
        text.push_str(&format!("    {}\n", numbers(report)));
    }
    line(&mut text, report.log_segments, "log segment", Some(report.log_bytes));
    line(&mut text, report.work_folders, "work folder", None);
    line(&mut text, report.objects, "unneeded object", Some(report.object_bytes));
    text.push_str(&format!("{kept} kept.\n"));
    text
}

/// Which runs, as far as they are named: `1-10, 12 and 30 more`.
fn numbers(report: &GcReport) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in &report.numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown = ranges.iter().take(RANGES_SHOWN);
    let named: u64 = shown.clone().map(|(first, last)| last - first + 1).sum();
    let shown = shown.map(|&(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    let more = match report.runs.saturating_sub(named) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("runs {}{more}", shown.collect::<Vec<_>>().join(", "))
}

/// A number of bytes as people read it: `340 B`, `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut tenths = bytes.saturating_mul(10) >> 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths >>= 10;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_listed_and_what_does_not_is_left_out() {
        let report = GcReport {
            runs: 12,
            numbers: vec![1, 2, 3, 5],
            runs_kept: 1,
            history_bytes: 3_500,
            log_segments: 1,
            log_bytes: 64 << 20,
            work_folders: 0,
            objects: 2,
            object_bytes: 90,
        };
        insta::assert_snapshot!(render(&report, false), @r"
        This would be removed:
          12 ended runs, 3.4 KiB
            runs 1-3, 5 and 8 more
          1 log segment, 64.0 MiB
          2 unneeded objects, 90 B
        1 ended run kept.
        ");
        assert!(render(&report, true).starts_with("Removed:\n"));
        let nothing = GcReport { runs_kept: 3, ..GcReport::default() };
        assert_eq!(render(&nothing, true), "There is nothing to remove; 3 ended runs kept.\n");
    }

    #[test]
    fn sizes_have_units() {
        let sizes = [0, 1_023, 1_024, 1_536, 1 << 30, u64::MAX].map(size);
        assert_eq!(sizes[..5], ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 GiB"]);
        assert!(sizes[5].ends_with(" TiB"));
    }
}
