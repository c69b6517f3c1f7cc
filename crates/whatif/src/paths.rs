//! Paths through the tasks of a workload: who waits for whom, and the longest ways.

use workload::Workload;

/// Tasks with those that wait for each, in compressed rows.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    begins: Vec<u32>,
    tasks: Vec<u32>,
}

impl Behind {
    /// O(tasks + edges).
    pub(crate) fn of(workload: &Workload) -> Self {
        let count = number(workload.tasks().len());
        let mut begins = vec![0_u32; workload.tasks().len() + 1];
        for task in 0..count {
            workload.depends_on(task).iter().for_each(|&on| begins[on as usize + 1] += 1);
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        let mut next = begins.clone();
        let mut tasks = vec![0; workload.edge_count()];
        for task in 0..count {
            for &on in workload.depends_on(task) {
                tasks[next[on as usize] as usize] = task;
                next[on as usize] += 1;
            }
        }
        Self { begins, tasks }
    }

    /// Those that wait for a task.
    pub(crate) fn of_task(&self, task: u32) -> &[u32] {
        let [begin, end] = [task, task + 1].map(|at| self.begins[at as usize] as usize);
        &self.tasks[begin..end]
    }

    /// The tasks, each after all that it waits for (Kahn 1962).
    pub(crate) fn in_order(&self, workload: &Workload) -> Vec<u32> {
        let count = number(workload.tasks().len());
        let mut open: Vec<usize> = (0..count).map(|task| workload.depends_on(task).len()).collect();
        let mut order: Vec<u32> = (0..count).filter(|&task| open[task as usize] == 0).collect();
        let mut at = 0;
        while at < order.len() {
            for &next in self.of_task(order[at]) {
                open[next as usize] -= 1;
                if open[next as usize] == 0 {
                    order.push(next);
                }
            }
            at += 1;
        }
        order
    }
}

/// The longest ways in microseconds at the common speed.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// Before each task.
    pub(crate) heads: Vec<u64>,
    /// After each task.
    pub(crate) tails: Vec<u64>,
}

impl Paths {
    /// O(tasks + edges).
    pub(crate) fn of(workload: &Workload) -> Self {
        let behind = Behind::of(workload);
        let order = behind.in_order(workload);
        let tasks = workload.tasks();
        let (mut heads, mut tails) = (vec![0; tasks.len()], vec![0; tasks.len()]);
        for &task in &order {
            let through = |&on: &u32| heads[on as usize] + tasks[on as usize].duration_us;
            heads[task as usize] = workload.depends_on(task).iter().map(through).max().unwrap_or(0);
        }
        for &task in order.iter().rev() {
            let through = |&next: &u32| tails[next as usize] + tasks[next as usize].duration_us;
            tails[task as usize] = behind.of_task(task).iter().map(through).max().unwrap_or(0);
        }
        Self { heads, tails }
    }

    /// The critical path of each job, in microseconds at the common speed.
    pub(crate) fn critical(&self, workload: &Workload) -> Vec<u64> {
        let through =
            |task: u32| self.heads[task as usize] + workload.tasks()[task as usize].duration_us;
        let job = |job: &workload::Job| job.tasks.clone().map(through).max().unwrap_or(0);
        workload.jobs.iter().map(job).collect()
    }
}

/// A number of tasks or nodes, which is 32 bits everywhere.
pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).expect("tasks, jobs and nodes are numbered with 32 bits")
}
