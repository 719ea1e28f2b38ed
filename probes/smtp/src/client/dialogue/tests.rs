//! Does the dialogue say and hear what it should?
