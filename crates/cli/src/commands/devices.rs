//! `devices`: the GPUs of this machine that this process may use, and how busy they are.
//!
//! It looks for itself and asks no holder: what it shows is what a worker that is started here, as
//! this user and with these variables, would find.

use clap::Args;
use worker::devices::Devices as Drivers;

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::Format;
use crate::render::devices::{self, Device, DeviceList, Note};

const EXAMPLES: &str = "\
Examples:
  autoglm devices
  autoglm devices -o wide            Also where they sit, and what is hidden or left out
  autoglm devices -o json | jq '.devices[].kind'
  CUDA_VISIBLE_DEVICES=0 autoglm devices";

/// Show the GPUs of this machine, and how busy they are.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Devices {}

impl Devices {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let mut drivers = Drivers::of_this_machine();
        let found = drivers.find();
        let devices = found.devices.iter().enumerate();
        let devices = devices.map(|(at, device)| Device::new(at, device, drivers.usage(device)));
        let list = DeviceList {
            devices: devices.collect(),
            notes: found.notes.into_iter().map(Note::from).collect(),
        };
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json_list(&list, &list.devices)?,
            Format::Name => {
                let ids = list.devices.iter().map(|device| format!("{}\n", device.uuid));
                output.text(&ids.collect::<String>())?;
            }
            Format::Table | Format::Wide => {
                let is_wide = output.format == Format::Wide;
                if !list.devices.is_empty() {
                    output.text(&devices::render(&list.devices, is_wide, output.tone))?;
                }
                let said = devices::said(&list, is_wide);
                if !said.is_empty() {
                    context.say(&said);
                }
            }
        }
        Ok(Exit::Ok)
    }
}
