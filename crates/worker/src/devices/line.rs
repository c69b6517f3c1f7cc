//! A line to a driver: a thread that asks it, and askers who do not wait for ever.
//!
//! A call into a hung driver cannot be ended from outside. So there is one thread for each driver,
//! however often it is asked: while it is inside a call that somebody has stopped waiting for,
//! others are told at once that there is no answer. When the call comes back, the line works again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use model::{Device, DeviceUsage};

use super::{Driver, Found};

/// A question, and where its answer goes.
enum Question {
    Find(Sender<Found>),
    Usage(Device, Sender<DeviceUsage>),
}

/// What makes the driver, on the thread that asks it.
type Make = Box<dyn FnOnce() -> Box<dyn Driver> + Send>;

/// The line. The thread is started with the first question, and ends when the line is dropped.
pub(super) struct Line {
    name: &'static str,
    make: Option<Make>,
    questions: Option<Sender<Question>>,
    /// Whether a question has not been answered, be it that nobody waits for that any more.
    is_busy: Arc<AtomicBool>,
}

/// An answer that may come.
pub(super) struct Answer<T>(Receiver<T>);

impl<T> Answer<T> {
    /// The answer, if it comes in time.
    pub(super) fn wait(self, deadline: Instant) -> Option<T> {
        self.0.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }
}

impl Line {
    pub(super) fn new(
        name: &'static str,
        make: impl FnOnce() -> Box<dyn Driver> + Send + 'static,
    ) -> Self {
        let is_busy = Arc::new(AtomicBool::new(false));
        Self { name, make: Some(Box::new(make)), questions: None, is_busy }
    }

    /// Asks which devices there are; `None`: the driver is not even done with an earlier question.
    pub(super) fn find(&mut self) -> Option<Answer<Found>> {
        self.ask(Question::Find)
    }

    /// Asks how busy one of them is.
    pub(super) fn usage(&mut self, device: &Device) -> Option<Answer<DeviceUsage>> {
        let device = device.clone();
        self.ask(|answer| Question::Usage(device, answer))
    }

    fn ask<T>(&mut self, question: impl FnOnce(Sender<T>) -> Question) -> Option<Answer<T>> {
        if let Some(make) = self.make.take() {
            self.questions = launch(self.name, make, Arc::clone(&self.is_busy));
        }
        let questions = self.questions.as_ref()?;
        if self.is_busy.swap(true, Ordering::AcqRel) {
            return None;
        }
        let (sender, answer) = channel();
        questions.send(question(sender)).ok()?;
        Some(Answer(answer))
    }
}

/// Starts the thread. Nobody waits for its end: it may never come.
fn launch(name: &str, make: Make, is_busy: Arc<AtomicBool>) -> Option<Sender<Question>> {
    let (sender, questions) = channel();
    let thread = thread::Builder::new().name(format!("devices-{name}"));
    thread.spawn(move || serve(make, &questions, &is_busy)).ok()?;
    Some(sender)
}

fn serve(make: Make, questions: &Receiver<Question>, is_busy: &AtomicBool) {
    let mut driver = make();
    // Whoever has an answer may ask again at once, so the line is free before the answer leaves.
    let free = || is_busy.store(false, Ordering::Release);
    for question in questions {
        match question {
            Question::Find(answer) => {
                let found = driver.find();
                free();
                // The asker may have stopped waiting.
                let _ = answer.send(found);
            }
            Question::Usage(device, answer) => {
                let usage = driver.usage(&device);
                free();
                let _ = answer.send(usage);
            }
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("name", &self.name).finish_non_exhaustive()
    }
}
