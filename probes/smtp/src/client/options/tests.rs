//! Which options contradict each other, and whom may a stranger aim at?
