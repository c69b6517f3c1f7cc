//! How far a run has come, once or until its end.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use model::RunId;
use protocol::api::{Progress, ProgressQuery, WaitKind};

use super::Shared;
use super::extract::{Query, Target};
use super::meter::Meter;
use super::problem::Refusal;
use super::stream::{Cut, Lines};
use crate::views::{self, Names};

/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn progress(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<ProgressQuery>,
) -> Result<Response, Refusal> {
    let run = service.about(target.run, |subject, _| Ok(subject.id)).await?;
    let (mut lines, response) = service.stream();
    tokio::spawn(async move {
        let ended = watch(&service, run, &mut lines, query.follow).await;
        lines.finish(ended).await;
    });
    Ok(response)
}

async fn watch(service: &Shared, run: RunId, lines: &mut Lines, follow: bool) -> Result<(), Cut> {
    let mut ended = pin!(service.context.handle.ended(run));
    let mut told = false;
    let mut meter = Meter::default();
    let mut sent = None;
    let mut said = Messages::default();
    loop {
        let look = service.about(run.into(), |subject, _| {
            let seen = views::progress(subject);
            let names = (!seen.0.waiting.is_empty()).then(|| subject.names.clone());
            Ok((subject.now, seen, names))
        });
        let (now, (mut progress, path), names) = look.await?;
        meter.complete(now, &mut progress, path);
        if let Some(names) = names {
            said.fill_in(&mut progress, &names);
        }
        let is_last = progress.status.is_final() || !follow;
        if is_last || sent.as_ref().is_none_or(|sent| differs(sent, &progress)) {
            lines.send(&progress).await?;
            sent = Some(progress);
        }
        if is_last {
            return Ok(());
        }
        // The end is told at once: somebody waits for it.
        tokio::select! {
            paused = lines.pause(LOOK_EVERY) => paused?,
            () = &mut ended, if !told => told = true,
        }
    }
}

/// What is said to whom tasks wait for. Worked out here, once for each task, because texts take
/// their time and the driver has none.
#[derive(Default)]
struct Messages(BTreeMap<String, String>);

impl Messages {
    fn fill_in(&mut self, progress: &mut Progress, names: &Names) {
        for wait in progress.waiting.iter_mut().filter(|wait| wait.kind != WaitKind::Time) {
            let message = self.0.entry(wait.task.clone());
            let message = message.or_insert_with(|| names.message(&wait.task, progress.run));
            wait.message.clone_from(message);
        }
    }
}

/// Whether there is more to show than that time goes by.
fn differs(sent: &Progress, new: &Progress) -> bool {
    let whole = |progress: &Progress| {
        let eta = progress.eta_seconds.map(|eta| eta.0.as_millis() / 1_000);
        ((progress.per_second * 10.0).round() as u64, eta)
    };
    let names = |progress: &Progress| {
        let running = progress.running.iter();
        running.map(|task| (task.task.clone(), task.item, task.attempt)).collect::<Vec<_>>()
    };
    (sent.status, sent.tasks, sent.items) != (new.status, new.tasks, new.items)
        || whole(sent) != whole(new)
        || names(sent) != names(new)
        || sent.waiting != new.waiting
}
