//! What attempts find on a node that the worker stands for: its devices, its name and its speed.

use model::resources::USUAL_SPEED;

use super::devices::Devices;
use crate::node::Station;

/// A node, as attempts see it.
#[derive(Debug)]
pub(crate) struct Ground {
    /// Its devices.
    pub(super) devices: Devices,
    /// The variables that tell of it.
    variables: [(&'static str, String); 2],
    /// Whether it is made up: then all others that the worker stands for are on this machine.
    is_made_up: bool,
}

/// The variable by which the members of a gang find the first of them.
const GANG_ADDRESS: &str = "AUTOGLM_GANG_ADDRESS";

impl Ground {
    /// What is to be found on a node; `are_bound` as in [`Devices::new`].
    pub(crate) fn new(station: &Station, are_bound: bool) -> Self {
        let variables = [
            ("AUTOGLM_NODE", station.name.to_string()),
            ("AUTOGLM_NODE_SPEED", decimal(station.offers.speed)),
        ];
        let devices = Devices::new(&station.offers, are_bound);
        Self { devices, variables, is_made_up: !are_bound }
    }

    /// Tells an attempt of the node, over what its own variables say.
    pub(super) fn tell(&self, env: &mut Vec<(String, String)>) {
        let is_own = |name: &str| self.variables.iter().any(|(own, _)| *own == name);
        env.retain(|(name, _)| !is_own(name));
        env.extend(self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        // The name of a node that is made up leads nowhere.
        for (_, address) in
            env.iter_mut().filter(|(name, _)| self.is_made_up && name == GANG_ADDRESS)
        {
            "127.0.0.1".clone_into(address);
        }
    }
}

/// A speed in thousandths as a decimal that every language reads: `1`, `0.5`, `2.25`.
fn decimal(speed: u32) -> String {
    let (whole, part) = (speed / USUAL_SPEED, speed % USUAL_SPEED);
    let text = format!("{whole}.{part:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use model::Offers;

    use super::*;

    #[test]
    fn an_attempt_is_told_where_it_is_and_how_fast_that_is() {
        let offers = Offers { speed: 1_500, ..Offers::default() };
        let ground = Ground::new(&Station { name: "big-1".into(), offers }, false);
        let own = |name: &str| (name.to_owned(), "own".to_owned());
        let mut env = vec![own("A"), own("AUTOGLM_NODE_SPEED"), own(GANG_ADDRESS)];
        ground.tell(&mut env);
        let told: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let here = "AUTOGLM_GANG_ADDRESS=127.0.0.1";
        assert_eq!(told, ["A=own", here, "AUTOGLM_NODE=big-1", "AUTOGLM_NODE_SPEED=1.5"]);
    }

    #[test]
    fn a_speed_is_a_decimal_of_the_common_one() {
        assert_eq!(
            [1_000, 500, 2_250, 10_000, 1].map(decimal),
            ["1", "0.5", "2.25", "10", "0.001"]
        );
    }
}
