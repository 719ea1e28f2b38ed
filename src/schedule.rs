//! When is each probe due?
