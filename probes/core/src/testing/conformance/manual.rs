//! Do name, summary and manual have the form that every plugin's have?

use crate::Plugin;

/// Checks what people read of a plugin; one without a manual has nothing to get wrong there.
pub(super) fn check(plugin: &Plugin) -> Vec<String> {
    let (name, summary, manual) = (plugin.name(), plugin.summary(), plugin.manual());
    let mut mistakes = Vec::new();
    let noun = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(noun) {
        mistakes.push(format!("the name {name:?} is not a word in lower case"));
    }
    if summary.trim().is_empty() || summary.contains('\n') || summary.ends_with('.') {
        mistakes.push(format!(
            "the summary {summary:?} is not one line without a full stop"
        ));
    }
    if manual.is_empty() {
        return mistakes;
    }
    let mut headings = manual
        .lines()
        .filter(|line| line.starts_with("##"))
        .map(|line| line.trim_start_matches('#').trim());
    // `any` takes headings up to the one it finds, so the next is sought behind it.
    let missing = SECTIONS
        .iter()
        .find(|section| !headings.any(|heading| heading == **section));
    mistakes.extend(missing.map(|section| {
        let order = SECTIONS.join(", ");
        format!("the manual lacks the section {section:?} in its place: the order is {order}")
    }));
    mistakes
}

/// The template of a manual.
const SECTIONS: [&str; 7] = [
    "What it measures",
    "How",
    "Options",
    "Metrics",
    "Privileges",
    "Limits",
    "Reading the numbers",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::conformance::tests::idle::Idle;

    fn check(plugin: &Plugin, expected: &[&str]) {
        let mistakes = super::check(plugin);
        let alike = |(mistake, part): (&String, &&str)| mistake.contains(part);
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:?}");
        assert!(mistakes.iter().zip(expected).all(alike), "{mistakes:?}");
    }

    const WHOLE: &str = "# Idle\n## What it measures\nNothing.\n## How\n### Aside\n## Options\n\
        ## Metrics\n## Privileges\n## Limits\n## Reading the numbers\n";

    #[test]
    fn the_form_is_kept() {
        let plugin = |name, summary| Plugin::new::<Idle>(name, summary);
        check(&plugin("idle", "Nothing at all"), &[]);
        check(&plugin("idle2", "Nothing at all").docs(WHOLE), &[]);
        for name in ["Idle", "", "2idle", "an idle", "i-dle"] {
            check(&plugin(name, "Nothing"), &["is not a word in lower case"]);
        }
        for summary in ["", " ", "Nothing.", "Nothing\nmore"] {
            check(
                &plugin("idle", summary),
                &["is not one line without a full stop"],
            );
        }
    }

    #[test]
    fn a_section_that_is_missing_or_out_of_place_is_told() {
        let plugin = |docs| Plugin::new::<Idle>("idle", "Nothing").docs(docs);
        check(
            &plugin("# Idle\n"),
            &["lacks the section \"What it measures\""],
        );
        for (replaced, by, missing) in [
            ("## Limits\n", "", "\"Limits\""),
            (
                "## Reading the numbers\n",
                "## Reading\n",
                "\"Reading the numbers\"",
            ),
            ("## How\n", "Limits\n## Limits\n", "\"How\""),
        ] {
            let docs = WHOLE.replacen(replaced, by, 1).leak();
            check(&plugin(docs), &[missing]);
        }
    }
}
