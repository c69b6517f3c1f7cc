//! Names of budgets and breakers that follow from parameters, as the server of a model may.
//!
//! They are filled in before the run, for what attempts share is known by its name. A parameter
//! that is known only while the run goes on leaves the name as it is written.

use model::policy::Policy;

use super::Linker;
use crate::definition::FrameId;
use crate::expression::names_any;
use crate::template::is_template;

impl Linker<'_> {
    /// Fills in the names of what attempts of a task share.
    pub(super) fn name_shared(&self, policy: &mut Policy, frame: FrameId) {
        let shared = &mut policy.shared;
        let budgets = shared.budgets.iter_mut().map(|budget| &mut budget.name);
        let breakers = shared.breakers.iter_mut().map(|breaker| &mut breaker.name);
        for name in budgets.chain(breakers).filter(|name| is_template(name)) {
            if let Some(known) = self.known(name, frame) {
                *name = server(&known).into();
            }
        }
        shared.budgets.sort_unstable();
        shared.breakers.sort_unstable();
    }

    fn known(&self, text: &str, frame: FrameId) -> Option<String> {
        let late = self.definition.around(frame).file.map_or(&[][..], |(file, _)| &file.late);
        if late.iter().any(|it| names_any(text, "params", |name| name == &*it.name)) {
            return None;
        }
        self.scene(frame, "", |scene| scene.rendered(text)).ok()
    }
}

/// The same name as that of a server that is written out: without its scheme, and without an empty
/// end of its path.
fn server(name: &str) -> String {
    let (key, server) =
        name.rsplit_once('@').map_or(("", name), |(key, _)| name.split_at(key.len() + 1));
    let server = server.split_once("://").map_or(server, |(_, rest)| rest);
    format!("{key}{}", server.replace("//", "/").trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_filled_in_is_the_same_as_one_that_was_written_out() {
        assert_eq!(server("k@https://a.example/v1//tokens"), "k@a.example/v1/tokens");
        assert_eq!(server("http://localhost:8080/v1/"), "localhost:8080/v1");
        assert_eq!(server("a.example/v1/requests"), "a.example/v1/requests");
    }
}
