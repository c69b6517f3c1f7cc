//! Devices of made-up drivers: a library that plays NVIDIA's, and trees that play `/sys`.
//!
//! No GPU is needed and none that is there is looked at. The library is compiled by `cc`, without
//! which the tests fail.

mod amd_devices;
mod fake;
mod nvidia_devices;
