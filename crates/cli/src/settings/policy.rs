//! The policy as the settings say it: its name.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use server::Policy;

use crate::error::{BAD_SETTINGS, Error, Result};
use crate::exit::Exit;

/// The names, as the command line takes them: what is mistyped is told with what was meant.
pub(crate) fn words() -> impl TypedValueParser<Value = Policy> {
    let names = PossibleValuesParser::new(Policy::ALL.map(|(_, name)| name));
    names.map(|name| whatif::policy(&name).expect("the parser knows no other names"))
}

/// The policy that is named at a place.
pub(super) fn named(place: &str, name: &str) -> Result<Policy> {
    whatif::policy(name).map_err(|trouble| {
        let message = format!("{place}: {}", trouble.message);
        let known = Policy::ALL.map(|(_, name)| name).join(", ");
        let known = format!("policies are: {known}");
        let meant = trouble.hint.filter(|hint| *hint != known);
        let hint = meant.map_or_else(|| known.clone(), |meant| format!("{meant} {known}"));
        Error::new(Exit::Usage, BAD_SETTINGS, message).hint(hint)
    })
}
