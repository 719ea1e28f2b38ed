//! How are the phases of a run shown to a person?

use std::fmt::Write as _;

/// Draws a line for each phase, with a bar to scale that begins where the one before ends. The
/// phases are given with their seconds, in the order in which they happened; `width` is that of the
/// terminal.
pub fn bars(phases: &[(&str, f64)], width: usize) -> String {
    let total: f64 = phases.iter().map(|(_, seconds)| seconds).sum();
    let room = width.saturating_sub(INDENT).clamp(10, 60) as f64;
    let mut text = String::new();
    let mut begun = 0.0;
    for (phase, seconds) in phases {
        let share = |seconds: f64| {
            if total > 0.0 {
                seconds / total * room
            } else {
                0.0
            }
        };
        let blank = share(begun).round() as usize;
        let bar =
            (share(begun + seconds).round() as usize - blank).max(usize::from(*seconds > 0.0));
        begun += seconds;
        let (blank, bar) = (" ".repeat(blank), "━".repeat(bar));
        let name = phase.replace('_', " ");
        let ms = seconds * 1e3;
        writeln!(text, "  {name:<14}{ms:>9.2} ms  {blank}{bar}").expect(INFALLIBLE);
    }
    text
}

/// What stands before a bar.
const INDENT: usize = 2 + 14 + 9 + 5;
const INFALLIBLE: &str = "a String takes whatever is written to it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bars_stand_behind_one_another_and_are_to_scale() {
        let phases = [
            ("resolve", 0.0),
            ("connect", 0.025),
            ("wait", 0.05),
            ("transfer", 0.025),
        ];
        let text = bars(&phases, INDENT + 20);
        let expected = [
            "  resolve            0.00 ms  ",
            "  connect           25.00 ms  ━━━━━",
            "  wait              50.00 ms       ━━━━━━━━━━",
            "  transfer          25.00 ms                 ━━━━━",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
