//! The secrets that a file knows, and the variables of tasks that are one.

use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::WorkflowFile;
use crate::params::ParameterType;
use crate::read::Placed;
use crate::secret::whole;
use crate::suggest::did_you_mean;

/// The names of all secrets, those of every environment among them.
pub(crate) struct SecretNames<'f> {
    names: Vec<&'f str>,
    /// The parameters that are one.
    params: Vec<&'f str>,
}

impl<'f> SecretNames<'f> {
    pub(super) fn of(file: &'f WorkflowFile) -> Self {
        let environments = file.environments.iter().flat_map(|it| &it.0);
        let secrets = environments.filter_map(|(_, it)| it.secrets.as_ref()).chain(&file.secrets);
        let params = file.params.iter().flat_map(|params| &params.0);
        let params = params.filter(|it| it.kind == Some(ParameterType::Secret));
        Self {
            names: secrets.flat_map(|it| &it.0).map(|(name, _)| name.value.as_str()).collect(),
            params: params.map(|it| it.name.value.as_str()).collect(),
        }
    }

    /// The names that a definition knows: those of parameters stand behind `params.`.
    pub(crate) fn known(all: impl Iterator<Item = &'f str>) -> Self {
        let (mut names, mut params) = (Vec::new(), Vec::new());
        for name in all {
            match name.strip_prefix("params.") {
                Some(param) => params.push(param),
                None => names.push(name),
            }
        }
        Self { names, params }
    }

    pub(super) fn is_param(&self, name: &str) -> bool {
        self.params.contains(&name)
    }

    /// Whether the value of a variable is a secret and nothing else. Notes one that is not known.
    pub(super) fn is_secret(&self, text: &Placed<String>, faults: &mut Faults) -> bool {
        let Some(name) = whole(&text.value) else { return false };
        if let Some(param) = name.strip_prefix("params.") {
            return self.is_param(param);
        }
        if !self.names.contains(&name.as_str()) {
            let message = format!("there is no secret `{name}`");
            let hint = format!("say where it is: `secrets: {{{name}: {{from: env}}}}`");
            let meant = did_you_mean(&name, self.names.iter().copied());
            let fault = Fault::new(code::UNKNOWN_SECRET, text.extent, message);
            faults.push(fault.hint_if(meant).hint_if(Some(hint)));
        }
        true
    }
}
