//! Files within files: what one is given by the task that names it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Call, Linker, Site};
use crate::code;
use crate::definition::{FileFrame, Frame, FrameId, LateParameter, is_text};
use crate::diagnostic::Diagnostic;
use crate::expression::{names_any, texts_of};
use crate::link::place::Names;
use crate::params::{Located, Parameter, ParameterType, convert, fault};
use crate::secret::whole;
use crate::template::{expression_references, is_template};

/// The first and the last tasks of what was placed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Border {
    pub entries: Vec<u32>,
    pub exits: Vec<u32>,
}

/// What a name leads to that is known before the run.
const KNOWN: [&str; 5] = ["params", "env", "item", "items", "index"];

impl Linker<'_> {
    /// Makes the frame of a file that a task names.
    pub(super) fn enter(
        &mut self,
        call: &Call,
        (name, scope): (&str, Box<str>),
        site: &Site,
    ) -> Site {
        let workflow = &call.workflow;
        let mut file = FileFrame {
            scope,
            folder: workflow.folder.clone(),
            shell: workflow.shell.clone(),
            ..FileFrame::default()
        };
        for parameter in &workflow.parameters {
            let given = call.with.iter().find(|(name, _)| *name == parameter.name);
            self.give(parameter, (given.map(|given| &given.1), call), (&mut file, site));
        }
        for (name, source) in &workflow.surroundings.secrets {
            file.secrets.insert(name.clone(), source.0.clone());
        }
        for (name, source) in workflow.secret_params(&file.params) {
            file.secrets.insert(name, source.0);
        }
        let file = Some(Box::new(file));
        let frame = self.definition.add_frame(Frame { parent: site.frame, copy: None, file });
        self.surround(call, frame);
        Site {
            frame,
            names: Names::under(name.to_owned()),
            folder: workflow.folder.clone(),
            file: Some(workflow.file.clone()),
        }
    }

    /// The variables and the folder of a file, once its parameters are there.
    fn surround(&mut self, call: &Call, frame: FrameId) {
        let workflow = &call.workflow;
        let mut env = BTreeMap::new();
        for (name, text) in &workflow.env {
            env.insert(name.clone(), self.early(text, frame, &workflow.file));
        }
        let folder = workflow.working_dir.as_ref();
        let folder = folder.map(|text| self.early(text, frame, &workflow.file));
        if let Some(file) = self.definition.frame_mut(frame) {
            file.env = env;
            if let Some(folder) = folder {
                file.folder = file.folder.join(folder);
            }
            if !is_text(&file.folder) {
                let message = "the path of the file's folder is not valid UTF-8".to_owned();
                self.faults.push(fault(code::BAD_VALUE, message));
            }
        }
    }

    /// A text of a file that is needed before its tasks begin.
    fn early(&mut self, text: &Located, frame: FrameId, file: &str) -> String {
        let late = self.definition.around(frame).file.map_or(&[][..], |(file, _)| &file.late);
        let found =
            late.iter().find(|late| names_any(&text.text, "params", |it| it == &*late.name));
        let filled = match found {
            Some(late) => Err(format!(
                "the parameter `{}` is known only while the run goes on, and this is needed \
                 before: use it in the tasks",
                late.name
            )),
            None => self.scene(frame, "", |scene| scene.rendered(&text.text)),
        };
        filled.unwrap_or_else(|reason| {
            let message = format!("this cannot be rendered: {reason}");
            self.fail((code::RENDER, message), &text.place, Some(file));
            String::new()
        })
    }

    /// Gives a parameter its value, or what it is worked out from while the run goes on.
    fn give(
        &mut self,
        parameter: &Parameter,
        (given, call): (Option<&Json>, &Call),
        (file, site): (&mut FileFrame, &Site),
    ) {
        let name = &parameter.name;
        let value = match given {
            Some(given) if self.is_late_value(given, site.frame) => {
                if matches!(parameter.kind, ParameterType::File | ParameterType::Secret) {
                    let message = format!("`{name}` takes {}, which is known before the run", {
                        parameter.kind
                    });
                    return self.wrong(message, call, site);
                }
                let late = LateParameter {
                    name: name.as_str().into(),
                    value: given.clone(),
                    kind: parameter.kind,
                    rules: parameter.rules.clone(),
                };
                return file.late.push(late);
            }
            Some(given) => match self.given(parameter, given, site) {
                Ok(value) => Some(value),
                Err(message) => return self.wrong(message, call, site),
            },
            None => None,
        };
        let folder = if value.is_some() { &site.folder } else { &call.workflow.folder };
        match parameter.value(value.as_ref(), folder) {
            Ok(value) => {
                file.params.insert(name.clone(), value);
            }
            Err(told) => self.wrong(told.message, call, site),
        }
    }

    fn given(&self, parameter: &Parameter, given: &Json, site: &Site) -> Result<Json, String> {
        if let (ParameterType::Secret, Json::String(text)) = (parameter.kind, given)
            && let Some(secret) = whole(text)
            && let Some(source) = self.definition.around(site.frame).secrets.get(&secret)
        {
            return Ok(Json::from(source.as_str()));
        }
        let value = self.scene(site.frame, "", |scene| scene.filled(given));
        let value = value.map_err(|reason| format!("`{}`: {reason}", parameter.name))?;
        // A text where a list is wanted may be its JSON; what is no text needs no reading.
        Ok(convert(&value, parameter.kind).unwrap_or(value))
    }

    /// Whether a value names what is known only while the run goes on.
    fn is_late_value(&self, value: &Json, frame: FrameId) -> bool {
        let late = self.definition.around(frame).file.map_or(&[][..], |(file, _)| &file.late);
        let is_late = |name: &str| late.iter().any(|late| *late.name == *name);
        texts_of(value).into_iter().filter(|text| is_template(text)).any(|text| {
            expression_references(text).iter().any(|reference| {
                !KNOWN.contains(&&*reference.root)
                    || (reference.root == "params"
                        && !late.is_empty()
                        && reference.path.first().is_none_or(|first| is_late(first)))
            })
        })
    }

    fn wrong(&mut self, message: String, call: &Call, site: &Site) {
        self.faults.push(Diagnostic {
            place: Some(call.place.clone()),
            file: site.file.clone(),
            hint: Some(format!("`{}` says what it takes under `params`", call.workflow.file)),
            ..fault(code::WRONG_PARAMETER, message)
        });
    }
}
