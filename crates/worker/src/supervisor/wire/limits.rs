//! What a process is held to, and what its supervisor can hold it to, on their way through a pipe.

use model::bounds::{Enforcement, Means};

use super::{Body, Malformed, put_bytes, put_u32, put_u64};

/// What a process is held to. The default is nothing at all, and costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Thousandths of a core that it may use.
    pub cpu_max_milli: Option<u64>,
    /// Thousandths of a core that it may count on: its weight beside others with a group.
    pub cpu_weight_milli: u64,
    /// Bytes that all its processes may have together.
    pub memory_max_bytes: Option<u64>,
    /// Bytes that are taken from it last.
    pub memory_low_bytes: u64,
    /// Whether its memory stays out of the swap.
    pub is_swap_off: bool,
    /// How many processes and threads it may be.
    pub pids_max: Option<u64>,
    /// How far it stands back behind others: 0 to 19.
    pub nice: u8,
    /// The only cores that it may run on; all if there are none.
    pub cores: Vec<u32>,
}

impl Limits {
    /// Whether a control group is needed to hold a process to them.
    #[must_use]
    pub const fn need_group(&self) -> bool {
        self.cpu_max_milli.is_some() || self.memory_max_bytes.is_some() || self.pids_max.is_some()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let is_none = *self == Self::default();
        out.push(u8::from(!is_none));
        if is_none {
            return;
        }
        for limit in [self.cpu_max_milli, self.memory_max_bytes, self.pids_max] {
            put_u64(out, limit.unwrap_or(u64::MAX));
        }
        put_u64(out, self.cpu_weight_milli);
        put_u64(out, self.memory_low_bytes);
        out.push(u8::from(self.is_swap_off));
        out.push(self.nice);
        put_u32(out, self.cores.len() as u32);
        self.cores.iter().for_each(|core| put_u32(out, *core));
    }

    pub(super) fn decode(body: &mut Body<'_>) -> Result<Self, Malformed> {
        if !body.bool()? {
            return Ok(Self::default());
        }
        let mut limit = || body.u64().map(|limit| (limit != u64::MAX).then_some(limit));
        let (cpu_max_milli, memory_max_bytes, pids_max) = (limit()?, limit()?, limit()?);
        Ok(Self {
            cpu_max_milli,
            memory_max_bytes,
            pids_max,
            cpu_weight_milli: body.u64()?,
            memory_low_bytes: body.u64()?,
            is_swap_off: body.bool()?,
            nice: body.u8()?,
            cores: (0..body.u32()?).map(|_| body.u32()).collect::<Result<_, _>>()?,
        })
    }
}

pub(super) fn encode_enforcement(enforcement: &Enforcement, out: &mut Vec<u8>) {
    let Enforcement { cpu, memory, pids } = enforcement;
    for means in [cpu, memory, pids] {
        out.push(match means {
            Means::None { .. } => 0,
            Means::CgroupV1 => 1,
            Means::CgroupV2 => 2,
        });
        put_bytes(out, means.missing().unwrap_or_default().as_bytes());
    }
}

pub(super) fn decode_enforcement(body: &mut Body<'_>) -> Result<Enforcement, Malformed> {
    let mut means = || {
        let (kind, reason) = (body.u8()?, body.string()?);
        Ok(match kind {
            0 => Means::None { reason: reason.into() },
            1 => Means::CgroupV1,
            2 => Means::CgroupV2,
            _ => return Err(Malformed),
        })
    };
    Ok(Enforcement { cpu: means()?, memory: means()?, pids: means()? })
}
