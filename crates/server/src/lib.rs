//! The IO of the coordinator: driver loop, API, views.
