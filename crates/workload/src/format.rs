//! Which of the formats a file is of, told by what stands in it, never by its name.

use crate::cluster::Cluster;
use crate::code;
use crate::estimates::Estimates;
use crate::fault::{Fault, Faults};
use crate::json::keys;
use crate::source::Source;
use crate::table::{Cell, Column, Rows};
use crate::workload::{Arrival, Workload};
use crate::{alibaba_batch, alibaba_gpu, jobs_csv, philly, scenario, wfcommons};

/// A form in which workloads are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An instance of WfCommons: see [`wfcommons`].
    WfCommons,
    /// A cluster and the tasks that come to it: see [`scenario`].
    Scenario,
    /// A trace of jobs with a header: see [`jobs_csv`].
    Jobs,
    /// Microsoft's Philly trace: see [`philly`].
    Philly,
    /// Pods of Alibaba's GPU trace: see [`alibaba_gpu`].
    AlibabaGpu,
    /// Tasks of Alibaba's batch trace: see [`alibaba_batch`].
    AlibabaBatch,
}

/// What whoever reads a workload may choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How long tasks are expected to run.
    pub estimates: Estimates,
    /// How many jobs are there at a time, whatever the file says of when they come.
    pub outstanding: Option<u32>,
}

/// What a file gives.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The jobs.
    pub workload: Workload,
    /// The nodes, if the file has some.
    pub cluster: Option<Cluster>,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::WfCommons,
        Self::Scenario,
        Self::Jobs,
        Self::Philly,
        Self::AlibabaGpu,
        Self::AlibabaBatch,
    ];

    /// What it is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WfCommons => "wfcommons",
            Self::Scenario => "scenario",
            Self::Jobs => "jobs",
            Self::Philly => "philly",
            Self::AlibabaGpu => "alibaba-gpu",
            Self::AlibabaBatch => "alibaba-batch",
        }
    }

    /// The format that a file seems to be of. It need not be in order.
    #[must_use]
    pub fn of(source: &Source) -> Option<Self> {
        let text = source.text();
        if text.trim_start().starts_with('{') {
            let keys = keys(text).unwrap_or_default();
            let has = |name: &str, open: u8| keys.contains(&(name, open));
            return match has("workflow", b'{') {
                true => Some(Self::WfCommons),
                false if has("tasks", b'[') && has("nodes", b'[') => Some(Self::Scenario),
                false => None,
            };
        }
        let mut cells = Vec::new();
        let mut rows = Rows::new(text);
        if !matches!(rows.next(&mut cells), Ok(true)) || cells.len() < 2 {
            return None;
        }
        if has_needed(&cells, &alibaba_gpu::PODS) {
            Some(Self::AlibabaGpu)
        } else if has_needed(&cells, &philly::COLUMNS) {
            Some(Self::Philly)
        } else if cells.len() == 7 && cells[6].text.bytes().all(|byte| byte.is_ascii_digit()) {
            Some(Self::AlibabaBatch)
        } else {
            let words = ["submit", "submit_s", "duration", "duration_s", "runtime"];
            let is_known = |cell: &Cell<'_>| words.contains(&&*cell.text.to_lowercase());
            cells.iter().any(is_known).then_some(Self::Jobs)
        }
    }
}

/// Whether a header has all columns that a format needs.
fn has_needed(cells: &[Cell<'_>], columns: &[Column]) -> bool {
    let has = |column: &Column| {
        cells.iter().any(|cell| column.names.contains(&&*cell.text.to_lowercase()))
    };
    columns.iter().filter(|column| column.is_needed).all(has)
}

/// Reads a workload of whatever format the file is of.
///
/// # Errors
/// It is of none, or what the reader of the format says.
pub fn read(source: &Source, options: &Options) -> Result<Recorded, Faults> {
    let Some(format) = Format::of(source) else {
        let message = "this is no workload of a form that is known";
        let fault = Fault::nowhere(code::UNKNOWN_FORM, message);
        let known = Format::ALL.map(Format::as_str).join(", ");
        return Err(Faults::one(source.name(), fault.hint(format!("known are: {known}"))));
    };
    let how = options.estimates;
    let (mut workload, cluster) = match format {
        Format::WfCommons => (wfcommons::read(source, how)?, None),
        Format::Scenario => {
            let (workload, cluster) = scenario::read(source, how)?;
            (workload, Some(cluster))
        }
        Format::Jobs => (jobs_csv::read(source, how)?, None),
        Format::Philly => (philly::read(source, how)?, None),
        Format::AlibabaGpu => (alibaba_gpu::read(source, how)?, None),
        Format::AlibabaBatch => (alibaba_batch::read(source, None, how)?, None),
    };
    if let Some(outstanding) = options.outstanding {
        workload.arrival = Arrival::Closed { outstanding: outstanding.max(1) };
    }
    Ok(Recorded { workload, cluster })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("x", text.into()).unwrap()
    }

    #[test]
    fn files_are_known_by_what_stands_in_them() {
        let known = |text: &str| Format::of(&source(text));
        assert_eq!(known(" {\"a\": [], \"workflow\": {}}"), Some(Format::WfCommons));
        assert_eq!(known("{\"tasks\": [], \"nodes\": []}"), Some(Format::Scenario));
        assert_eq!(known("{\"tasks\": {}, \"nodes\": []}"), None, "a workflow file of ours");
        assert_eq!(known("submit,duration,cpu\n"), Some(Format::Jobs));
        assert_eq!(known("timestamp,duration,num_gpus,gpu_time,cluster\n"), Some(Format::Philly));
        assert_eq!(
            known("name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n"),
            Some(Format::AlibabaGpu)
        );
        assert_eq!(known("0,j_1,R23_22,268,50.0,0.3,9\n"), Some(Format::AlibabaBatch));
        for nothing in ["", "tasks:\n  a: {script: x}\n", "{", "a,b\n", "\"", "{}"] {
            assert_eq!(known(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_closed_loop_may_be_asked_for() {
        let options = Options { outstanding: Some(8), ..Options::default() };
        let recorded = read(&source("submit,duration\n0,1\n"), &options).unwrap();
        assert_eq!(recorded.workload.arrival, Arrival::Closed { outstanding: 8 });
        let told = read(&source("hello"), &options).unwrap_err();
        assert!(
            told.to_string().contains("known are: wfcommons, scenario, jobs, philly"),
            "{told}"
        );
    }
}
