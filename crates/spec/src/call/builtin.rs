//! What a worker does by itself: time that passes, and outputs that are known.

use model::work::Does;
use serde_json::Value as Json;

use crate::units;

pub(super) fn sleep(settings: &Json) -> Result<Does, String> {
    let text = match &settings["for"] {
        Json::String(text) => text.clone(),
        number => number.to_string(),
    };
    let span = units::duration(text.trim()).map_err(|reason| format!("`sleep`: {reason}"))?;
    Ok(Does::Sleep(span))
}

pub(super) fn emit(settings: &Json) -> Result<Does, String> {
    // The keys of an object are sorted: this is the canonical form.
    serde_json::to_vec(settings).map(Does::Emit).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use model::Span;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_may_be_a_number_of_seconds() {
        assert_eq!(sleep(&json!({"for": 2})), Ok(Does::Sleep(Span::secs(2))));
        assert_eq!(sleep(&json!({"for": " 250ms "})), Ok(Does::Sleep(Span::millis(250))));
        assert!(sleep(&json!({"for": "soon"})).unwrap_err().starts_with("`sleep`"));
    }
}
