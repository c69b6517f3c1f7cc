//! The planner: a problem in, a plan and its refusals out.
