//! Control answers, and what they have made of tasks, there and back.

use model::control::ControlAnswer;
use model::fact::{ControlImage, TaskAnswered};
use model::outcome::OutputRef;
use model::{Digest, TaskKey, Timestamp};

use super::read::task_key;
use super::v1::{self, Answer, Control};
use crate::error::DecodeError;
use crate::noun::{Nothing, narrow, read_digest, required};

/// The stored form of an answer.
pub(super) fn write_answered(answered: &TaskAnswered) -> v1::TaskAnswered {
    let answer = match answered.answer {
        ControlAnswer::Begin => Answer::Begin(Nothing {}),
        ControlAnswer::Skip => Answer::Skip(Nothing {}),
        ControlAnswer::FanOut { items, list } => Answer::FanOut(write_fan_out(items, list)),
        ControlAnswer::Until(at) => Answer::Until(at.0),
        ControlAnswer::Route(route) => Answer::Route(route.into()),
        ControlAnswer::Done => Answer::Done(Nothing {}),
        ControlAnswer::Again => Answer::Again(Nothing {}),
        ControlAnswer::Cached => Answer::Cached(Nothing {}),
        ControlAnswer::Invalid => Answer::Invalid(Nothing {}),
    };
    v1::TaskAnswered {
        run: answered.task.run.0,
        task: answered.task.task.0,
        output: answered.output.map(Into::into),
        answer: Some(answer),
    }
}

/// The answer of a stored form.
pub(super) fn read_answered(form: v1::TaskAnswered) -> Result<TaskAnswered, DecodeError> {
    let answer = match required("a known answer", form.answer)? {
        Answer::Begin(_) => ControlAnswer::Begin,
        Answer::Skip(_) => ControlAnswer::Skip,
        Answer::FanOut(form) => {
            let (items, list) = read_fan_out(&form)?;
            ControlAnswer::FanOut { items, list }
        }
        Answer::Until(at) => ControlAnswer::Until(Timestamp(at)),
        Answer::Route(route) => ControlAnswer::Route(narrow("route", route)?),
        Answer::Done(_) => ControlAnswer::Done,
        Answer::Again(_) => ControlAnswer::Again,
        Answer::Cached(_) => ControlAnswer::Cached,
        Answer::Invalid(_) => ControlAnswer::Invalid,
    };
    Ok(TaskAnswered {
        task: task_key(form.run, form.task),
        answer,
        output: form.output.map(OutputRef::try_from).transpose()?,
    })
}

/// The stored form of what an answer has made of a task.
pub(super) fn write_image(task: TaskKey, image: &ControlImage) -> v1::ControlImage {
    let v1::ControlOf { control } = write_control(image);
    v1::ControlImage { run: task.run.0, task: task.task.0, control }
}

/// The same, of a task that is named elsewhere.
pub(super) fn write_control(image: &ControlImage) -> v1::ControlOf {
    let control = match *image {
        ControlImage::FanOut { items, list } => Control::FanOut(write_fan_out(items, list)),
        ControlImage::Route(route) => Control::Route(route.into()),
        ControlImage::Wait(until) => Control::Wait(v1::Wait { until: until.map(|at| at.0) }),
        ControlImage::Turn(turn) => Control::Turn(turn.into()),
    };
    v1::ControlOf { control: Some(control) }
}

/// What an answer has made of a task, of a stored form.
pub(super) fn read_image(form: v1::ControlImage) -> Result<ControlImage, DecodeError> {
    read_control(v1::ControlOf { control: form.control })
}

/// The same, of a task that is named elsewhere.
pub(super) fn read_control(form: v1::ControlOf) -> Result<ControlImage, DecodeError> {
    Ok(match required("what an answer has made of a task", form.control)? {
        Control::FanOut(form) => {
            let (items, list) = read_fan_out(&form)?;
            ControlImage::FanOut { items, list }
        }
        Control::Route(route) => ControlImage::Route(narrow("route", route)?),
        Control::Wait(wait) => ControlImage::Wait(wait.until.map(Timestamp)),
        Control::Turn(turn) => ControlImage::Turn(narrow("turn", turn)?),
    })
}

fn write_fan_out(items: u32, list: Digest) -> v1::FanOut {
    v1::FanOut { items, list: list.0.to_vec() }
}

fn read_fan_out(form: &v1::FanOut) -> Result<(u32, Digest), DecodeError> {
    Ok((form.items, read_digest(&form.list)?))
}
