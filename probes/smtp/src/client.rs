//! The probe: everything about speaking to a mail exchanger, and nothing about being one.
